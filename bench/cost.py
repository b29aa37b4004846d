#!/usr/bin/env python3
"""What encryption and audit cost: C-STORE into two builds of MaxRay in turn, round after round.

    git worktree add --detach /tmp/without && git -C /tmp/without apply $PWD/without-encryption.patch
    (cd /tmp/without && cargo build --release --bin maxray)
    ./cost.py MAXRAY MAXRAY_WITHOUT MRBENCH [--rounds 3] [--secs 6] [--directory /dev/shm]

The second build is the first with a copy in place of AES-256-GCM and no audit records; it must hold nothing that is worth anything. MRBENCH is
the load client (run.sh builds it). `--directory` in memory takes the disk out, so that the processor alone decides. Prints, for each row, the
medians of instances per second and of the server's processor time for each, and the ratio of the rates.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time

from servers import start_maxray, stop

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("maxray")
arguments.add_argument("without")
arguments.add_argument("mrbench")
arguments.add_argument("--rounds", type=int, default=3)
arguments.add_argument("--secs", type=int, default=6)
arguments.add_argument("--directory", help="where the data directories are made")
arguments.add_argument("--kinds", default="dx,small,tiny", help="sizes of run.sh, by commas")
arguments.add_argument("--associations", default="1,4,8", help="by commas")
options = arguments.parse_args()
HTTP, DICOM = "127.0.0.1:18580", "127.0.0.1:18581"
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """Of the process and of the children that it has waited for."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / TICKS


def store(kind, associations, seconds, first=0):
    """Instances from number `first` on: one that came before is a duplicate, of which nothing is written."""
    words = ["store", "--addr", DICOM, "--aet", "MAXRAY", "--kind", kind, "--assoc", associations, "--secs", seconds, "--start", first, "--count", 10**9]
    done = subprocess.run([options.mrbench, *map(str, words)], capture_output=True, text=True, check=True)
    row = json.loads(done.stdout.strip().splitlines()[-1])
    assert row["errors"] == 0 and row["ok"], row
    return row


def start(program, scratch):
    environment = dict(os.environ, MAXRAY_DATA_DIRECTORY=scratch + "/data", MAXRAY_HTTP__LISTEN=HTTP, MAXRAY_PACS__LISTEN=DICOM)
    return start_maxray(program, environment, scratch)


def measure(program, kind, associations):
    """Instances per second, and milliseconds of processor time for each."""
    scratch = tempfile.mkdtemp(prefix="maxray-cost-", dir=options.directory)
    server = start(program, scratch)
    try:
        first = store(kind, associations, 1)["next"]
        time.sleep(1.5)  # The previews of what warmed it up are no part of it.
        before = cpu_seconds(server.pid)
        row = store(kind, associations, options.secs, first)
        return row["ok"] / row["wall_s"], (cpu_seconds(server.pid) - before) * 1000 / row["ok"]
    finally:
        stop(server)
        shutil.rmtree(scratch)


print("| kind, associations | per second | without both | CPU ms each | without both | rate / rate without |\n|---|--:|--:|--:|--:|--:|")
for kind in options.kinds.split(","):
    for associations in options.associations.split(","):
        both = {options.maxray: [], options.without: []}
        for turn in range(options.rounds):
            for program in list(both)[:: 1 if turn % 2 else -1]:
                both[program].append(measure(program, kind, associations))
        (rate, cpu), (rate_without, cpu_without) = [map(statistics.median, zip(*rows)) for rows in both.values()]
        print(f"| {kind}, {associations} | {rate:.1f} | {rate_without:.1f} | {cpu:.2f} | {cpu_without:.2f} | {rate / rate_without:.2f} |", flush=True)
