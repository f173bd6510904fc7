#!/usr/bin/env python3
"""idle.py: what an agent costs that has nothing to do: resident memory and CPU, with 500 remote blocks and 100 local pods.

  idle.py [--blocks 500] [--pods 100] [--seconds 30]

A namespace with apusd agent and a second one with BIRD that announces the blocks. Measured once all routes are in the kernel and ten seconds have gone.
Needs root, bird, and APUS_BIN. Ends only processes that it started.
"""
import argparse, json, os, shutil, subprocess, sys, tempfile, time


def run(*command):
    subprocess.run(command, check=True)


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
    binaries = os.environ.get("APUS_BIN") or sys.exit("APUS_BIN must name the folder with apusd")
    folder = tempfile.mkdtemp(prefix="apus-idle-")
    os.makedirs(folder + "/resources")
    node, peer = f"id{os.getpid()}n", f"id{os.getpid()}p"
    processes = []
    try:
        for name in (node, peer):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", node, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", peer)
        for name, last in ((node, 1), (peer, 2)):
            run("ip", "-n", name, "addr", "add", f"10.0.0.{last}/24", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "eth0", "up")
        head = "---\napiVersion: projectcalico.org/v3\n"
        text = (head + "kind: Node\nmetadata: {name: n}\nspec: {bgp: {ipv4Address: 10.0.0.1/24}}\n"
                + head + "kind: BlockAffinity\nmetadata: {name: b}\nspec: {node: n, cidr: 10.65.0.0/24, state: confirmed}\n"
                + head + "kind: BGPPeer\nmetadata: {name: p}\nspec: {peerIP: 10.0.0.2, asNumber: 64512}\n")
        for i in range(options.pods):
            text += head + f"kind: WorkloadEndpoint\nmetadata: {{name: p{i}}}\nspec: {{node: n, interfaceName: cali{i}, ipNetworks: [10.65.0.{i + 1}/32]}}\n"
            run("ip", "-n", node, "link", "add", f"cali{i}", "type", "veth", "peer", "name", f"x{i}")
            run("ip", "-n", node, "link", "set", f"cali{i}", "up")
        with open(folder + "/resources/all.yaml", "w") as file:
            file.write(text)
        statics = "".join(f"route 10.{128 + i // 1024}.{i // 4 % 256}.{i % 4 * 64}/26 blackhole;\n" for i in range(options.blocks))
        with open(folder + "/bird.conf", "w") as file:
            file.write("router id 10.0.0.2; protocol device {}\nprotocol static { ipv4;\n" + statics
                       + "}\nprotocol bgp { local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512; ipv4 { import all; export all; }; }\n")
        # Not `ip netns exec`, whose child would be another process: nsenter becomes what it starts.
        processes.append(subprocess.Popen(["nsenter", f"--net=/run/netns/{node}", binaries + "/apusd", "agent", "--node", "n", "--resources", folder + "/resources",
                                           "--state-dir", folder + "/state", "--socket", folder + "/sock"], stderr=subprocess.DEVNULL))
        processes.append(subprocess.Popen(["nsenter", f"--net=/run/netns/{peer}", "bird", "-f", "-c", folder + "/bird.conf", "-s", folder + "/bird.ctl"], stderr=subprocess.DEVNULL))
        end = time.monotonic() + 60
        while True:
            answer = subprocess.run([binaries + "/apusctl", "status", "-o", "json", "--socket", folder + "/sock"], capture_output=True, text=True).stdout
            if answer and json.loads(answer)["routesInKernel"] == options.blocks + options.pods + 1:
                break
            if time.monotonic() > end:
                sys.exit("the routes did not get into the kernel within 60 s: " + answer)
            time.sleep(0.1)
        time.sleep(10)
        pid = processes[0].pid
        before = ticks(pid)
        time.sleep(options.seconds)
        share = (ticks(pid) - before) / os.sysconf("SC_CLK_TCK") / options.seconds
        size = memory(pid)
        print(f"{options.blocks} remote blocks, {options.pods} pods: {size['VmRSS'] / 1024:.1f} MB resident ({size['RssAnon'] / 1024:.1f} of it not of files), "
              f"at most {size['VmHWM'] / 1024:.1f}; {share * 100:.2f} % of a core over {options.seconds} s")
    finally:
        for process in processes:
            process.kill()
            process.wait()
        for name in (node, peer):
            subprocess.run(["ip", "netns", "del", name])
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
