#!/bin/bash
# bench-hostile.sh: what three hostile peers cost the others' convergence through one apusd reflector.
#   APUS_BIN=FOLDER Benchmarks/bench-hostile.sh [ROUNDS]        as root; 7 rounds unless said otherwise
#
# A BIRD announces 100,000 /26 to the reflector and takes them back; the clock runs until another BIRD has all of them, and none. Calm rounds and hostile ones
# take turns. The hostile peers are clients like the others: one never reads, one sends an UPDATE of one byte a second, one connects again and again and sends
# garbage as fast as it can. They have the lowest priority, so that the processor that they burn themselves is not what is measured.
# Exit code 1 where the median of the hostile rounds is more than 1.10 times that of the calm ones.
set -u
[ "$(id -u)" = 0 ] || { echo "the benchmark makes network namespaces and needs root" >&2; exit 2; }
: "${APUS_BIN:?the folder with apusd}"
ROUNDS=${1:-7} COUNT=100000
LAB=h$$ RUN=$(mktemp -d /tmp/apus-hostile.XXXXXX)
PIDS=() HOSTILE=()
cleanup() {
    trap - EXIT
    for pid in "${PIDS[@]}" "${HOSTILE[@]}"; do kill -9 "$pid" 2>/dev/null; done
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
for last in 2 3 11 12 13; do ip -n "$LAB-peer" addr add "198.18.0.$last/15" dev v0; done

{
    echo 'log stderr { error, fatal, bug }; router id 198.18.0.2; protocol device { }'
    echo 'protocol static fullset { disabled; ipv4;'
    for ((i = 0; i < COUNT; i++)); do
        echo "route $((10 + (i >> 18))).$((i >> 10 & 255)).$((i >> 2 & 255)).$(((i & 3) * 64))/26 blackhole { bgp_next_hop = 198.18.64.$((i / 1000 % 100 + 1)); };"
    done
    echo '}'
    echo 'protocol bgp dut { strict bind; local 198.18.0.2 as 64512; neighbor 198.18.0.1 as 64512; connect delay time 1; hold time 240; ipv4 { import none; next hop keep; export where source = RTS_STATIC; }; }'
} > "$RUN/sender.conf"
cat > "$RUN/receiver.conf" <<'CONF'
log stderr { error, fatal, bug }; router id 198.18.0.3; protocol device { }
protocol bgp dut { strict bind; local 198.18.0.3 as 64512; neighbor 198.18.0.1 as 64512; connect delay time 1; hold time 240; ipv4 { import all; export none; }; }
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
spec: {bgp: {ipv4Address: 198.18.0.1/15, routeReflectorClusterID: 9.9.9.9}}
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: clients}
spec: {listenRange: 198.18.0.0/24, asNumber: 64512, routeReflectorClient: true, holdTime: 240s}
YAML
cat > "$RUN/hostile.py" <<'PY'
import os, random, socket, struct, sys, threading, time
kind, local = sys.argv[1], sys.argv[2]
def message(t, body=b''): return b'\xff' * 16 + struct.pack('!HB', 19 + len(body), t) + body
def session():
    s = socket.socket()
    if kind == 'deaf': s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.bind((local, 0))
    s.connect(('198.18.0.1', 179))
    caps = b'\x02\x06\x01\x04\x00\x01\x00\x01\x02\x06\x41\x04' + struct.pack('!I', 64512)
    s.sendall(message(1, struct.pack('!BHH4s', 4, 64512, 240, socket.inet_aton(local)) + bytes([len(caps)]) + caps) + message(4))
    return s
