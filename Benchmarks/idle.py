#!/usr/bin/env python3
"""idle.py: what an agent costs that has nothing to do: resident memory and CPU, with 500 remote blocks and 100 local pods.

  idle.py [--blocks 500] [--pods 100] [--seconds 30]

A namespace with apusd agent and a second one with BIRD that announces the blocks. Measured once all routes are in the kernel and ten seconds have gone.
Needs root, bird, and APUS_BIN. Ends only processes that it started.
"""
import argparse
import os
import time

from agent_lab import AgentLab, run


def ticks(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def memory(pid):
    """Kilobytes by name: VmRSS, VmHWM, RssAnon, RssFile."""
    pairs = (line.split(":") for line in open(f"/proc/{pid}/status") if line.startswith(("VmRSS", "VmHWM", "RssAnon", "RssFile")))
    return {name: int(value.split()[0]) for name, value in pairs}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=500)
    parser.add_argument("--pods", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    with AgentLab() as lab:
        for i in range(options.pods):
            run("ip", "-n", lab.node, "link", "add", f"cali{i}", "type", "veth", "peer", "name", f"x{i}")
            run("ip", "-n", lab.node, "link", "set", f"cali{i}", "up")
        lab.put("pods.yaml", "".join(lab.pod(i, f"10.65.0.{i + 1}") for i in range(options.pods)))
        pid = lab.start("10.65.0.0/24", [f"10.{128 + i // 1024}.{i // 4 % 256}.{i % 4 * 64}/26" for i in range(options.blocks)])
        lab.wait_for_routes(options.blocks + options.pods + 1)
        time.sleep(10)
        before = ticks(pid)
        time.sleep(options.seconds)
        share = (ticks(pid) - before) / os.sysconf("SC_CLK_TCK") / options.seconds
        size = memory(pid)
        print(f"{options.blocks} remote blocks, {options.pods} pods: {size['VmRSS'] / 1024:.1f} MB resident ({size['RssAnon'] / 1024:.1f} of it not of files), "
              f"at most {size['VmHWM'] / 1024:.1f}; {share * 100:.2f} % of a core over {options.seconds} s")


if __name__ == "__main__":
    main()
