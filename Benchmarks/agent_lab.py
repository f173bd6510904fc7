"""An agent with a BIRD that announces routes to it: what idle.py and pod_latency.py measure in."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

HEAD = "---\napiVersion: projectcalico.org/v3\n"


def run(*command):
    subprocess.run(command, check=True)


class AgentLab:
    """Namespaces `node` (10.0.0.1, apusd agent) and `peer` (10.0.0.2, BIRD), joined by a veth pair; a `with` statement takes them down. Ends only processes that it started."""

    def __init__(self):
        self.binaries = os.environ.get("APUS_BIN") or sys.exit("APUS_BIN must name the folder with apusd")
        self.folder = tempfile.mkdtemp(prefix="apus-bench-")
        os.makedirs(self.folder + "/resources")
        self.node, self.peer = f"al{os.getpid()}n", f"al{os.getpid()}p"
        self.processes = []

    def __enter__(self):
        for name in (self.node, self.peer):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", self.node, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", self.peer)
        for name, last in ((self.node, 1), (self.peer, 2)):
            run("ip", "-n", name, "addr", "add", f"10.0.0.{last}/24", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "eth0", "up")
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        for name in (self.node, self.peer):
            subprocess.run(["ip", "netns", "del", name])
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def resource(kind, name, spec):
        return HEAD + f"kind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"

    @staticmethod
    def pod(number, address):
        return AgentLab.resource("WorkloadEndpoint", f"p{number}", f"node: n, interfaceName: cali{number}, ipNetworks: [{address}/32]")

    def put(self, name, text):
        """A file of resources, whole at once. Answers when it appeared."""
        hidden = f"{self.folder}/resources/.{name}"
        with open(hidden, "w") as file:
            file.write(text)
        start = time.monotonic()
        os.rename(hidden, f"{self.folder}/resources/{name}")
        return start

    def start(self, block, prefixes, *arguments):
        """The agent, with an own block and further arguments, and BIRD, which announces the prefixes. Answers the agent's process id."""
        self.put("node.yaml", self.resource("Node", "n", "bgp: {ipv4Address: 10.0.0.1/24}")
                 + self.resource("BlockAffinity", "b", f"node: n, cidr: {block}, state: confirmed")
                 + self.resource("BGPPeer", "p", "peerIP: 10.0.0.2, asNumber: 64512"))
        with open(self.folder + "/bird.conf", "w") as file:
            file.write("router id 10.0.0.2; protocol device {}\nprotocol static { ipv4;\n" + "".join(f"route {prefix} blackhole;\n" for prefix in prefixes)
                       + "}\nprotocol bgp { local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512; ipv4 { import all; export all; }; }\n")
        # Not `ip netns exec`, whose child would be another process: nsenter becomes what it starts.
        for namespace, command in (
                (self.node, [self.binaries + "/apusd", "agent", "--node", "n", "--resources", self.folder + "/resources", "--state-dir", self.folder + "/state",
                             "--socket", self.folder + "/sock", *arguments]),
                (self.peer, ["bird", "-f", "-c", self.folder + "/bird.conf", "-s", self.folder + "/bird.ctl"])):
            self.processes.append(subprocess.Popen(["nsenter", f"--net=/run/netns/{namespace}"] + command, stderr=subprocess.DEVNULL))
        return self.processes[0].pid

    def wait_for_routes(self, count):
        """Until the agent has so many routes in the kernel, or more."""
        end = time.monotonic() + 60
        while True:
            answer = subprocess.run([self.binaries + "/apusctl", "status", "-o", "json", "--socket", self.folder + "/sock"], capture_output=True, text=True).stdout
            if answer and json.loads(answer)["routesInKernel"] >= count:
                return
            if time.monotonic() > end:
                sys.exit("the routes did not get into the kernel within 60 s: " + answer)
            time.sleep(0.1)
