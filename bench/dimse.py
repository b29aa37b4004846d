#!/usr/bin/env python3
"""The DICOM door beside DCMTK: how soon the first answer of C-FIND comes, and how fast C-MOVE and C-GET send.

    ./dimse.py MAXRAY MRBENCH [--studies 100000] [--rounds 3]

MAXRAY is a release build, MRBENCH the load client (run.sh builds it). Everything is on SQLite and a directory below BENCH_SCRATCH.

C-FIND: a full archive of small studies; the time from the last byte of the request to the first of the answer, median and 99th
percentile, for each key and without any. C-MOVE and C-GET: the same files go from DCMTK's storescu into DCMTK's storescp, from MaxRay by
C-MOVE into that storescp, and by C-GET into getscu, which writes them as well; all three in turn in every round, each as a whole program.
Rates of one round are compared with each other alone; the median of the ratios counts.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import time

from servers import start_maxray, stop

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("maxray")
arguments.add_argument("mrbench")
arguments.add_argument("--studies", type=int, default=100_000, help="0: no C-FIND")
arguments.add_argument("--queries", type=int, default=200, help="of each kind")
arguments.add_argument("--small", type=int, default=300, help="CR of 0.5 MB each; 0: none")
arguments.add_argument("--large", type=int, default=20, help="DX of 15 MB each; 0: none")
arguments.add_argument("--rounds", type=int, default=3)
options = arguments.parse_args()
scratch = pathlib.Path(tempfile.mkdtemp(prefix="maxray-dimse-", dir=os.environ.get("BENCH_SCRATCH")))
HTTP, DICOM, STORESCP = 18490, 18491, 18492
# DCMTK leaves Nagle's algorithm on otherwise: 40 ms for every instance.
environment = dict(
    os.environ,
    TCP_NODELAY="1",
    MAXRAY_DATA_DIRECTORY=str(scratch / "data"),
    MAXRAY_HTTP__LISTEN=f"127.0.0.1:{HTTP}",
    MAXRAY_PACS__LISTEN=f"127.0.0.1:{DICOM}",
    # What is measured is the DICOM door: previews are made beside it, and take from it what two cores have.
    MAXRAY_WORKER__PREVIEWS="false",
)


def run(*words):
    done = subprocess.run([str(word) for word in words], env=environment, cwd=scratch, capture_output=True, text=True)
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


# ---------------------------------------------------------------- C-FIND


def element(group, number, value):
    value = value.encode() + b" " * (len(value) % 2)
    return struct.pack("<HHI", group, number, len(value)) + value


def item(kind, content):
    return struct.pack(">BBH", kind, 0, len(content)) + content


def pdu(kind, body):
    return struct.pack(">BBI", kind, 0, len(body)) + body


def p_data(control, content):
    return pdu(4, struct.pack(">IBB", len(content) + 2, 1, control) + content)


class Finder:
    """Study Root C-FIND (PS3.4 C.4.1) in Implicit VR, byte by byte, so that nothing but the server is timed."""

    CLASS = b"1.2.840.10008.5.1.4.1.2.2.1"

    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", DICOM))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = bytes([1, 0, 0, 0]) + item(0x30, self.CLASS) + item(0x40, b"1.2.840.10008.1.2")
        user = item(0x51, struct.pack(">I", 131072)) + item(0x52, b"2.25.1")
        body = bytes([0, 1, 0, 0]) + b"MAXRAY".ljust(16) + b"BENCH".ljust(16) + bytes(32)
        body += item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x20, context) + item(0x50, user)
        self.socket.sendall(pdu(1, body))
        assert self.read_pdu()[0] == 2, "no association"

    def read(self, length):
        parts = b""
        while len(parts) < length:
            part = self.socket.recv(length - len(parts))
            assert part, "the server closed the connection"
            parts += part
        return parts

    def read_pdu(self):
        kind, _, length = struct.unpack(">BBI", self.read(6))
        return kind, self.read(length)

    def ask(self, keys):
        """Seconds until the first byte of the first response, and the number of answers."""
        wanted = {(8, 0x52): "STUDY", (8, 0x20): "", (8, 0x50): "", (0x10, 0x10): "", (0x10, 0x20): "", (0x20, 0xD): "", **keys}
        identifier = b"".join(element(*tag, value) for tag, value in sorted(wanted.items()))
        class_uid = self.CLASS + b"\0"
        command = struct.pack("<HHI", 0, 2, len(class_uid)) + class_uid
        for number, value in [(0x100, 0x20), (0x110, 1), (0x700, 0), (0x800, 1)]:
            command += struct.pack("<HHIH", 0, number, 2, value)
        command = struct.pack("<HHII", 0, 0, 4, len(command)) + command
        request = p_data(3, command) + p_data(2, identifier)
        began = time.perf_counter()
        self.socket.sendall(request)
        self.socket.recv(1, socket.MSG_PEEK)
        first, answers, commands = time.perf_counter() - began, 0, b""
        while True:
            kind, body = self.read_pdu()
            assert kind == 4, f"PDU {kind}"
            while body:
                length = struct.unpack(">I", body[:4])[0]
                control, content, body = body[5], body[6 : 4 + length], body[4 + length :]
                commands += content if control & 1 else b""
                if control == 3:
                    status = struct.unpack("<H", commands[commands.index(b"\0\0\0\x09") + 8 :][:2])[0]
                    commands = b""
                    if status not in (0xFF00, 0xFF01):
                        assert status == 0, f"status {status:#06x}"
                        return first, answers
                    answers += 1


def sample(template):
    """Values of random studies that were stored."""
    words = ["urls", "--kind", "tiny", "--per-series", 1, "--series-per-study", 1, "--start", 0, "--count", options.studies]
    return run(options.mrbench, *words, "--n", options.queries, "--template", template).split()


def measure_find():
    words = ["store", "--addr", f"127.0.0.1:{DICOM}", "--aet", "MAXRAY", "--kind", "tiny", "--per-series", 1, "--series-per-study", 1]
    stored = run(options.mrbench, *words, "--count", options.studies, "--assoc", 8, "--secs", 36000)
    print(f"stored {options.studies} studies:", stored.strip().splitlines()[-1])
    finder = Finder()
    kinds = [
        ("PatientID", [{(0x10, 0x20): one} for one in sample("{pid}")]),
        ("AccessionNumber", [{(8, 0x50): one} for one in sample("{acc}")]),
        ("StudyDate, three days", [{(8, 0x20): one} for one in sample("{date}-{date2}")]),
        ("StudyDate, five years", [{(8, 0x20): "20210101-20251231"}] * 5),
        ("PatientName, prefix", [{(0x10, 0x10): one} for one in (one.replace("%5E", "^") for one in sample("{name}"))]),
        ("StudyInstanceUID", [{(0x20, 0xD): one} for one in sample("{study}")]),
        ("no key", [{}] * 5),
    ]
    print("\n| key of C-FIND | answers | first after, p50 ms | p99 ms |\n|---|--:|--:|--:|")
    for name, queries in kinds:
        finder.ask(queries[0])
        told = [finder.ask(keys) for keys in queries]
        times = sorted(first * 1000 for first, _ in told)
        answers = statistics.median(count for _, count in told)
        assert answers > 0, f"{name} finds nothing"
        print(f"| {name} | {answers:.0f} | {statistics.median(times):.1f} | {times[min(len(times) - 1, len(times) * 99 // 100)]:.1f} |", flush=True)


# ---------------------------------------------------------------- C-MOVE and C-GET


def timed(words, into, count):
    """Seconds of a whole program, which has to bring so many files."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    began = time.perf_counter()
    run(*words)
    took = time.perf_counter() - began
    arrived = sum(1 for _ in into.iterdir())
    assert arrived == count, f"{words[0]}: {arrived} of {count}"
    return took


