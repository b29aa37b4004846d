#!/usr/bin/env python3
"""How long the clinical REST door takes over a full calendar, on SQLite: 50 clients at once, 100,000 consultations.

    ./clinic.py MAXRAY MRBENCH [--consultations 100000] [--clients 50] [--secs 8]

MAXRAY is a release build, MRBENCH the load client (run.sh builds it). Prints rates and times in milliseconds. Server and clients share the
machine: the times are those of both, so say how many cores there were.
"""

import argparse
import json
import os
import random
import shutil
import sqlite3
import subprocess
import tempfile
import time
import urllib.request
import uuid
from datetime import datetime, timedelta, timezone

from servers import processor_seconds, start_maxray, stop

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("maxray")
arguments.add_argument("mrbench")
arguments.add_argument("--consultations", type=int, default=100_000)
arguments.add_argument("--doctors", type=int, default=50)
arguments.add_argument("--clients", type=int, default=50)
arguments.add_argument("--secs", type=int, default=8)
arguments.add_argument("--think", type=int, default=0, help="milliseconds that a client waits before it asks again")
arguments.add_argument("--only", default="", help="the steps whose name has this in it")
options = arguments.parse_args()
scratch = tempfile.mkdtemp(prefix="maxray-clinic-")
PASSWORD = "correct horse battery staple 7!"
environment = dict(
    os.environ,
    MAXRAY_DATA_DIRECTORY=scratch + "/data",
    MAXRAY_HTTP__LISTEN="127.0.0.1:18480",
    MAXRAY_PACS__LISTEN="127.0.0.1:18481",
)
ADDRESS = "127.0.0.1:18480"
running = []


def run(*words, stdin=None):
    done = subprocess.run([options.maxray, *words], env=environment, cwd=scratch, input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def start():
    running.append(start_maxray(options.maxray, environment, scratch))
    return running[-1]


def call(method, path, token="", body=None, headers=()):
    request = urllib.request.Request(f"http://{ADDRESS}{path}", method=method, data=json.dumps(body).encode() if body is not None else None)
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", "Bearer " + token)
    for name, value in headers:
        request.add_header(name, value)
    answer = urllib.request.urlopen(request).read()
    return json.loads(answer) if answer else None


def sign_in(username):
    return call("POST", "/sessions", body={"username": username, "password": PASSWORD})["access_token"]


def fill(doctors):
    """Past consultations of every doctor, half an hour each; straight into the database, for it is the reading that is measured."""
    base = sqlite3.connect(scratch + "/data/maxray.sqlite3" if os.path.exists(scratch + "/data/maxray.sqlite3") else find_database())
    text = lambda at: at.strftime("%Y-%m-%dT%H:%M:%S+00:00")
    begin = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0) - timedelta(days=1000)
    made = text(begin)
    rows = []
    for number in range(options.consultations):
        at = begin + timedelta(minutes=30 * (number // len(doctors)))
        rows.append((uuid.uuid4().bytes, uuid.UUID(doctors[number % len(doctors)]).bytes, f"P-{number % 20000}", "", "", "completed", text(at), "cough", 3, None, None, text(at), made, made, text(at + timedelta(minutes=30))))
    base.executemany(
        "INSERT INTO consultation (id, doctor_id, patient_id, issuer_of_patient_id, patient_name, status, scheduled_at, reason, version, "
        "created_by, opens_from, closed_at, created_at, updated_at, ends_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        rows,
    )
    base.commit()
    base.close()
    return [str(uuid.UUID(bytes=row[0])) for row in rows], begin


def find_database():
    for folder, _, names in os.walk(scratch + "/data"):
        for name in names:
            if name.endswith((".sqlite", ".sqlite3", ".db")):
                return os.path.join(folder, name)
    raise SystemExit("no SQLite file below " + scratch)


def measure(name, lines, token, method="GET", body=None, once=False):
    if options.only not in name:
        return
    path = scratch + "/urls"
    open(path, "w").write("\n".join(lines) + "\n")
    header = f"Authorization: Bearer {token}\r\nContent-Type: application/json"
    words = [options.mrbench, "http", "--addr", ADDRESS, "--urls", path, "--conc", str(options.clients), "--secs", str(options.secs), "--think", str(options.think)]
    words += ["--accept", "application/json", "--method", method, "--header", header]
    words += ["--body", body] if body else []
    words += ["--once"] if once else []
    if not once:  # A second that is not counted: connections are opened, and what is asked for comes into memory.
        subprocess.run([*words, "--secs", "1"], capture_output=True, check=True)
    before = processor_seconds([running[-1].pid])
    said = json.loads(subprocess.run(words, capture_output=True, text=True).stdout)
    said["server_cpu_ms_per_op"] = round(1000 * (processor_seconds([running[-1].pid]) - before) / max(said["n"], 1), 3)
    print(name, json.dumps(said), flush=True)


def main():
    random.seed(1)
    server = start()
    for role in ("admin", "service"):  # the first start makes an account admin
        run("user", "add", "--username", "bench-" + role, "--role", role, "--password-stdin", stdin=PASSWORD)
    admin = sign_in("bench-admin")
    doctors = [call("POST", "/doctors", admin, {"name": f"Doctor {n}", "time_zone": "Europe/Berlin"})["id"] for n in range(options.doctors)]
    weekly = [{"weekday": day, "from": "08:00", "to": "18:00"} for day in ("monday", "tuesday", "wednesday", "thursday", "friday")]
    for doctor in doctors:
        call("PUT", f"/doctors/{doctor}/availability/rules", admin, {"slot_minutes": 30, "weekly": weekly}, [("If-Match", '"0"')])
    stop(server)
    consultations, begin = fill(doctors)
    server = start()
    token = sign_in("bench-service")
    now = datetime.now(timezone.utc)
    stamp = lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ")
    some = lambda items: random.choices(items, k=20_000)
    measure("GET consultation", [f"/consultations/{one}" for one in some(consultations)], token)
    month = lambda: begin + timedelta(days=random.randrange(40))
    spans = [(lambda at: f"from={stamp(at)}&to={stamp(at + timedelta(days=1))}")(month()) for _ in range(500)]
    measure("GET consultations of a day", [f"/doctors/{random.choice(doctors)}/consultations?{random.choice(spans)}" for _ in range(20_000)], token)
    measure("GET doctor", [f"/doctors/{one}" for one in some(doctors)], token)
    days = f"from={stamp(now)}&to={stamp(now + timedelta(days=30))}"
    measure("GET availability of 30 days", [f"/doctors/{one}/availability?{days}" for one in some(doctors)], token)
    lines = []
    first = (now + timedelta(days=2)).replace(hour=0, minute=0, second=0, microsecond=0)
    for slot in range(2000):
        for doctor in doctors:
            at = first + timedelta(minutes=5 * slot)
            body = {"patient_id": f"N-{len(lines)}", "scheduled_at": stamp(at), "duration_minutes": 5}
            lines.append(f"/doctors/{doctor}/consultation\t{json.dumps(body)}")
    measure("POST consultation", lines, token, "POST", "pair", once=True)
    stop(server)
    shutil.rmtree(scratch)


main()
