#!/usr/bin/python3
"""bench.py: apusd side by side with other speakers.

  bench.py full     every scenario with every daemon that is installed, three runs; writes bench-results/full.jsonl and the tables of docs/performance.md
  bench.py quick    the main ratios in under three minutes, on the terminal
  bench.py growth   cost by the number of clients
  bench.py keepalive  how late a keepalive leaves while all that goes on
  bench.py report   docs/performance.md and the plots again, from the results that are there

Options: --only S1,S5   --daemons apusd,bird   --runs N
Needs root (network namespaces), APUS_BIN (the folder with apusd and apus-load), and for plots python3-matplotlib. Ends only processes that it started.
"""
import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import report
from daemons import DAEMONS, DUT, client
from scenarios import GROWTH, KEEPALIVE, QUICK, SCENARIOS

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RESULTS = os.path.join(ROOT, "bench-results")


class Lab:
    """Two namespaces, joined by a veth pair: the speaker under test, and the generator with its addresses."""

    def __init__(self, clients):
        self.dut, self.generator = "bench%d-dut" % os.getpid(), "bench%d-gen" % os.getpid()
        self.close()
        run = lambda *words: subprocess.run(words, check=True)
        for name in (self.dut, self.generator):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", self.dut, "link", "add", "v0", "type", "veth", "peer", "name", "v1", "netns", self.generator)
        run("ip", "-n", self.dut, "addr", "add", DUT + "/15", "dev", "v0")
        addresses = "".join("addr add %s/15 dev v1\n" % client(index) for index in range(clients))
        subprocess.run(["ip", "-n", self.generator, "-batch", "-"], input=addresses, text=True, check=True)
        run("ip", "-n", self.dut, "link", "set", "v0", "up")
        run("ip", "-n", self.generator, "link", "set", "v1", "up")

    def close(self):
        for name in (self.dut, self.generator):
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)


def children(process):
    """A process and all below it."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = open("/proc/%s/stat" % name).read()
            parents.setdefault(int(text[text.rindex(")") + 2:].split()[1]), []).append(int(name))
        except OSError:
            continue
    found, todo = [], [process]
    while todo:
        found.append(todo.pop())
        todo += parents.get(found[-1], [])
    return found


def command_name(process):
    try:
        return open("/proc/%d/comm" % process).read().strip()
    except OSError:
        return ""


def listens(lab):
    out = subprocess.run(["ip", "netns", "exec", lab.dut, "ss", "-Htln", "sport", "=", ":179"], stdout=subprocess.PIPE, text=True).stdout
    return bool(out.strip())


def one(lab, scenario, daemon):
    """One run of one scenario with one daemon: the generator's report, and what went wrong."""
    run = tempfile.mkdtemp(prefix="apus-bench.")
    os.chmod(run, 0o755)
    log = open(run + "/log", "w")
    command = ["ip", "netns", "exec", lab.dut] + daemon.command(run, scenario.clients, scenario.fib)
    process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.time() + 60
        while not listens(lab):
            if process.poll() is not None or time.time() > deadline:
                return {"ok": False, "problems": ["%s does not listen: %s" % (daemon.name, open(run + "/log").read()[-300:])], "phases": []}
            time.sleep(0.1)
        time.sleep(1)
        running = [p for p in children(process.pid) if command_name(p) not in ("bash", "sleep", "ip")]
        load = ["ip", "netns", "exec", lab.generator, os.path.join(os.environ["APUS_BIN"], "apus-load"), "--quiet", "--target", DUT, "--source", client(0), "--speakers",
                str(scenario.clients), "--timeout", str(scenario.timeout), "--pid", ",".join(map(str, running))] + scenario.arguments
        if scenario.fib:
            load += ["--fib-pid", str(running[0])]
        if daemon.name == "floor":
            load += ["--expect", "transparent"]
        if daemon.name == "frr":
            # It holds its first announcements back for a while after sessions come up, longer with more of them.
            load += ["--settle", "12" if scenario.clients > 50 else "4"]
        done = subprocess.run(load, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if not done.stdout.startswith("{"):
            return {"ok": False, "problems": [done.stderr[-300:]], "phases": []}
        result = json.loads(done.stdout)
        if daemon.name == "apusd":
            result["status"] = daemon.status(run)
        return result
    finally:
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            for p in reversed(children(process.pid)):
                try:
                    os.kill(p, signal_number)
                except OSError:
                    continue
            try:
                process.wait(10)
                break
            except subprocess.TimeoutExpired:
                continue
        log.close()
        shutil.rmtree(run, ignore_errors=True)


def measure(scenarios, daemons, runs, path):
    """A line of JSON per run. Daemons take turns, so that what else the machine does meets all of them. What is measured again replaces what was there."""
    kept = [r for r in (report.read(path) if os.path.exists(path) else [])
            if r["daemon"] not in daemons or r["scenario"] not in [scenario.name for scenario in scenarios]]
    lab = Lab(max(scenario.clients for scenario in scenarios))
    try:
        with open(path, "w") as out:
            out.writelines(json.dumps(result) + "\n" for result in kept)
            for scenario in scenarios:
                failed = set()
                for _ in range(runs):
                    for name in scenario.daemons:
                        daemon = DAEMONS[name]
                        if name not in daemons or name in scenario.skipped or name in failed or not daemon.find():
                            continue
                        result = one(lab, scenario, daemon)
                        if not result["ok"]:
                            failed.add(name)
                        result.update(scenario=scenario.name, daemon=name, daemonVersion=daemon.version(), machine=machine())
                        out.write(json.dumps(result) + "\n")
                        out.flush()
                        print(report.line(result), flush=True)
    finally:
        lab.close()


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return "%d cores (%s), Linux %s, %s" % (os.cpu_count(), model, platform.release().split("-")[0], time.strftime("%Y-%m-%d"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["full", "quick", "growth", "keepalive", "report"])
    parser.add_argument("--only", default="")
    parser.add_argument("--daemons", default=",".join(DAEMONS))
    parser.add_argument("--runs", type=int)
    options = parser.parse_args()
    os.makedirs(RESULTS, exist_ok=True)
    if options.what == "report":
        report.write(ROOT, RESULTS)
        return 0
    if os.geteuid() != 0:
        sys.exit("bench.py makes network namespaces and needs root")
    if not DAEMONS["apusd"].find():
        sys.exit("APUS_BIN: the folder with apusd and apus-load (make bench sets it)")
    chosen, runs = {"full": (SCENARIOS, 3), "quick": (QUICK, 1), "growth": (GROWTH, 7), "keepalive": (KEEPALIVE, 3)}[options.what]
    scenarios = [scenario for scenario in chosen if not options.only or scenario.name in options.only.split(",")]
    unknown = set(filter(None, options.daemons.split(","))) - set(DAEMONS)
    if unknown or not scenarios:
        sys.exit("there are the daemons %s and the scenarios %s" % (", ".join(DAEMONS), ", ".join(s.name for s in chosen)))
    path = os.path.join(RESULTS, options.what + ".jsonl")
    measure(scenarios, options.daemons.split(","), options.runs or runs, path)
    if options.what == "quick":
        print(report.ratios(path, scenarios))
    else:
        report.write(ROOT, RESULTS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
