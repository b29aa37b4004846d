#!/usr/bin/env python3
"""How long searches take in a large archive on PostgreSQL, beside the same searches in a small one.

    ./large.py MAXRAY MRBENCH [--instances 10000000] [--small 10000] [--directory DIR]

MAXRAY is a release build, MRBENCH the load client (run.sh builds it). The small archive is stored by C-STORE. The rest is copied into the
tables: the same kind of rows as C-STORE makes, without objects and with empty headers, so that only searches can be tried on them. Needs
Debian's postgresql, and some 1.2 kB of disk for each instance below DIR (default: the temporary folder). Prints a table of medians, plans that
read a whole table, and how large the tables are.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

from servers import Postgres, add_account, settings, sign_in, start_maxray, stop

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("maxray")
arguments.add_argument("mrbench")
arguments.add_argument("--instances", type=int, default=10_000_000)
arguments.add_argument("--small", type=int, default=10_000)
arguments.add_argument("--secs", type=int, default=5, help="seconds for each kind of search")
arguments.add_argument("--directory", help="where the tables are kept meanwhile")
options = arguments.parse_args()
HTTP, DICOM, POSTGRES = 18780, 18781, 18782
BASE, PER_SERIES, SERIES_PER_STUDY, STUDIES_PER_PATIENT = 7, 2, 2, 2
MASK = (1 << 64) - 1
scratch = tempfile.mkdtemp(prefix="maxray-large-", dir=options.directory)
os.chmod(scratch, 0o755)
environment = settings(scratch, HTTP, DICOM)
POSTGRES_SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "4GB", "maintenance_work_mem": "256MB", "random_page_cost": "1.1"}


postgres = Postgres(scratch, POSTGRES, POSTGRES_SETTINGS)
environment["MAXRAY_DATABASE__URL"] = postgres.url()


def load(*words):
    done = subprocess.run([options.mrbench, *map(str, words)], capture_output=True, text=True, check=True)
    return done.stdout


# ---------------------------------------------------------------- the rows of the load client, as workload.rs makes them


def mix(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def strings(name):
    source = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "mrbench/src/workload.rs")).read()
    return re.findall(r'"([^"]+)"', re.search(rf"const {name}: \[.*?\] = \[(.*?)\];", source, re.S)[1])


def day(number):
    return time.strftime("%Y%m%d", time.gmtime(946684800 + 86400 * number))


DAYS = [day(number) for number in range(7671 + 1826)]


def uid(level, number):
    return f"2.25.13{BASE:06}{level}{number:010}"


def key(kind, number):
    """Grows with the number, as version 7 of RFC 9562 does with the time."""
    return f"{number + (1 << 40):012x}7{kind:03x}8{mix(number * 16 + kind) >> 4:015x}"


class Table:
    """Rows like one that is there, but for some columns."""

    def __init__(self, name):
        self.name = name
        described = postgres.sql(f"SELECT attname FROM pg_attribute WHERE attrelid = '{name}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum")
        self.columns = described.split("\n")
        template = subprocess.run([*postgres.psql(), "-c", f"COPY (SELECT * FROM {name} LIMIT 1) TO STDOUT"], capture_output=True, text=True).stdout
        self.template = template.rstrip("\n").split("\t")
        assert len(self.template) == len(self.columns), (name, template)

    def fill(self, names, rows):
        """COPY, of columns in this order, from tuples."""
        at = [self.columns.index(name) for name in names]
        copy = subprocess.Popen([*postgres.psql(), "-c", "SET session_replication_role = replica", "-c", f"COPY {self.name} FROM STDIN"], stdin=subprocess.PIPE, text=True)
        row = list(self.template)
        for values in rows:
            for index, value in zip(at, values):
                row[index] = value
            copy.stdin.write("\t".join(row) + "\n")
        copy.stdin.close()
        assert copy.wait() == 0, self.name


def fill(first, end):
    """Instances first..end, whole patients."""
    surnames, givens = strings("SURNAMES"), strings("GIVEN")
    phonetic = dict(line.split("|") for line in postgres.sql("SELECT DISTINCT word, phonetic FROM patient_name_word").split("\n"))
    per_study = PER_SERIES * SERIES_PER_STUDY
    per_patient = per_study * STUDIES_PER_PATIENT
    assert first % per_patient == 0 and end % per_patient == 0, "whole patients"
    patients = range(first // per_patient, end // per_patient)

    def people():
        for number in patients:
            h = mix(number ^ 0xABCDEF)
            birth = f"{1930 + (h >> 40) % 85}{DAYS[(h >> 20) % 7000][4:]}"
            name = f"{surnames[h % 64]}^{givens[(h >> 8) % 48]}"
            yield number, f"P3{BASE:06}{number:08}", name, birth, "M" if h & 1 else "F"

    def folded(name):
        """As model::text::fold_person_name."""
        return name.lower().replace("^", " ")

    Table("patient").fill(
        ["id", "patient_id", "patient_id_folded", "patient_name", "patient_name_folded", "patient_birth_date", "patient_sex"],
        ((key(1, n), pid, pid.lower(), name, folded(name), birth, sex) for n, pid, name, birth, sex in people()),
    )
    Table("patient_demographics").fill(
        ["patient", "patient_id", "patient_name_folded", "patient_birth_date", "patient_sex"],
        ((key(1, n), pid, folded(name), birth, sex) for n, pid, name, birth, sex in people()),
    )
    Table("patient_name_word").fill(
        ["patient", "word", "phonetic"],
        ((key(1, n), word, phonetic.get(word, "")) for n, _, name, _, _ in people() for word in sorted(set(folded(name).split()))),
    )

    def studies():
        for n in range(first // per_study, end // per_study):
            accession = f"A{BASE:04}{n:010}"
            yield key(2, n), key(1, n // STUDIES_PER_PATIENT), uid(1, n), DAYS[7671 + mix(BASE << 32 ^ n) % 1826], accession, accession.lower()

    Table("study").fill(["id", "patient", "study_instance_uid", "study_date", "accession_number", "accession_number_folded"], studies())
    Table("series").fill(
        ["id", "study", "series_instance_uid", "series_number"],
        ((key(3, n), key(2, n // SERIES_PER_STUDY), uid(2, n), str(n % SERIES_PER_STUDY + 1)) for n in range(first // PER_SERIES, end // PER_SERIES)),
    )
    Table("instance").fill(
        ["id", "series", "sop_instance_uid", "instance_number", "object_key", "data_set_sha256"],
        ((key(4, n), key(3, n // PER_SERIES), uid(3, n), str(n % PER_SERIES + 1), key(5, n), f"\\\\x{mix(n):016x}" + 48 * "0") for n in range(first, end)),
    )
    Table("instance_header").fill(["instance", "dicom_json", "layout"], ((key(4, n), "\\\\x", "\\\\x") for n in range(first, end)))


# ---------------------------------------------------------------- what is measured

QIDO = {
    "QIDO-RS PatientID": "/studies?PatientID={pid}",
    "QIDO-RS AccessionNumber": "/studies?AccessionNumber={acc}",
    "QIDO-RS StudyInstanceUID": "/studies?StudyInstanceUID={study}",
    "QIDO-RS three days, the first 50": "/studies?StudyDate={date}-{date2}&limit=50",
    "QIDO-RS name prefix, the first 50": "/studies?PatientName={name}&limit=50",
    "QIDO-RS within a name, the first 50": "/studies?PatientName=*{name}&limit=50",
    "QIDO-RS within a name, nobody has it": "/studies?PatientName=*smyth*&limit=50",
    "QIDO-RS the newest 50": "/studies?limit=50",
    "QIDO-RS series of a study": "/studies/{study}/series",
    "QIDO-RS instances of a study": "/studies/{study}/instances",
}


def measure(count):
    common = ["--kind", "tiny", "--base", BASE, "--count", count]
    found = {}
    add_account(options.maxray, environment, scratch)
    token = sign_in(HTTP)
    for name, template in QIDO.items():
        draws = load("urls", *common, "--start", 0, "--n", 5000, "--seed", 1, "--template", "/dicomweb" + template)
        with open(scratch + "/urls", "w") as file:
            file.write(draws)
        words = ["http", "--addr", f"127.0.0.1:{HTTP}", "--urls", scratch + "/urls", "--conc", 1, "--accept", "application/dicom+json", "--method", "GET"]
        row = json.loads(load(*words, "--secs", options.secs, "--header", f"Authorization: Bearer {token}").strip().splitlines()[-1])
        assert row["errors"] == 0 and row["ok"], (name, row)
        found[name] = row
    row = json.loads(load("find", "--addr", f"127.0.0.1:{DICOM}", "--aet", "MAXRAY", *common, "--by", "pid", "--assoc", 1, "--secs", options.secs).strip().splitlines()[-1])
    assert row["errors"] == 0 and row["ok"], row
    found["C-FIND PatientID"] = row
    return found


def main():
    server = start_maxray(options.maxray, environment, scratch)
    try:
        may = [word for operation in ("store", "find") for word in ("--operation", operation)]
        subprocess.run([options.maxray, "ae", "add", "MRBENCH", "127.0.0.1", *may], env=environment, cwd=scratch, check=True, capture_output=True)
        stored = load("store", "--addr", f"127.0.0.1:{DICOM}", "--aet", "MAXRAY", "--kind", "tiny", "--base", BASE, "--start", 0, "--count", options.small, "--assoc", 4, "--secs", 600)
        assert json.loads(stored.strip().splitlines()[-1])["ok"] == options.small, stored
        postgres.sql("VACUUM ANALYZE")
        small = measure(options.small)
        began = time.time()
        fill(options.small, options.instances)
        print(f"{options.instances - options.small:,} rows of instances copied in {time.time() - began:.0f} s", flush=True)
        postgres.sql("VACUUM ANALYZE")
        large = measure(options.instances)
        print(f"\n| search | p50 ms at {options.small:,} | p50 ms at {options.instances:,} | ratio | p99 ms | p99 ms |\n|---|--:|--:|--:|--:|--:|")
        for name, before in small.items():
            after = large[name]
            print(f"| {name} | {before['p50_ms']:.2f} | {after['p50_ms']:.2f} | {after['p50_ms'] / before['p50_ms']:.2f} | {before['p99_ms']:.2f} | {after['p99_ms']:.2f} |")
        sizes = postgres.sql("SELECT relname, pg_size_pretty(pg_table_size(oid)), pg_size_pretty(pg_indexes_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY pg_total_relation_size(oid) DESC LIMIT 8")
        print("\n| table | rows | indexes |\n|---|--:|--:|")
        print("\n".join("| " + line.replace("|", " | ") + " |" for line in sizes.split("\n")))
    finally:
        stop(server)
        postgres.stop()
        shutil.rmtree(scratch, ignore_errors=True)


main()