while True:
    try:
        s = session()
        if kind == 'deaf':
            while True: time.sleep(20); s.sendall(message(4))
        elif kind == 'dribble':
            threading.Thread(target=lambda: [None for _ in iter(lambda: s.recv(65536), b'')], daemon=True).start()
            attributes = b'\x40\x01\x01\x00\x40\x02\x00\x40\x03\x04' + socket.inet_aton(local) + b'\x40\x05\x04\x00\x00\x00\x64'
            while True:
                for byte in message(2, b'\x00\x00' + struct.pack('!H', len(attributes)) + attributes + b'\x18\x0b\x00\x00'): s.sendall(bytes([byte])); time.sleep(1)
        else:
            garbage = os.urandom(1 << 16)
            while True: s.sendall(message(2, garbage[:random.randrange(4, 4000)]) + garbage)
    except OSError: pass
    try: s.close()
    except Exception: pass
PY

peerctl() { birdc -s "$RUN/sender.ctl" "$@" >/dev/null; }
routes() { birdc -s "$RUN/receiver.ctl" show route count | awk '/of .* routes/ {print $1; exit}'; }
until_ready() {
    local end=$((SECONDS + 30)) what=$1
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { echo "$what" >&2; tail -n 5 "$RUN"/*.log >&2; exit 1; }
        sleep 0.1
    done
}
up() { birdc -s "$RUN/$1.ctl" show protocols dut | grep -q Established; }
hostile_up() { [ "$("$APUS_BIN/apusctl" peers --socket "$RUN/apus.sock" | grep -cE '^198.18.0.1[12] .*Established')" = 2 ]; }
# wait_for COUNT: until the receiver has so many
wait_for() {
    local end=$((SECONDS + 90))
    while [ "$(routes)" != "$1" ]; do
        [ $SECONDS -lt $end ] || { echo "the receiver has $(routes) routes and not $1" >&2; exit 1; }
        sleep 0.01
    done
}
median() { sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }

ip netns exec "$LAB-dut" "$APUS_BIN/apusd" reflector --node dut --resources "$RUN/resources" --secrets "$RUN" --state-dir "$RUN/state" --socket "$RUN/apus.sock" \
    --metrics 127.0.0.1:9091 --health 127.0.0.1:9091 > "$RUN/apusd.log" 2>&1 &
PIDS+=($!)
for name in sender receiver; do
    ip netns exec "$LAB-peer" bird -f -c "$RUN/$name.conf" -s "$RUN/$name.ctl" -P "$RUN/$name.pid" > "$RUN/$name.log" 2>&1 &
    PIDS+=($!)
done
until_ready "the sender does not come up" up sender
until_ready "the receiver does not come up" up receiver

start_hostile() {
    local kind last=11
    for kind in deaf dribble flood; do
        ip netns exec "$LAB-peer" nice -n 19 python3 "$RUN/hostile.py" $kind 198.18.0.$last > /dev/null 2>&1 &
        HOSTILE+=($!)
        last=$((last + 1))
    done
    until_ready "the hostile peers do not come up" hostile_up
}
stop_hostile() {
    for pid in "${HOSTILE[@]}"; do kill -9 "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; done
    HOSTILE=()
}
measure() {
    local start
    start=$(date +%s%N)
    peerctl enable fullset
    wait_for $COUNT
    peerctl disable fullset
    wait_for 0
    echo $((($(date +%s%N) - start) / 1000000)) >> "$RUN/$1.ms"
}
measure warm
for ((round = 1; round <= ROUNDS; round++)); do
    measure calm
    start_hostile
    measure hostile
    stop_hostile
    printf 'round %d: calm %s ms, hostile %s ms\n' "$round" "$(tail -n 1 "$RUN/calm.ms")" "$(tail -n 1 "$RUN/hostile.ms")"
done
calm=$(median < "$RUN/calm.ms") hostile=$(median < "$RUN/hostile.ms")
ratio=$(awk -v a="$hostile" -v b="$calm" 'BEGIN {printf "%.2f", a / b}')
echo "100,000 routes through the reflector and out again, medians of $ROUNDS rounds: calm $calm ms, with a deaf, a dribbling and a flooding peer $hostile ms, ratio $ratio (goal: 1.10 at most)"
awk -v r="$ratio" 'BEGIN {exit r > 1.10}'
