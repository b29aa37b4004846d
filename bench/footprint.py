#!/usr/bin/env python3
"""What one instance costs, through the DICOM door at 8 associations: processor, bytes written, syncs, bytes kept.

    ./footprint.py MAXRAY MRBENCH [--engines sqlite,postgres] [--kinds dx:120,small:2000,tiny:4000]

MAXRAY is a release build, MRBENCH the load client (run.sh builds it); a kind is followed by how many instances are sent. Processor time is that of
MaxRay's processes and of PostgreSQL's, once until the last answer, and once with the previews, for which it waits. Bytes written are what the
processes gave to the disk (on SQLite without the last checkpoint, which is ours). Syncs are counted by perf, of the whole machine: let nothing else run. Needs root, perf, Debian's postgresql.
"""

import argparse
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

from servers import Postgres, family, of_all, processor_seconds, start_maxray, stop

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("maxray")
arguments.add_argument("mrbench")
arguments.add_argument("--engines", default="sqlite,postgres")
arguments.add_argument("--kinds", default="dx:120,small:2000,tiny:4000")
options = arguments.parse_args()
HTTP, DICOM, POSTGRES = 18680, 18681, 18690
SYNCS = "syscalls:sys_enter_fsync,syscalls:sys_enter_fdatasync"


def written_bytes(pids):
    return of_all(pids, lambda pid: int(re.search(r"^write_bytes: (\d+)", open(f"/proc/{pid}/io").read(), re.M)[1]))


def size_of(path):
    return int(subprocess.run(["du", "-sb", path], capture_output=True, text=True, check=True).stdout.split()[0])


class Home:
    """A server with its database in a temporary folder."""

    def __init__(self, engine):
        self.scratch = tempfile.mkdtemp(prefix="maxray-footprint-")
        os.chmod(self.scratch, 0o755)
        self.postgres = None
        environment = dict(os.environ, MAXRAY_DATA_DIRECTORY=self.scratch + "/data", MAXRAY_HTTP__LISTEN=f"127.0.0.1:{HTTP}", MAXRAY_PACS__LISTEN=f"127.0.0.1:{DICOM}")
        if engine == "postgres":
            self.postgres = Postgres(self.scratch, POSTGRES, {"shared_buffers": "512MB"})
            environment["MAXRAY_DATABASE__URL"] = self.postgres.url()
        self.server = start_maxray(options.maxray, environment, self.scratch)

    def pids(self):
        return family(self.server.pid) + (family(self.postgres.server.pid) if self.postgres else [])

    def checkpoint(self):
        """What is in the log goes into the tables, so that one look can be compared with another."""
        if self.postgres:
            self.postgres.sql("CHECKPOINT")
        else:
            base = sqlite3.connect(self.scratch + "/data/maxray.sqlite")
            base.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            base.close()
        os.sync()

    def database_bytes(self):
        return self.postgres.data_bytes() if self.postgres else os.path.getsize(self.scratch + "/data/maxray.sqlite")

    def objects_bytes(self):
        return size_of(self.scratch + "/data/objects")

    def wait_for_previews(self):
        """Until the processes do hardly anything."""
        for _ in range(120):
            before = processor_seconds(self.pids())
            time.sleep(2)
            if processor_seconds(self.pids()) - before < 0.06:
                return
        raise SystemExit("the server does not come to rest")

    def end(self):
        stop(self.server)
        kept = self.database_bytes(), self.objects_bytes()
        if self.postgres:
            self.postgres.stop()
        shutil.rmtree(self.scratch)
        return kept


def store(kind, base, count):
    words = ["store", "--addr", f"127.0.0.1:{DICOM}", "--aet", "MAXRAY", "--kind", kind, "--base", base, "--start", 0, "--count", count, "--assoc", 8, "--secs", 600]
    done = subprocess.run([options.mrbench, *map(str, words)], capture_output=True, text=True, check=True)
    row = json.loads(done.stdout.strip().splitlines()[-1])
    assert row["ok"] == count, row
    return row


def measure(engine, kind, count):
    home = Home(engine)
    store(kind, 1, max(20, count // 20))
    home.wait_for_previews()
    home.checkpoint()
    processor, written = processor_seconds(home.pids()), written_bytes(home.pids())
    database, objects = home.database_bytes(), home.objects_bytes()
    counts = home.scratch + "/perf"
    perf = subprocess.Popen(["perf", "stat", "-a", "-x,", "-e", SYNCS, "-o", counts])
    row = store(kind, 2, count)
    taken = processor_seconds(home.pids()) - processor
    perf.send_signal(signal.SIGINT)
    perf.wait()
    syncs = sum(int(line.split(",")[0]) for line in open(counts) if re.match(r"\d", line))
    home.wait_for_previews()
    prepared = processor_seconds(home.pids()) - processor
    home.checkpoint()
    written = written_bytes(home.pids()) - written
    after = home.end()
    each = [f"{row['rps']:.0f}", f"{1000 * taken / count:.2f}", f"{1000 * prepared / count:.2f}", f"{syncs / count:.2f}", f"{written / count / 1000:.1f}", f"{(after[0] - database) / count / 1000:.2f}", f"{(after[1] - objects) / count / 1000:.1f}"]
    print(f"| {engine}, {kind} | " + " | ".join(each) + " |", flush=True)


print("| database, kind | instances/s | CPU ms | CPU ms with previews | syncs | KB written | KB of database kept | KB of objects and previews kept |\n|---|--:|--:|--:|--:|--:|--:|--:|")
for engine in options.engines.split(","):
    for kind in options.kinds.split(","):
        measure(engine, kind.split(":")[0], int(kind.split(":")[1]))
