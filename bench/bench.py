#!/usr/bin/env python3
"""Runs one target through the workload and writes JSON + a markdown table.

Stdlib only. Load comes from mrbench (see mrbench/); this file only sequences
the steps and reads the server's CPU and memory from /proc. See README.md.
"""
import argparse, json, os, resource, shlex, signal, socket, subprocess, sys, threading, time, urllib.request

HZ = os.sysconf("SC_CLK_TCK")
HERE = os.path.dirname(os.path.abspath(__file__))


def tree(roots):
    kids = {}
    for p in os.listdir("/proc"):
        if p.isdigit():
            try:
                f = open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split()
                kids.setdefault(int(f[1]), []).append(int(p))
            except OSError:
                pass
    seen, todo = set(), list(roots)
    while todo:
        p = todo.pop()
        if p not in seen and os.path.exists(f"/proc/{p}"):
            seen.add(p)
            todo += kids.get(p, [])
    return seen


def cpu(roots):
    u = s = 0
    for p in tree(roots):
        try:
            f = [int(x) for x in open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split()[11:15]]
            u += f[0] + f[2]  # user, with reaped children
            s += f[1] + f[3]
        except OSError:
            pass
    return u / HZ, s / HZ


def machine():
    f = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    return (sum(f) - f[3] - f[4]) / HZ, f[1] / HZ  # busy (not idle, not iowait), niced


def pss_mb(roots):
    t = 0
    for p in tree(roots):
        try:
            for l in open(f"/proc/{p}/smaps_rollup"):
                if l.startswith("Pss:"):
                    t += int(l.split()[1])
        except OSError:
            pass
    return round(t / 1024, 1)


