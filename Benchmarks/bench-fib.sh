#!/bin/bash
# bench-fib.sh: how long 100,000 /26 routes of one reflector peer take into the kernel and out again, apusd and BIRD 2 by turns on this machine.
#   APUS_BIN=FOLDER Benchmarks/bench-fib.sh [ROUNDS]        as root; 5 rounds unless said otherwise
#
# The peer is a BIRD with 100,000 static routes, 100 next hops, that is itself no part of what is measured: the clock runs from the moment that it is told to
# announce (or withdraw) until the kernel's table of the receiving namespace has what it should, polled every 5 ms. Medians and ratios at the end.
set -u
[ "$(id -u)" = 0 ] || { echo "the benchmark makes network namespaces and needs root" >&2; exit 2; }
: "${APUS_BIN:?the folder with apusd}"
ROUNDS=${1:-5} COUNT=100000
LAB=f$$ RUN=$(mktemp -d /tmp/apus-fib.XXXXXX)
PIDS=()
cleanup() {
    trap - EXIT
    for pid in "${PIDS[@]}"; do kill -9 "$pid" 2>/dev/null; done
    wait 2>/dev/null
    ip netns del "$LAB-dut" 2>/dev/null
    ip netns del "$LAB-peer" 2>/dev/null
    rm -rf "$RUN"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
ip netns add "$LAB-dut" && ip netns add "$LAB-peer" || exit 2
ip -n "$LAB-dut" link add v0 type veth peer name v0 netns "$LAB-peer"
for n in dut peer; do ip -n "$LAB-$n" link set lo up; ip -n "$LAB-$n" link set v0 up; done
ip -n "$LAB-dut" addr add 198.18.0.1/15 dev v0
ip -n "$LAB-peer" addr add 198.18.0.2/15 dev v0

# The sender: attributes and next hops by the static route, announced by BGP when protocol 'fullset' is on.
{
    echo 'log stderr { error, fatal, bug }; router id 198.18.0.2; protocol device { }'
    echo 'protocol static fullset { disabled; ipv4;'
    for ((i = 0; i < COUNT; i++)); do
        echo "route $((10 + (i >> 18))).$((i >> 10 & 255)).$((i >> 2 & 255)).$(((i & 3) * 64))/26 blackhole { bgp_next_hop = 198.18.64.$((i / 1000 % 100 + 1)); };"
    done
    echo '}'
    echo 'protocol bgp dut { local 198.18.0.2 as 64512; neighbor 198.18.0.1 as 64512; passive; hold time 240; rr client; ipv4 { import none; next hop keep; export where source = RTS_STATIC; }; }'
} > "$RUN/peer.conf"

cat > "$RUN/bird.conf" <<'CONF'
log stderr { error, fatal, bug }; router id 198.18.0.1; protocol device { } protocol direct { ipv4; interface "v0"; }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
protocol bgp peer { local 198.18.0.1 as 64512; neighbor 198.18.0.2 as 64512; connect delay time 1; connect retry time 1; hold time 240; ipv4 { import all; export none; }; }
CONF
mkdir -p "$RUN/resources"
cat > "$RUN/resources/r.yaml" <<'YAML'
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata: {name: default}
spec: {nodeToNodeMeshEnabled: false, asNumber: 64512}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: dut}
spec: {bgp: {ipv4Address: 198.18.0.1/15}}
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: reflector}
spec: {peerIP: 198.18.0.2, asNumber: 64512, holdTime: 240s, connectRetryTime: 1s}
YAML

prefixes() { awk '/Prefixes:/ {print $2; exit}' "/proc/$1/net/fib_triestat"; }
peerctl() { birdc -s "$RUN/peer.ctl" "$@" >/dev/null; }
now() { date +%s%N; }
# wait_for PID COUNT: until the table holds so many; fails after a minute
wait_for() {
    local end=$((SECONDS + 60))
    while [ "$(prefixes "$1")" -ne "$2" ]; do
        [ $SECONDS -lt $end ] || { echo "the kernel has $(prefixes "$1") prefixes and not $2" >&2; exit 1; }
        sleep 0.005
    done
}
established() { birdc -s "$RUN/peer.ctl" show protocols dut | grep -q Established; }
# until_ready WHAT COMMAND...: at most half a minute
until_ready() {
    local end=$((SECONDS + 30)) what=$1
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { echo "$what" >&2; tail -n 3 "$RUN"/*.log >&2; exit 1; }
        sleep 0.1
    done
}
milliseconds() { echo $((($2 - $1) / 1000000)); }

one() { # NAME COMMAND...: prints 'IN OUT IN-AGAIN' in ms
    local name=$1 pid base t0 t1 a b c
    shift
    ip netns exec "$LAB-peer" bird -f -c "$RUN/peer.conf" -s "$RUN/peer.ctl" > "$RUN/peer.log" 2>&1 &
    local peer=$!
    PIDS+=($peer)
    until_ready "the peer does not start" peerctl show status
    ip netns exec "$LAB-dut" "$@" > "$RUN/$name.log" 2>&1 &
    pid=$!
    PIDS+=($pid)
    until_ready "no session" established
    sleep 2
    base=$(prefixes $pid)
    t0=$(now); peerctl enable fullset; wait_for $pid $((base + COUNT)); t1=$(now); a=$(milliseconds "$t0" "$t1")
    sleep 1
    t0=$(now); peerctl disable fullset; wait_for $pid "$base"; t1=$(now); b=$(milliseconds "$t0" "$t1")
    sleep 1
    t0=$(now); peerctl enable fullset; wait_for $pid $((base + COUNT)); t1=$(now); c=$(milliseconds "$t0" "$t1")
    kill $pid $peer 2>/dev/null
    wait $pid $peer 2>/dev/null
    ip -n "$LAB-dut" route flush proto 73 2>/dev/null
    ip -n "$LAB-dut" route flush proto bird 2>/dev/null
    ip -n "$LAB-dut" nexthop flush proto 73 >/dev/null 2>&1
    echo "$a $b $c"
}

declare -A IN OUT AGAIN
for ((round = 1; round <= ROUNDS; round++)); do
    for daemon in bird apusd; do
        if [ $daemon = bird ]; then
            result=$(one bird bird -f -c "$RUN/bird.conf" -s "$RUN/bird.ctl")
        else
            result=$(one apusd "$APUS_BIN/apusd" agent --node dut --resources "$RUN/resources" --state-dir "$RUN/state" --socket "$RUN/apusd.sock" --metrics "" --health "")
        fi || { echo "$daemon failed" >&2; tail -5 "$RUN/$daemon.log" >&2; exit 1; }
        read -r a b c <<< "$result"
        echo "round $round  $daemon: in $a ms, out $b ms, in again $c ms"
        IN[$daemon]+="$a "; OUT[$daemon]+="$b "; AGAIN[$daemon]+="$c "
    done
done
median() { tr ' ' '\n' <<< "$1" | grep . | sort -n | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : int((v[NR / 2] + v[NR / 2 + 1]) / 2)}'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a / b}'; }
echo
echo "| $COUNT routes, 100 next hops, median of $ROUNDS | BIRD $(bird --version 2>&1 | grep -oE '[0-9.]+' | head -1) | apusd | ratio |"
echo "|---|---|---|---|"
for what in IN OUT AGAIN; do
    declare -n table=$what
    b=$(median "${table[bird]}"); a=$(median "${table[apusd]}")
    echo "| $(case $what in IN) echo 'into the kernel';; OUT) echo 'out again';; AGAIN) echo 'in again';; esac) | $b ms | $a ms | $(ratio "$a" "$b") |"
done
