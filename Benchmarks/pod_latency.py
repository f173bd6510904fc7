#!/usr/bin/env python3
"""pod_latency.py: how long a pod's route takes, with 100,000 other routes in the kernel.

  pod_latency.py [--pods 300] [--routes 100000]

A namespace with apusd agent, a second one with BIRD that announces the routes. For each pod an interface comes up whose endpoint is known
(interface last), or an endpoint is put into the resources folder whose interface is up (endpoint last). Measured from the kernel's message that
the interface is up, or from the rename of the file, to the kernel's message that the route is there, by one listener on netlink.
Needs root, bird, and APUS_BIN. Ends only processes that it started.
"""
import argparse, ctypes, json, os, select, shutil, socket, struct, subprocess, sys, tempfile, time

RTMGRP_LINK, RTMGRP_IPV4_ROUTE = 1, 0x40
NEWLINK, NEWROUTE = 16, 24


def run(*command):
    subprocess.run(command, check=True)


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
    binaries = os.environ.get("APUS_BIN") or sys.exit("APUS_BIN must name the folder with apusd")
    folder = tempfile.mkdtemp(prefix="apus-pods-")
    os.makedirs(folder + "/resources")
    node, peer = f"pl{os.getpid()}n", f"pl{os.getpid()}p"
    processes = []
    try:
        for name in (node, peer):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", node, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", peer)
        for name, last in ((node, 1), (peer, 2)):
            run("ip", "-n", name, "addr", "add", f"10.0.0.{last}/24", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "eth0", "up")
        head = "apiVersion: projectcalico.org/v3\n"

        def endpoint(i):
            return head + f"kind: WorkloadEndpoint\nmetadata: {{name: p{i}}}\nspec: {{node: n, interfaceName: cali{i}, ipNetworks: [10.65.{i // 250}.{i % 250 + 1}/32]}}\n---\n"

        def address(i):
            return f"10.65.{i // 250}.{i % 250 + 1}"

        def put(name, text):
            """Answers when the file appeared."""
            with open(f"{folder}/resources/.{name}", "w") as file:
                file.write(text)
            start = time.monotonic()
            os.rename(f"{folder}/resources/.{name}", f"{folder}/resources/{name}")
            return start

        put("node.yaml", head + "kind: Node\nmetadata: {name: n}\nspec: {bgp: {ipv4Address: 10.0.0.1/24}}\n---\n" + head
            + "kind: BlockAffinity\nmetadata: {name: b}\nspec: {node: n, cidr: 10.65.0.0/22, state: confirmed}\n---\n" + head
            + "kind: BGPPeer\nmetadata: {name: p}\nspec: {peerIP: 10.0.0.2, asNumber: 64512}\n")
        half = options.pods // 2
        put("pods.yaml", "".join(endpoint(i) for i in range(half)))
        statics = "".join(f"route 10.{128 + i // 65536}.{i // 256 % 256}.{i % 256}/32 blackhole;\n" for i in range(options.routes))
        with open(folder + "/bird.conf", "w") as file:
            file.write("log stderr all; router id 10.0.0.2; protocol device {}\nprotocol static { ipv4;\n" + statics
                       + "}\nprotocol bgp { local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512; ipv4 { import all; export all; }; }\n")
        processes.append(subprocess.Popen(["ip", "netns", "exec", node, binaries + "/apusd", "agent", "--node", "n", "--resources", folder + "/resources",
                                           "--state-dir", folder + "/state", "--socket", folder + "/sock", "--metrics", "", "--health", ""]))
        processes.append(subprocess.Popen(["ip", "netns", "exec", peer, "bird", "-f", "-c", folder + "/bird.conf", "-s", folder + "/bird.ctl"], stderr=subprocess.DEVNULL))
        end = time.monotonic() + 60
        while True:
            answer = subprocess.run([binaries + "/apusctl", "status", "-o", "json", "--socket", folder + "/sock"], capture_output=True, text=True).stdout
            if answer and json.loads(answer)["routesInKernel"] > options.routes:
                break
            if time.monotonic() > end:
                sys.exit("the routes did not get into the kernel within 60 s")
            time.sleep(0.1)

        # This process goes into the node's namespace, to hear its kernel.
        with open(f"/run/netns/{node}") as file:
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
            start = put(f"pod{i}.yaml", endpoint(i))
            endpoint_last.append(listener.wait(set(), {address(i)}, 10)[address(i)] - start)
        for name, values in (("interface last", interface_last), ("endpoint last, by a file", endpoint_last)):
            print(f"{name}: {len(values)} pods, {options.routes} other routes: median {percentile(values, 0.5):.2f} ms, "
                  f"p99 {percentile(values, 0.99):.2f} ms, worst {max(values) * 1000:.2f} ms")
    finally:
        for process in processes:
            process.kill()
            process.wait()
        for name in (node, peer):
            subprocess.run(["ip", "netns", "del", name])
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
