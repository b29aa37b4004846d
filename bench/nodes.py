#!/usr/bin/env python3
"""How the rate grows from one node to three over one PostgreSQL, and what each part of them takes of the processor.

    ./nodes.py MAXRAY MRBENCH [--nodes 1,2,3] [--secs 5]

MAXRAY is a release build, MRBENCH the load client (run.sh builds it). Eight associations, or eight clients, are shared out to the nodes. Their objects
lie in one directory that all of them see, for a bucket beside them would be measured too; no previews. Nodes, PostgreSQL and clients share this
machine: what can be compared is processor time for each operation, and whose it is. Needs root and Debian's postgresql.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile

from servers import Postgres, add_account, family, processor_seconds, sign_in, start_maxray, stop

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("maxray")
arguments.add_argument("mrbench")
arguments.add_argument("--nodes", default="1,2,3")
arguments.add_argument("--secs", type=int, default=5)
options = arguments.parse_args()
CLIENTS = 8
LOADED = 400


def environment(scratch, postgres, number):
    os.makedirs(f"{scratch}/node{number}", exist_ok=True)
    return dict(
        os.environ,
        MAXRAY_DATABASE__URL=postgres.url(),
        MAXRAY_DATA_DIRECTORY=f"{scratch}/node{number}/data",
        MAXRAY_OBJECT_STORAGE__DIRECTORY=f"{scratch}/objects",
        MAXRAY_KEYS__ROOT_FILE=f"{scratch}/root.key",
        MAXRAY_IDENTITY__DOCTOR_SECRET="A" * 43 + "=",  # all nodes must agree; nothing is signed
        MAXRAY_IDENTITY__TOKEN_SECRET="B" * 42 + "A=",
        MAXRAY_WORKER__PREVIEWS="false",
        MAXRAY_HTTP__LISTEN=f"127.0.0.1:{18700 + number}",
        MAXRAY_PACS__LISTEN=f"127.0.0.1:{18750 + number}",
    )


def together(commands):
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    return [json.loads(one.communicate()[0].splitlines()[-1]) for one in running]


def taken(nodes, postgres):
    return processor_seconds([node.pid for node in nodes]), processor_seconds(family(postgres.server.pid))


def measure(name, commands, nodes, postgres):
    before = taken(nodes, postgres)
    said = together(commands)
    after = taken(nodes, postgres)
    done = sum(one["ok"] for one in said)
    errors = sum(one["errors"] for one in said)
    rate = sum(one["rps"] for one in said)
    of_nodes, of_database = (round(1000 * (late - early) / max(done, 1), 2) for early, late in zip(before, after))
    p99 = max(one["p99_ms"] for one in said)
    print(f"| {len(nodes)} | {name} | {rate:.0f} | {p99:.1f} | {of_nodes} | {of_database} | {errors} |", flush=True)


def store(number, kind, base, clients):
    words = ["store", "--addr", f"127.0.0.1:{18750 + number}", "--aet", "MAXRAY", "--kind", kind, "--base", str(base), "--start", "0"]
    return [options.mrbench, *words, "--count", "1000000", "--assoc", str(clients), "--secs", str(options.secs)]


def search(scratch, number, token, clients):
    words = ["http", "--addr", f"127.0.0.1:{18700 + number}", "--urls", f"{scratch}/urls", "--conc", str(clients), "--secs", str(options.secs)]
    return [options.mrbench, *words, "--accept", "application/dicom+json", "--method", "GET", "--header", f"Authorization: Bearer {token}"]


def run(count):
    scratch = tempfile.mkdtemp(prefix="maxray-nodes-")
    os.chmod(scratch, 0o755)
    os.mkdir(f"{scratch}/objects")
    postgres = Postgres(scratch, 18790, {"shared_buffers": "1GB", "max_wal_size": "4GB"})
    first = environment(scratch, postgres, 0)
    add_account(options.maxray, first, scratch)
    words = [options.maxray, "ae", "add", "MRBENCH", "127.0.0.1", "--operation", "store"]
    subprocess.run(words, env=first, cwd=scratch, capture_output=True, check=True)
    nodes = [start_maxray(options.maxray, environment(scratch, postgres, number), f"{scratch}/node{number}") for number in range(count)]
    shares = [(number, CLIENTS // count + (number < CLIENTS % count)) for number in range(count)]
    loaded = [options.mrbench, "store", "--addr", "127.0.0.1:18750", "--aet", "MAXRAY", "--kind", "tiny", "--base", "1", "--start", "0", "--count", str(LOADED), "--assoc", "4", "--secs", "60"]
    subprocess.run(loaded, check=True, capture_output=True)
    for base, kind in ((10, "small"), (20, "tiny")):
        measure(f"C-STORE {kind}", [store(number, kind, base + number, clients) for number, clients in shares], nodes, postgres)
    template = "/dicomweb/studies?AccessionNumber={acc}"
    drawn = [options.mrbench, "urls", "--kind", "tiny", "--base", "1", "--count", str(LOADED), "--n", "2000", "--seed", "1", "--template", template]
    open(f"{scratch}/urls", "w").write(subprocess.run(drawn, capture_output=True, text=True, check=True).stdout)
    token = sign_in(18700)
    measure("QIDO-RS AccessionNumber", [search(scratch, number, token, clients) for number, clients in shares], nodes, postgres)
    for node in nodes:
        stop(node)
    postgres.stop()
    shutil.rmtree(scratch)


def main():
    print("| nodes | step | a second | p99 ms | CPU ms of the nodes | CPU ms of PostgreSQL | errors |\n|--:|---|--:|--:|--:|--:|--:|")
    for count in options.nodes.split(","):
        run(int(count))


main()
