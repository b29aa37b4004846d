"""What the benches start, MaxRay and a PostgreSQL of their own, and what processes take. Each is stopped by whoever has started it."""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request

PASSWORD = "correct horse battery staple 7!"
TICKS = os.sysconf("SC_CLK_TCK")


def settings(scratch, http, dicom):
    """MaxRay on these ports, with its data below `scratch`, that makes no previews."""
    return dict(
        os.environ,
        MAXRAY_DATA_DIRECTORY=scratch + "/data",
        MAXRAY_HTTP__LISTEN=f"127.0.0.1:{http}",
        MAXRAY_PACS__LISTEN=f"127.0.0.1:{dicom}",
        MAXRAY_WORKER__PREVIEWS="false",
    )


def add_account(program, environment, scratch):
    """The service account `bench`, unless it is there."""
    # Accounts are made where a MaxRay is. A server that runs has done this, and refuses it.
    subprocess.run([program, "migrate"], env=environment, cwd=scratch, capture_output=True)
    words = [program, "user", "add", "--username", "bench", "--role", "service", "--password-stdin"]
    done = subprocess.run(words, env=environment, cwd=scratch, input=PASSWORD, capture_output=True, text=True)
    assert done.returncode == 0 or "taken" in done.stderr, done.stderr


def sign_in(http):
    """An access token of it."""
    body = json.dumps({"username": "bench", "password": PASSWORD}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{http}/sessions", data=body, headers={"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))["access_token"]


def start_maxray(program, environment, scratch):
    """Once it is ready; with its log when it does not get so. `environment` says where it listens."""
    with open(os.path.join(scratch, "log"), "a") as log:
        server = subprocess.Popen([program, "serve"], env=environment, cwd=scratch, stdout=log, stderr=log)
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://{environment['MAXRAY_HTTP__LISTEN']}/readyz").read()
            return server
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
    stop(server)
    raise SystemExit(open(os.path.join(scratch, "log")).read()[-2000:])


def stop(server):
    server.send_signal(signal.SIGTERM)
    server.wait()


class Postgres:
    """Debian's PostgreSQL on an empty cluster below `scratch`, which everybody may pass through; reached from this machine alone."""

    def __init__(self, scratch, port, settings):
        self.folder = os.path.join(scratch, "postgres")
        self.port = port
        os.mkdir(self.folder)
        shutil.chown(self.folder, "postgres", "postgres")
        self.run("initdb", "-D", self.folder + "/data", "-A", "trust", "--locale=C.UTF-8")
        words = ["-D", self.folder + "/data", "-k", self.folder, "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
        words += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.server = subprocess.Popen(self.command("postgres", *words), cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            if subprocess.run([*self.psql(), "-c", "SELECT 1"], capture_output=True).returncode == 0:
                return
            time.sleep(0.1)
        raise SystemExit("PostgreSQL does not start")

    @staticmethod
    def program(name):
        home = "/usr/lib/postgresql"
        versions = [version for version in os.listdir(home) if os.path.exists(f"{home}/{version}/bin/postgres")]
        return f"{home}/{max(versions, key=float)}/bin/{name}"

    def command(self, name, *words):
        """It does not run as root."""
        return ["runuser", "-u", "postgres", "--", self.program(name), *words]

    def run(self, name, *words):
        subprocess.run(self.command(name, *words), check=True, capture_output=True, cwd=self.folder)

    def url(self):
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def psql(self):
        return [self.program("psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]

    def sql(self, text):
        done = subprocess.run([*self.psql(), "-c", text], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")

    def data_bytes(self):
        return int(self.sql("SELECT sum(pg_database_size(oid)) FROM pg_database"))

    def stop(self):
        self.run("pg_ctl", "-D", self.folder + "/data", "-m", "fast", "stop")
        self.server.wait()


def family(pid):
    """The process and those below it."""
    found = [pid]
    for line in subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True).stdout.split("\n"):
        if line.strip() and int(line.split()[1]) in found:
            found.append(int(line.split()[0]))
    return found


def of_all(pids, read):
    total = 0
    for pid in pids:
        try:
            total += read(pid)
        except (OSError, TypeError):
            pass  # it has ended; its processor time is its parent's then
    return total


def processor_seconds(pids):
    return of_all(pids, lambda pid: sum(map(int, open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[11:15]))) / TICKS