def measure_sending(kind, count):
    files, received, got = scratch / kind, scratch / "received", scratch / "got"
    words = ["gen", "--kind", kind, "--base", 7, "--per-series", count, "--series-per-study", 1, "--studies-per-patient", 1]
    run(options.mrbench, *words, "--count", count, "--out", files)
    size = sum(one.stat().st_size for one in files.iterdir())
    study = run(options.mrbench, "urls", *words[1:], "--start", 0, "--count", 1, "--n", 1, "--template", "{study}").strip()
    run("storescu", "-aec", "MAXRAY", "+sd", "127.0.0.1", DICOM, files)
    received.mkdir(exist_ok=True)
    receiver = subprocess.Popen(["storescp", "+B", "+uf", "-q", "-pdu", "131072", "-od", received, str(STORESCP)], env=environment)
    keys = ["-S", "-k", "0008,0052=STUDY", "-k", f"0020,000d={study}"]
    peer = ["-aet", "BENCH", "-aec", "MAXRAY", "127.0.0.1", DICOM]
    rates = {
        "storescu": (["storescu", "+sd", "127.0.0.1", STORESCP, files], received),
        "C-MOVE": (["movescu", "-aem", "STORESCP", *keys, *peer], received),
        "C-GET": (["getscu", "+B", "-pdu", "131072", "-od", got, *keys, *peer], got),
    }
    ratios = {name: [] for name in rates}
    try:
        time.sleep(0.5)
        for number in range(options.rounds + 1):
            seconds = {name: timed(words, into, count) for name, (words, into) in rates.items()}
            if number == 0:
                continue  # the first one fills caches
            line = ", ".join(f"{name} {size / 1e6 / took:.0f} MB/s" for name, took in seconds.items())
            print(f"{kind}, round {number}: {line}", flush=True)
            for name, took in seconds.items():
                ratios[name].append(seconds["storescu"] / took)
    finally:
        receiver.send_signal(signal.SIGTERM)
        receiver.wait()
    for name in ("C-MOVE", "C-GET"):
        print(f"{kind}: {name} / storescu {statistics.median(ratios[name]):.2f}", flush=True)
    for folder in (files, received, got):
        shutil.rmtree(folder, ignore_errors=True)


def main():
    server = start_maxray(options.maxray, environment, str(scratch))
    try:
        may = [word for operation in ("echo", "store", "find", "get", "move") for word in ("--operation", operation)]
        run(options.maxray, "ae", "add", "BENCH", "127.0.0.1", *may)
        run(options.maxray, "ae", "add", "STORESCP", "127.0.0.1", "--call-host", "127.0.0.1", "--call-port", STORESCP)
        for kind, count in (("small", options.small), ("dx", options.large)):
            if count:
                measure_sending(kind, count)
        if options.studies:
            measure_find()
        print(json.dumps({"cpus": os.cpu_count(), "load": os.getloadavg()}))
    finally:
        stop(server)
        shutil.rmtree(scratch)


main()
