#!/usr/bin/env python3
"""pod_latency.py: how long a pod's route takes, with 100,000 other routes in the kernel.

  pod_latency.py [--pods 300] [--routes 100000]

A namespace with apusd agent, a second one with BIRD that announces the routes. For each pod an interface comes up whose endpoint is known
(interface last), or an endpoint is put into the resources folder whose interface is up (endpoint last). Measured from the kernel's message that
the interface is up, or from the rename of the file, to the kernel's message that the route is there, by one listener on netlink.
Needs root, bird, and APUS_BIN. Ends only processes that it started.
"""
import argparse
import ctypes
import select
import socket
import struct
import subprocess
import sys
import time

from agent_lab import AgentLab, run

RTMGRP_LINK, RTMGRP_IPV4_ROUTE = 1, 0x40
NEWLINK, NEWROUTE = 16, 24


def attributes(data):
    while len(data) >= 4:
        size, kind = struct.unpack_from("HH", data)
        if size < 4:
            return
        yield kind, data[4:size]
        data = data[(size + 3) & ~3:]


class Listener:
    """Netlink messages of the namespace that this process is in, with the time at which each was read."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.socket.bind((0, RTMGRP_LINK | RTMGRP_IPV4_ROUTE))

    def wait(self, links, prefixes, timeout):
        """Until all of these came: times by name of interfaces that are up, and by address of host routes."""
        seen = {}
        end = time.monotonic() + timeout
        while not (links | prefixes) <= seen.keys():
            if not select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
                raise SystemExit(f"nothing came of {(links | prefixes) - seen.keys()}")
            data = self.socket.recv(1 << 18)
            now = time.monotonic()
            while len(data) >= 16:
                size, kind = struct.unpack_from("IH", data)
                body = data[16:size]
                if kind == NEWLINK:
                    flags = struct.unpack_from("I", body, 8)[0]
                    for number, value in attributes(body[16:]):
                        name = value.split(b"\0")[0].decode() if number == 3 else None
                        if name in links and flags & 1:
                            seen.setdefault(name, now)
                elif kind == NEWROUTE and body[1] == 32:
                    for number, value in attributes(body[12:]):
                        if number == 1 and socket.inet_ntoa(value) in prefixes:
                            seen.setdefault(socket.inet_ntoa(value), now)
                data = data[(size + 3) & ~3:]
        return seen


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=300)
    parser.add_argument("--routes", type=int, default=100000)
    options = parser.parse_args()
    with AgentLab() as lab:
        def address(i):
            return f"10.65.{i // 250}.{i % 250 + 1}"

        half = options.pods // 2
        lab.put("pods.yaml", "".join(lab.pod(i, address(i)) for i in range(half)))
        lab.start("10.65.0.0/22", [f"10.{128 + i // 65536}.{i // 256 % 256}.{i % 256}/32" for i in range(options.routes)], "--metrics", "", "--health", "")
        lab.wait_for_routes(options.routes + 1)

        # This process goes into the node's namespace, to hear its kernel.
        with open(f"/run/netns/{lab.node}") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0x40000000) != 0:
                sys.exit("setns failed")
        listener = Listener()
        interface_last, endpoint_last = [], []
        for i in range(half):
            run("ip", "link", "add", f"cali{i}", "type", "veth", "peer", "name", f"x{i}")
            # Not waited for: what the kernel says is to be read as it comes.
            up = subprocess.Popen(["ip", "link", "set", f"cali{i}", "up"])
            seen = listener.wait({f"cali{i}"}, {address(i)}, 10)
            up.wait()
            interface_last.append(seen[address(i)] - seen[f"cali{i}"])
        for i in range(half, options.pods):
            run("ip", "link", "add", f"cali{i}", "type", "veth", "peer", "name", f"x{i}")
            run("ip", "link", "set", f"cali{i}", "up")
            time.sleep(0.06)
            start = lab.put(f"pod{i}.yaml", lab.pod(i, address(i)))
            endpoint_last.append(listener.wait(set(), {address(i)}, 10)[address(i)] - start)
        for name, values in (("interface last", interface_last), ("endpoint last, by a file", endpoint_last)):
            print(f"{name}: {len(values)} pods, {options.routes} other routes: median {percentile(values, 0.5):.2f} ms, "
                  f"p99 {percentile(values, 0.99):.2f} ms, worst {max(values) * 1000:.2f} ms")


if __name__ == "__main__":
    main()
