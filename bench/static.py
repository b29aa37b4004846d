#!/usr/bin/env python3
"""Whole instances from MaxRay beside nginx that serves the same bytes as files, in clear text.

    ./static.py MAXRAY MRBENCH [--secs 3] [--rounds 3]

MAXRAY is a release build, MRBENCH the load client (run.sh builds it). Each is asked in turn, by one client and by four; printed are medians, and
MaxRay's rate as a part of nginx's. MaxRay looks up who asks, writes the audit record, and decrypts: a build without encryption says what that costs
(cost.py). Needs Debian's nginx.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.request

from servers import add_account, family, processor_seconds, settings, sign_in, start_maxray, stop

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("maxray")
arguments.add_argument("mrbench")
arguments.add_argument("--secs", type=int, default=3, help="seconds of each measurement")
arguments.add_argument("--rounds", type=int, default=3)
options = arguments.parse_args()
HTTP, DICOM, STATIC = 18800, 18801, 18802
# Kind of the load client, how many there are of it, what it is.
KINDS = {"small": (200, "0.5 MB"), "dx": (20, "15 MB")}
ACCEPT = "application/dicom; transfer-syntax=*"
scratch = tempfile.mkdtemp(prefix="maxray-static-")
os.chmod(scratch, 0o755)
environment = settings(scratch, HTTP, DICOM)


def run(*words):
    done = subprocess.run([*map(str, words)], env=environment, cwd=scratch, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def instance(path, token):
    headers = {"Accept": ACCEPT, "Authorization": "Bearer " + token}
    return urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{HTTP}{path}", headers=headers)).read()


def prepare(token):
    """Stores instances of each kind, and lays what MaxRay answers where nginx finds it."""
    for base, (kind, (count, _)) in enumerate(KINDS.items()):
        common = ["--kind", kind, "--base", base + 1, "--start", 0, "--count", count]
        run(options.mrbench, "store", "--addr", f"127.0.0.1:{DICOM}", "--aet", "MAXRAY", *common, "--assoc", 4, "--secs", 600)
        template = "/dicomweb/studies/{study}/series/{series}/instances/{sop}"
        paths = sorted(set(run(options.mrbench, "urls", *common, "--n", 20 * count, "--seed", 1, "--template", template).split()))
        os.makedirs(f"{scratch}/www/{kind}")
        for number, path in enumerate(paths):
            with open(f"{scratch}/www/{kind}/{number}.dcm", "wb") as file:
                file.write(instance(path, token))
        open(f"{scratch}/{kind}.maxray", "w").write("\n".join(paths) + "\n")
        open(f"{scratch}/{kind}.nginx", "w").write("".join(f"/{kind}/{number}.dcm\n" for number in range(len(paths))))


def start_nginx():
    temporary = " ".join(f"{name}_temp_path {scratch}/{name};" for name in ("client_body", "proxy", "fastcgi", "scgi", "uwsgi"))
    with open(scratch + "/nginx.conf", "w") as file:
        file.write(
            f"worker_processes 2; daemon off; pid {scratch}/nginx.pid; error_log {scratch}/nginx.log; user root;\n"
            "events { worker_connections 256; }\n"
            f"http {{ access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000000; {temporary}\n"
            f"  server {{ listen 127.0.0.1:{STATIC}; root {scratch}/www; }} }}\n"
        )
    server = subprocess.Popen(["nginx", "-c", scratch + "/nginx.conf"], cwd=scratch)
    time.sleep(0.5)
    return server


def measure(name, port, kind, clients, server, header=None):
    words = ["http", "--addr", f"127.0.0.1:{port}", "--urls", f"{scratch}/{kind}.{name}", "--conc", clients, "--secs", options.secs, "--accept", ACCEPT]
    before = processor_seconds(family(server.pid))
    said = json.loads(run(options.mrbench, *words, *(["--header", header] if header else [])).splitlines()[-1])
    taken = processor_seconds(family(server.pid)) - before
    assert not said["errors"], said
    return said["rps"], said["p50_ms"], 1000 * taken / said["ok"]


def main():
    add_account(options.maxray, environment, scratch)
    run(options.maxray, "ae", "add", "MRBENCH", "127.0.0.1", "--operation", "store")
    maxray, nginx = start_maxray(options.maxray, environment, scratch), None
    try:
        token = sign_in(HTTP)
        prepare(token)
        nginx = start_nginx()
        print("| instances | clients | nginx | MaxRay | part | p50 ms nginx | MaxRay | CPU ms nginx | MaxRay |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|")
        for kind, (_, size) in KINDS.items():
            for clients in (1, 4):
                rounds = []
                for _ in range(options.rounds):
                    theirs = measure("nginx", STATIC, kind, clients, nginx)
                    rounds.append(theirs + measure("maxray", HTTP, kind, clients, maxray, f"Authorization: Bearer {token}"))
                rate, p50, cpu, own_rate, own_p50, own_cpu = (statistics.median(column) for column in zip(*rounds))
                row = f"| {size} | {clients} | {rate:.0f} | {own_rate:.0f} | {own_rate / rate:.2f} "
                print(row + f"| {p50:.2f} | {own_p50:.2f} | {cpu:.2f} | {own_cpu:.2f} |", flush=True)
    finally:
        for server in filter(None, (nginx, maxray)):
            stop(server)
        shutil.rmtree(scratch)


main()