class Bench:
    def __init__(self, a):
        self.a, self.rows, self.roots, self.proc, self.peak = a, [], [], None, 0.0
        self.tmp = f"{a.scratch}/urls-{a.target}"
        os.makedirs(self.tmp, exist_ok=True)
        self.http = a.url.split("//", 1)[-1].rstrip("/") if a.url else None
        self.meta = {"target": a.target, "durability": a.durability, "label": a.label, "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cpus": os.cpu_count()}

    # ------------------------------------------------------------- lifecycle
    def start(self):
        if self.a.pid:
            self.roots = [int(p) for p in self.a.pid.split(",")]
        if self.a.start_cmd:
            for hp in (self.http, self.a.dicom):  # never drive load into somebody else's server
                if hp:
                    h, port = hp.split("/")[0].split(":")
                    with socket.socket() as k:
                        if k.connect_ex((h, int(port))) == 0:
                            sys.exit(f"{hp} is already in use by another process; choose another port")
            t = time.time()
            log = open(f"{self.a.scratch}/{self.a.target}.server.log", "wb")
            self.proc = subprocess.Popen(shlex.split(self.a.start_cmd), stdout=log, stderr=log, start_new_session=True, cwd="/")
            self.autogroup(self.proc.pid)
            self.autogroup(os.getpid())
            self.roots.append(self.proc.pid)
            while not self.ready():
                if self.proc.poll() is not None:
                    sys.exit(f"server exited with {self.proc.returncode}; see {log.name}")
                if time.time() - t > 60:
                    self.stop()
                    sys.exit("server not ready after 60 s")
                time.sleep(0.01)
            self.meta["startup_ms"] = round((time.time() - t) * 1000)
        self.roots += [int(open(name).read().split()[0]) for name in self.a.pid_file]
        self.probe("disk_before")
        self.meta["idle_pss_mb"] = pss_mb(self.roots)
        threading.Thread(target=self.watch, daemon=True).start()

    def autogroup(self, pid):
        # With sched_autogroup, plain nice has no effect between sessions.
        try:
            n = os.nice(0)
            if n:
                open(f"/proc/{pid}/autogroup", "w").write(str(n))
        except OSError:
            pass

    def probe(self, key):
        r = subprocess.run([self.a.mrbench, "disk", "--dir", self.a.scratch + "/disk"], capture_output=True, text=True)
        self.meta[key] = json.loads(r.stdout) if r.returncode == 0 else r.stderr[-200:]

    def ready(self):
        try:
            self.login()
            if self.http:
                req = urllib.request.Request(f"{self.a.url}{self.a.web_root}/studies?limit=1")
                if self.a.header:
                    k, v = self.a.header.split(":", 1)
                    req.add_header(k, v.strip())
                urllib.request.urlopen(req, timeout=1)
            if self.a.dicom:
                h, p = self.a.dicom.split(":")
                socket.create_connection((h, int(p)), 1).close()
            return True
        except Exception:
            return False

    def login(self):
        """A bearer token from MaxRay, once it answers."""
        if self.a.login and not self.a.header:
            body = json.dumps({"username": self.a.login, "password": open(self.a.password_file).read()}).encode()
            req = urllib.request.Request(f"{self.a.url}/sessions", body, {"Content-Type": "application/json"})
            self.a.header = "Authorization: Bearer " + json.load(urllib.request.urlopen(req, timeout=10))["access_token"]

    def watch(self):
        while self.roots:
            self.peak = max(self.peak, pss_mb(self.roots))
            time.sleep(1)

    def stop(self):
        self.roots = []
        if self.proc:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(20)
            except subprocess.TimeoutExpired:
                self.proc.kill()

    # ----------------------------------------------------------------- steps
    def step(self, name, args, unit="rps", note=""):
        os.sync()
        m0, c0, t0, k0 = machine(), cpu(self.roots), time.time(), sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        p = subprocess.run([self.a.mrbench] + [str(x) for x in args], capture_output=True, text=True, timeout=700)
        c1, m1 = cpu(self.roots), machine()
        t1 = time.time()
        os.sync()
        lag = time.time() - t1
        try:
            r = json.loads(p.stdout.strip().splitlines()[-1])
        except Exception:
            r = {"error": (p.stdout + p.stderr)[-300:], "n": 0, "ok": 0, "errors": 1, "rps": 0, "MBps": 0, "p50_ms": 0, "p99_ms": 0}
        wall = max(t1 - t0, 0.01)
        mine = sum(c1) - sum(c0) + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - k0
        r["others_cpu_pct"] = max(0, round(100 * (m1[0] - m0[0] - mine) / wall / os.cpu_count()))  # of the whole machine: kernel threads and other people's work
        user, system = c1[0] - c0[0], c1[1] - c0[1]
        r.update(step=name, server_user_s=round(user, 2), server_sys_s=round(system, 2), sync_after_s=round(lag, 2), note=note)
        if r.get("ok"):
            n = r["items"] if r.get("op") == "stow" else r["ok"]
            r["cpu_ms_per_op"] = round((user + system) * 1000 / max(n, 1), 3)
            r["user_ms_per_op"] = round(user * 1000 / max(n, 1), 3)
        self.rows.append(r)
        print(f"{name:34s} {r.get('inst_per_s', r['rps']):10.1f}/s {r.get('MBps', 0):8.1f} MB/s in {r.get('resp_MBps', 0):8.1f} MB/s out p50 {r['p50_ms']:8.2f} p99 {r['p99_ms']:9.2f} ms  cpu/op {r.get('cpu_ms_per_op', 0):8.3f} user {r.get('user_ms_per_op', 0):8.3f} ms  sync {r['sync_after_s']:5.2f}  oth {r['others_cpu_pct']:3d}%  err {r['errors']} {r.get('codes', r.get('error', ''))}", flush=True)
        self.save()
        return r

    def settle(self):
        """Waits until the server does nothing by itself any more, five minutes at most, and notes what that took."""
        began, used = time.time(), sum(cpu(self.roots))
        while time.time() - began < 300:
            before = sum(cpu(self.roots))
            time.sleep(1)
            if sum(cpu(self.roots)) - before < 0.05:
                break
        left = {"seconds": round(time.time() - began, 1), "cpu_s": round(sum(cpu(self.roots)) - used, 2)}
        self.meta.setdefault("settled", []).append(left)
        print(f"settled after {left['seconds']} s, {left['cpu_s']} s of processor", flush=True)

    def store(self, kind, base, start, count, assoc, secs, name=None):
        r = self.step(name or f"cstore {kind} x{assoc}", ["store", "--addr", self.a.dicom, "--aet", self.a.aet, "--kind", kind, "--base", base, "--start", start, "--count", count, "--assoc", assoc, "--secs", secs])
        return r.get("next", start)

    def stow(self, kind, base, start, count, conc, secs, per=1):
        r = self.step(f"stow {kind} x{conc}" + (f" ({per}/post)" if per > 1 else ""), ["stow", "--addr", self.http, "--path", self.a.web_root + "/studies", "--kind", kind, "--base", base, "--start", start, "--count", count, "--conc", conc, "--secs", secs, "--per-post", per] + self.hdr())
        return r.get("next", start)

    def hdr(self):
        return ["--header", self.a.header] if self.a.header else []

    def urls(self, kind, base, count, template, n=2000, distinct=None, seed=1):
        f = f"{self.tmp}/{abs(hash((kind, base, count, template, distinct)))}.txt"
        cmd = [self.a.mrbench, "urls", "--kind", kind, "--base", str(base), "--count", str(count), "--n", str(n), "--seed", str(seed), "--template", template]
        with open(f, "w") as h:
            subprocess.run(cmd + (["--distinct", distinct] if distinct else []), stdout=h, check=True)
        return f

    def get(self, name, kind, base, count, template, accept, concs, secs, method="GET"):
        if count <= 0:
            return
        f = self.urls(kind, base, count, self.a.web_root + template)
        for c in concs:
            r = self.step(f"{name} x{c}", ["http", "--addr", self.http, "--urls", f, "--conc", c, "--secs", secs, "--accept", accept, "--method", method] + self.hdr())
            if not r.get("ok"):
                break  # not supported: one row is enough

    def qidos(self, label, kind, base, count, concs, secs):
        J = "application/dicom+json"
        for n, t in [("qido pid", "/studies?PatientID={pid}"), ("qido date+limit", "/studies?StudyDate={date}-{date2}&limit=50"), ("qido name*", "/studies?PatientName={name}&limit=100"),
                     ("qido accession", "/studies?AccessionNumber={acc}"), ("qido series", "/studies/{study}/series"), ("qido instances", "/studies/{study}/instances")]:
            self.get(f"{n} {label}", kind, base, count, t, J, concs, secs)

    # -------------------------------------------------------------- the plan
    def run(self):
        a, B = self.a, self.a.base
        S = 0.5 if a.profile == "quick" else 1.0
        sec = lambda s: max(2, round(s * S))
        do = lambda k: k in a.steps.split(",")
        small = dx = 0
        if do("store") and a.dicom:
            for n in (1, 4, 8):
                small = self.store("small", B, small, 6000, n, sec(8))
            for n in (1, 4, 8):
                dx = self.store("dx", B, dx, 250, n, sec(8))
        if do("stow") and self.http:
            for n, per in ((1, 1), (4, 1), (4, 4)):
                small = self.stow("small", B, small, 4000, n, sec(6), per)
            for n in (1, 4):
                dx = self.stow("dx", B, dx, 200, n, sec(6))
        self.meta["small_loaded"], self.meta["dx_loaded"] = small, dx
        if self.http:
            for kind, n in (("small", small), ("dx", dx)):
                if n:
                    self.step(f"verify {kind}", ["verify", "--addr", self.http, "--path", a.web_root, "--kind", kind, "--base", B, "--count", n, "--n", 10] + self.hdr())
        # What a server does by itself with what it was sent (previews) is counted apart: the same for all.
        self.settle()
        if do("read") and self.http:
            for kind, n in (("small", small), ("dx", dx)):
                n = min(n, 400) if kind == "small" else min(n, 40)  # stays in the page cache for every target
                I = "/studies/{study}/series/{series}/instances/{sop}"
                M = 'multipart/related; type="application/dicom"; transfer-syntax=*'
                self.get(f"wado instance {kind}", kind, B, n, I, M, (1, 4), sec(4))
                self.get(f"wado frames/1 {kind}", kind, B, n, I + "/frames/1", 'multipart/related; type="application/octet-stream"; transfer-syntax=*', (1, 4), sec(4))
                self.get(f"wado rendered {kind}", kind, B, n, I + "/rendered", "image/jpeg", (1, 4), sec(4))
                self.get(f"wado thumbnail {kind}", kind, B, n, I + "/thumbnail", "image/jpeg", (1, 4), sec(4))
            for lvl, t in (("study", "/studies/{study}/metadata"), ("instance", "/studies/{study}/series/{series}/instances/{sop}/metadata")):
                self.get(f"wado metadata {lvl}", "small", B, min(small, 400), t, "application/dicom+json", (1, 4), sec(4))
        # QIDO always runs on a corpus of fixed size: what ingest left behind depends on the server's speed.
        if do("growth") or do("qido"):
            done, left = 0, a.growth_secs  # loading time only
            for goal in [int(x) for x in a.growth.split(",")] if do("growth") else [2000]:
                if left > 5:
                    t0 = time.time()
                    if a.dicom:
                        done = self.store("tiny", B + 1, done, goal - done, 8, left, f"cstore tiny x8 to {goal}")
                    else:
                        done = self.stow("tiny", B + 1, done, goal - done, 8, left)
                    left -= int(time.time() - t0)
                self.meta.setdefault("growth_reached", []).append(done)
                lab = f"@{goal // 1000}k" if goal >= 1000 else f"@{goal}"
                self.settle()
                if done < goal:
                    lab += f" (reached {done})"
                if self.http:
                    self.qidos(lab, "tiny", B + 1, done, (1, 8), sec(3))
                if a.dicom and do("find"):
                    for by in ("pid", "date", "name"):
                        self.step(f"cfind {by} {lab} x1", ["find", "--addr", a.dicom, "--aet", a.aet, "--kind", "tiny", "--base", B + 1, "--count", done, "--by", by, "--assoc", 1, "--secs", sec(3)])
                self.meta.setdefault("store_bytes", {})[str(done)] = self.du()
                if done < goal:
                    break
        if do("delete") and self.http and a.delete != "none" and small:
            self.delete("small", B, min(small, 800))
        self.meta["peak_pss_mb"], self.meta["end_pss_mb"] = self.peak, pss_mb(self.roots)
        self.probe("disk_after")

    def delete(self, kind, base, count):
        if a_del := {"dicomweb": self.a.web_root + "/studies/{study}"}.get(self.a.delete):
            f = self.urls(kind, base, count, a_del, n=200, distinct="study")
        else:  # Orthanc has no DICOMweb DELETE: resolve its own identifiers first, outside the timing
            src = self.urls(kind, base, count, "{study}", n=200, distinct="study")
            f = src + ".ids"
            with open(f, "w") as h:
                for u in open(src).read().split():
                    for x in json.load(urllib.request.urlopen(urllib.request.Request(self.a.url + "/tools/lookup", data=u.encode()))):
                        if x["Type"] == "Study":
                            h.write(x["Path"] + "\n")
        self.step("delete study (4 small) x1", ["http", "--addr", self.http, "--urls", f, "--conc", 1, "--secs", 8, "--method", "DELETE", "--once"] + self.hdr())

    def du(self):
        if not self.a.store_dir:
            return None
        return sum(int(subprocess.run(["du", "-s", "-B1", d], capture_output=True, text=True).stdout.split()[0]) for d in self.a.store_dir.split(",") if os.path.exists(d))

    def save(self):
        os.makedirs(self.a.out, exist_ok=True)
        p = f"{self.a.out}/{self.a.target}"
        json.dump({"meta": self.meta, "rows": self.rows}, open(p + ".json", "w"), indent=1)
        with open(p + ".md", "w") as h:
            h.write(f"## {self.a.target}\n\n" + ", ".join(f"{k}={v}" for k, v in self.meta.items()) + "\n\n")
            h.write("| step | ops/s | MB/s in | MB/s out | p50 ms | p99 ms | server CPU ms/op | of it user | client CPU s | sync after s | others' CPU % | errors |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
            for r in self.rows:
                h.write(f"| {r['step']} | {r.get('inst_per_s', r['rps']):.1f} | {r.get('MBps', 0):.1f} | {r.get('resp_MBps', 0):.1f} | {r['p50_ms']:.2f} | {r['p99_ms']:.2f} | {r.get('cpu_ms_per_op', '')} | {r.get('user_ms_per_op', '')} | {r.get('client_cpu_s', '')} | {r['sync_after_s']} | {r['others_cpu_pct']} | {r['errors']} |\n")


p = argparse.ArgumentParser()
p.add_argument("--target", required=True)
p.add_argument("--label", default="")
p.add_argument("--url", default="", help="http://127.0.0.1:PORT, empty for a DIMSE-only peer")
p.add_argument("--web-root", default="/dicom-web")
p.add_argument("--dicom", default="", help="127.0.0.1:PORT, empty to skip DIMSE")
p.add_argument("--aet", default="ANY-SCP")
p.add_argument("--header", default="", help="e.g. 'Authorization: Bearer ...'")
p.add_argument("--login", default="", help="user of MaxRay's POST /sessions, instead of --header")
p.add_argument("--password-file", default="")
p.add_argument("--start-cmd", default="", help="server command; timed until ready, stopped at the end")
p.add_argument("--pid", default="", help="already running server: root pids, comma separated")
p.add_argument("--pid-file", action="append", default=[], help="another root process, e.g. postmaster.pid; can be given several times")
p.add_argument("--store-dir", default="")
p.add_argument("--delete", default="dicomweb", choices=["dicomweb", "orthanc", "none"])
p.add_argument("--durability", default="", help="free text: what is on disk when the server acknowledges")
p.add_argument("--profile", default="full", choices=["full", "quick"])
p.add_argument("--steps", default="store,stow,find,read,growth,delete")
p.add_argument("--growth", default="1000,10000,100000")
p.add_argument("--growth-secs", type=int, default=300)
p.add_argument("--base", type=int, default=100)
p.add_argument("--out", default="/tmp/mrbench-results")
p.add_argument("--scratch", default="/tmp/mrbench-scratch")
p.add_argument("--mrbench", default=os.environ.get("MRBENCH", "/tmp/mrbench-target/release/mrbench"))
a = p.parse_args()
os.makedirs(a.scratch, exist_ok=True)
b = Bench(a)
b.start()
try:
    b.run()
finally:
    b.meta.setdefault("peak_pss_mb", b.peak)
    b.stop()
    b.save()
print(f"{a.out}/{a.target}.json {a.out}/{a.target}.md")
