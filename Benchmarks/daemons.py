"""How each daemon is configured and started: a reflector of passive clients in AS 64512, one process in the namespace under test.

To add one: a class with `packages`, `find`, `start`; and its name in DAEMONS.
"""
import json
import os
import pwd
import shutil
import subprocess

AS = 64512
DUT = "198.18.0.1"


def client(index):
    """The address of a generator's speaker."""
    value = (198 << 24 | 18 << 16 | 1 << 8 | 1) + index
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


class Daemon:
    """`clients`: how many there will be; `fib`: routes go into the kernel, and clients are plain internal peers."""

    has_fib = True

    def find(self):
        raise NotImplementedError

    def version(self):
        raise NotImplementedError

    def command(self, run, clients, fib):
        raise NotImplementedError

    def first_line(self, *command):
        out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout.strip()
        return out.splitlines()[0] if out else ""


class Apus(Daemon):
    name = "apusd"

    def find(self):
        path = os.path.join(os.environ.get("APUS_BIN", ""), "apusd")
        return path if os.access(path, os.X_OK) else None

    def version(self):
        return "apusd " + self.first_line(self.find(), "--version")

    def command(self, run, clients, fib):
        api = "apiVersion: projectcalico.org/v3\n"
        peer = "listenRange: 198.18.0.0/15, asNumber: %d, routeReflectorClient: %s, holdTime: 240s, import: all" % (AS, "false" if fib else "true")
        with open(run + "/resources.yaml", "w") as file:
            file.write(api + "kind: BGPConfiguration\nmetadata: {name: default}\nspec: {nodeToNodeMeshEnabled: false, asNumber: %d}\n---\n" % AS)
            file.write(api + "kind: Node\nmetadata: {name: dut}\nspec: {bgp: {ipv4Address: %s/15}}\n---\n" % DUT)
            file.write(api + "kind: BGPPeer\nmetadata: {name: clients}\nspec: {%s}\n" % peer)
        return [self.find(), "agent" if fib else "reflector", "--node", "dut", "--resources", run + "/resources.yaml", "--socket", run + "/apusd.sock",
                "--state-dir", run + "/state"]


    def status(self, run):
        """What it says of itself, at the end of a run."""
        out = subprocess.run([os.path.join(os.environ["APUS_BIN"], "apusctl"), "status", "-o", "json", "--socket", run + "/apusd.sock"], stdout=subprocess.PIPE, text=True).stdout
        return json.loads(out) if out.startswith("{") else {}


class Bird(Daemon):
    name = "bird"

    def find(self):
        return shutil.which("bird", path="/usr/sbin:/usr/bin:/sbin")

    def version(self):
        return self.first_line(self.find(), "--version")

    def command(self, run, clients, fib):
        with open(run + "/bird.conf", "w") as file:
            file.write('log stderr { error, fatal, bug };\nrouter id %s;\nprotocol device { }\nprotocol direct { ipv4; interface "v0"; }\n' % DUT)
            if fib:
                file.write("protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }\n")
            file.write("template bgp c { local %s as %d; passive; hold time 240; %s ipv4 { import all; export where source = RTS_BGP; }; }\n"
                       % (DUT, AS, "" if fib else "rr client;"))
            for index in range(clients):
                file.write("protocol bgp c%d from c { neighbor %s as %d; }\n" % (index, client(index), AS))
        return [self.find(), "-f", "-c", run + "/bird.conf", "-s", run + "/bird.ctl"]


