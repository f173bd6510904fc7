"""What is measured, and what is wanted of it. Names and goals are those of the project's performance page; a goal is a ratio, taken in one run."""
from dataclasses import dataclass, field


@dataclass
class Goal:
    phase: str  # a position in the list of phases
    value: str  # cpuSeconds, seconds, peakResidentBytes, p50, p99
    against: str  # a daemon, or "best": the best of the others
    ratio: float


@dataclass
class Scenario:
    name: str
    text: str
    clients: int
    arguments: list
    fib: bool = False
    daemons: tuple = ("apusd", "bird", "frr", "openbgpd", "gobgp")
    # Those that do not get through within minutes.
    skipped: tuple = ()
    goals: list = field(default_factory=list)
    timeout: int = 150


def load(text):
    return text.split()


FULL = "--receivers 1 --prefixes 1000000 --shape internet --sets 150000"
SCENARIOS = [
    Scenario("S1", "a full table: 1,000,000 prefixes in 150,000 attribute sets from one client to another", 2, load(FULL), skipped=("gobgp",), goals=[
        Goal("announce", "cpuSeconds", "bird", 0.5), Goal("withdraw", "cpuSeconds", "best", 0.5), Goal("announce again", "cpuSeconds", "bird", 0.5),
        Goal("announce", "seconds", "bird", 0.5), Goal("announce", "peakResidentBytes", "bird", 0.9)]),
    Scenario("S2", "fan-out: 100 clients with 1,000 pod prefixes each, 9.9 million deliveries", 100, load("--senders 100 --prefixes 1000"), skipped=("gobgp",), goals=[
        Goal("announce", "cpuSeconds", "frr", 0.4), Goal("withdraw", "cpuSeconds", "best", 0.4), Goal("announce again", "cpuSeconds", "frr", 0.4),
        Goal("announce again", "peakResidentBytes", "bird", 0.8)]),
    Scenario("S3", "a big reflector: 500 clients with 100 pod prefixes each, 25 million deliveries", 500, load("--senders 500 --prefixes 100"), skipped=("gobgp",), goals=[
        Goal("announce", "cpuSeconds", "frr", 0.5), Goal("withdraw", "cpuSeconds", "best", 0.5), Goal("announce again", "cpuSeconds", "frr", 0.5),
        Goal("announce again", "peakResidentBytes", "bird", 1.0)]),
    Scenario("S4", "many views: 20 senders of the same 100,000 prefixes with different attributes, 1 receiver", 21,
             load("--senders 20 --receivers 1 --prefixes 100000 --shape internet --sets 15000 --shared"), skipped=("openbgpd", "gobgp"), goals=[
        Goal("announce", "cpuSeconds", "best", 0.3), Goal("withdraw", "cpuSeconds", "best", 0.3), Goal("announce again", "cpuSeconds", "best", 0.3),
        Goal("announce again", "peakResidentBytes", "bird", 0.6)]),
    Scenario("S5", "routes into the kernel: 100,000 /26 with 100 next hops from one peer", 1,
             load("--receivers 0 --prefixes 100000 --shape blocks --sets 100 --next-hops 100"), fib=True, daemons=("apusd", "bird", "frr"), timeout=60, goals=[
        Goal("announce", "seconds", "bird", 0.5), Goal("withdraw", "seconds", "bird", 0.5), Goal("announce again", "seconds", "bird", 0.5),
        Goal("announce again", "peakResidentBytes", "bird", 1.5)]),
    Scenario("S6", "latency: single announcements, one a millisecond, through the daemon", 2, load("--receivers 1 --prefixes 10000 --phases latency:10000"),
             daemons=("floor", "apusd", "bird", "frr", "openbgpd", "gobgp"), goals=[
        Goal("latency", "p50", "floor", 1.15), Goal("latency", "p99", "floor", 1.5)]),
]

# The same kinds of work, small enough for three minutes with two daemons.
QUICK = [
    Scenario("S1", "full table, 300,000 prefixes", 2, load("--receivers 1 --prefixes 300000 --shape internet --sets 45000"), daemons=("apusd", "bird")),
    Scenario("S2", "fan-out, 50 clients with 1,000 prefixes", 50, load("--senders 50 --prefixes 1000"), daemons=("apusd", "bird", "frr")),
    Scenario("S4", "10 views of 50,000 prefixes", 11, load("--senders 10 --receivers 1 --prefixes 50000 --shape internet --sets 7500 --shared"), daemons=("apusd", "bird")),
    Scenario("S5", "100,000 routes into the kernel", 1, load("--receivers 0 --prefixes 100000 --shape blocks --sets 100 --next-hops 100"), fib=True, daemons=("apusd", "bird")),
    Scenario("S6", "latency", 2, load("--receivers 1 --prefixes 2000 --phases latency:2000"), daemons=("floor", "apusd", "bird")),
]

# Growth: the same 100,000 prefixes from ever more clients, each of which gets all of the others'. G2 shows what is paid once, however many clients there
# are: taking every route in, deciding, and encoding it once.
GROWTH = [
    Scenario("G%d" % clients, "%d clients, 100,000 prefixes in all" % clients, clients, load("--senders %d --prefixes %d" % (clients, 100000 // clients)), daemons=("apusd",))
    for clients in (2, 10, 25, 50, 100, 250, 500, 1000)
]

# Keepalives a second apart (hold time 3 s) while the work is done: how late does one leave?
KEEPALIVE = [
    Scenario("K1", "a full table, announced, withdrawn and announced again", 2, load(FULL + " --hold-time 3"), daemons=("apusd",)),
    Scenario("K2", "500 clients with 100 prefixes each", 500, load("--senders 500 --prefixes 100 --hold-time 3"), daemons=("apusd",)),
    Scenario("K3", "20 views of 100,000 prefixes", 21, load("--senders 20 --receivers 1 --prefixes 100000 --shape internet --sets 15000 --shared --hold-time 3"), daemons=("apusd",)),
    Scenario("K4", "1,000 clients that connect at once, then churn of 10,000 UPDATEs a second", 1000,
             load("--senders 100 --prefixes 500 --burst 1000 --hold-time 3 --phases announce,churn:10000:5,withdraw"), daemons=("apusd",)),
]


def phase_names(phases):
    """`announce` the second time is `announce again`."""
    seen, names = set(), []
    for phase in phases:
        name = phase["name"] + (" again" if phase["name"] in seen else "")
        seen.add(phase["name"])
        names.append(name)
    return names