class FRR(Daemon):
    """bgpd alone; with routes into the kernel, zebra beside it."""

    name = "frr"

    def find(self):
        return "/usr/lib/frr/bgpd" if os.access("/usr/lib/frr/bgpd", os.X_OK) else None

    def version(self):
        return "FRR " + self.first_line(self.find(), "--version").split()[-1]

    def command(self, run, clients, fib):
        with open(run + "/bgpd.conf", "w") as file:
            file.write("router bgp %d\n bgp router-id %s\n no bgp ebgp-requires-policy\n no bgp network import-check\n timers bgp 60 240\n" % (AS, DUT))
            file.write(" neighbor C peer-group\n neighbor C remote-as %d\n neighbor C passive\n neighbor C advertisement-interval 0\n" % AS)
            for index in range(clients):
                file.write(" neighbor %s peer-group C\n" % client(index))
            file.write(" address-family ipv4 unicast\n%s exit-address-family\n" % ("" if fib else "  neighbor C route-reflector-client\n"))
        open(run + "/zebra.conf", "w").close()
        common = ["-z", run + "/zserv.api", "--vty_socket", run]
        bgpd = [self.find(), "-S", "-f", run + "/bgpd.conf", "-i", run + "/bgpd.pid", "-l", DUT] + common
        if not fib:
            return bgpd[:2] + ["-Z", "-n"] + bgpd[2:]
        user = pwd.getpwnam("frr")
        for folder, _, files in os.walk(run):
            for path in [folder] + [os.path.join(folder, file) for file in files]:
                os.chown(path, user.pw_uid, user.pw_gid)
        zebra = ["/usr/lib/frr/zebra", "-f", run + "/zebra.conf", "-i", run + "/zebra.pid", "-s", "90000000"] + common
        script = '%s & for i in $(seq 100); do [ -S %s/zserv.api ] && break; sleep 0.1; done; exec %s' % (" ".join(zebra), run, " ".join(bgpd))
        return ["bash", "-c", script]


class OpenBGPD(Daemon):
    name = "openbgpd"
    has_fib = False

    def find(self):
        path = "/usr/sbin/bgpd"
        return path if os.access(path, os.X_OK) and os.path.exists("/etc/bgpd.conf") or os.path.exists("/usr/share/doc/openbgpd") else None

    def version(self):
        return "OpenBGPD " + self.first_line("dpkg-query", "-W", "-f", "${Version}", "openbgpd").split("-")[0]

    def command(self, run, clients, fib):
        path = run + "/bgpd.conf"
        with open(path, "w") as file:
            file.write('AS %d\nrouter-id %s\nholdtime 240\nlisten on %s\nsocket "%s/bgpd.sock"\nfib-update no\n' % (AS, DUT, DUT, run))
            file.write("group C {\n remote-as %d\n route-reflector\n passive\n announce IPv4 unicast\n" % AS)
            for index in range(clients):
                file.write(' neighbor %s { descr "c%d" }\n' % (client(index), index))
            file.write("}\nallow from any\nallow to any\n")
        os.chmod(path, 0o600)
        # Its children change root to their user's home.
        os.makedirs(pwd.getpwnam("_openbgpd").pw_dir, exist_ok=True)
        return ["/usr/sbin/bgpd", "-d", "-f", path]


class GoBGP(Daemon):
    name = "gobgp"
    has_fib = False

    def find(self):
        return shutil.which("gobgpd")

    def version(self):
        return self.first_line(self.find(), "--version").replace("gobgpd version", "GoBGP")

    def command(self, run, clients, fib):
        with open(run + "/gobgp.toml", "w") as file:
            file.write('[global.config]\nas = %d\nrouter-id = "%s"\nlocal-address-list = ["%s"]\n' % (AS, DUT, DUT))
            for index in range(clients):
                file.write('[[neighbors]]\n[neighbors.config]\nneighbor-address = "%s"\npeer-as = %d\n' % (client(index), AS))
                file.write("[neighbors.transport.config]\npassive-mode = true\n[neighbors.timers.config]\nhold-time = 240\nkeepalive-interval = 60\n")
                file.write('[neighbors.route-reflector.config]\nroute-reflector-client = true\nroute-reflector-cluster-id = "%s"\n' % DUT)
                file.write('[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "ipv4-unicast"\n')
        return [self.find(), "-t", "toml", "-f", run + "/gobgp.toml", "-p", "--pprof-disable", "--api-hosts", "unix://%s/gobgp.sock" % run, "-l", "warn"]


class Floor(Daemon):
    """Sockets and copies alone."""

    name = "floor"
    has_fib = False

    def find(self):
        path = os.path.join(os.environ.get("APUS_BIN", ""), "apus-load")
        return path if os.access(path, os.X_OK) else None

    def version(self):
        return "apus-load floor"

    def command(self, run, clients, fib):
        return [self.find(), "floor", "--listen", DUT]


DAEMONS = {daemon.name: daemon for daemon in (Apus(), Bird(), FRR(), OpenBGPD(), GoBGP(), Floor())}
