#!/bin/bash
# demo.sh: pods on several hosts reach each other over BGP, in five scenes, with the commands' real output.
#   APUS_BIN=.build/release examples/lab/demo.sh        as root; TOR=gobgp for GoBGP in BIRD's place; KEEP=1 keeps the logs
# Exit code 0 only where every scene held. The network is torn down however it ends.
set -u
[ "$(id -u)" = 0 ] || { echo "the demo makes network namespaces and needs root" >&2; exit 2; }
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
SUMMARY=()
scene() { printf '\n\033[1m== %s ==\033[0m\n' "$*" | { [ -t 1 ] && cat || sed 's/\x1b\[[0-9;]*m//g'; }; }
show() { echo "\$ $*"; }
held() { SUMMARY+=("$*"); echo "   $*"; }

make_network
mkdir -p "$RUN/resources" "$RUN/secrets"
cp "$HERE"/resources/*.yaml "$RUN/resources/"
make_pods
"start_tor_$TOR"
for node in node1 node2 node3 node4; do start_agent $node; done

scene "1. Full mesh: every pod reaches every pod, without NAT"
meshed() { [ "$(ctl "$1" peers -o json | grep -c '"state" : "Established"')" -ge 4 ]; }
for node in node1 node2 node3 node4; do until_true 30 "the mesh of $node is up" meshed $node; done
four_blocks() { [ "$(tor_table | wc -l)" = 4 ]; }
until_true 20 "the ToR has every block" four_blocks
until_true 20 "every pod answers" ping_everything
show apusctl peers; ctl node1 peers
show ip route show proto 73; in_ns node1 ip route show proto 73
result=$(ping_everything) || fail "pings: $result"
spawn p30 tcpdump -n -l -c 1 -i eth0 icmp and src 10.9.0.2 > "$RUN/capture" 2>/dev/null
until_true 10 "the outside host's ping is seen inside the pod" sh -c "ip netns exec $(ns outside) ping -c 1 -W 1 10.65.3.10; grep -q '10.9.0.2 > 10.65.3.10' $RUN/capture"
seen=$(in_ns outside ping -n -c 1 -W 2 10.65.3.10 | grep 'bytes from')
echo "   outside host: $seen"
case "$seen" in *"from 10.65.3.10:"*) ;; *) fail "the outside host does not see the pod's own address" ;; esac
held "1. full mesh: $result pings answered; the outside host sees the pod's own address"

scene "2. The ToR's table: the best path to each block is by the node that owns it, nothing else"
show "$([ "$TOR" = bird ] && echo birdc show route primary || echo gobgp global rib)"; tor_show
expected="10.65.1.0/26 via 10.0.1.1
10.65.2.0/26 via 10.0.1.2
10.65.3.0/26 via 10.0.1.3
10.65.4.0/26 via 10.0.2.4"
[ "$(tor_table)" = "$expected" ] || fail "the ToR's table is not as expected:
$(tor_table)"
held "2. the ToR ($TOR) has the four blocks, the best path to each by its owner, and nothing else"

scene "3. Two reflectors; the mesh is switched off by editing one resource"
start_reflector rr1
start_reflector rr2
reflected() { [ "$(ctl "$1" peers -o json | grep -c '"state" : "Established"')" -ge 6 ]; }
for node in node1 node2 node3 node4; do until_true 30 "$node is up with both reflectors" reflected $node; done
start_pinging s3a p10 10.65.3.10
start_pinging s3b p20 10.65.4.10
start_pinging s3c outside 10.65.2.11
for node in node1 node2 node3 node4; do
    spawn $node ip -ts monitor route > "$RUN/monitor-$node" 2>&1
done
sleep 0.5
show "sed -i 's/nodeToNodeMeshEnabled: true/nodeToNodeMeshEnabled: false/' cluster.yaml"
sed 's/nodeToNodeMeshEnabled: true/nodeToNodeMeshEnabled: false/' "$RUN/resources/cluster.yaml" > "$RUN/.cluster" && mv "$RUN/.cluster" "$RUN/resources/cluster.yaml"
only_reflectors() { ! ctl "$1" peers -o json | grep -q '"mesh/'; }
for node in node1 node2 node3 node4; do until_true 40 "$node has left the mesh" only_reflectors $node; done
sleep 1
show apusctl peers; ctl node1 peers
show "apusctl status   (on reflector rr1)"; ctl rr1 status
losses=
for ping in s3a s3b s3c; do
    loss=$(stop_pinging $ping) || fail "pings were lost while the mesh was switched off: $loss"
    losses="$losses$loss; "
done
result=$(ping_everything) || fail "pings over the reflectors: $result"
deleted=$(cat "$RUN"/monitor-* | grep -c Deleted)
[ "$deleted" = 0 ] || fail "$deleted routes were deleted while the mesh was switched off: $(cat "$RUN"/monitor-* | grep Deleted | head -5)"
ctl rr1 status | grep -q "no way to its routes" || fail "the reflector does not say that it has no way to the kernel's routes"
held "3. mesh to reflectors: ${losses}no route deleted on any node; $result pings answered"

scene "4. kill -9 of an agent: its pods go on pinging, and no route is deleted when it starts again"
start_pinging s4a p10 10.65.2.10
start_pinging s4b p40 10.65.1.11
start_pinging s4c outside 10.65.1.10
sleep 0.5
show "kill -9 \$(pid of apusd on node1)"
kill -9 "$(cat "$RUN/node1/pid")"
sleep 2
start_agent node1
back() { ctl node1 status -o json | grep -q '"peersEstablished" : 3'; }
until_true 30 "node1 is back with its peers" back
settled() { ctl node1 fib >/dev/null && ctl node1 status; }
until_true 30 "node1 is healthy" settled
sleep 3
losses=
for ping in s4a s4b s4c; do
    loss=$(stop_pinging $ping) || fail "pings were lost while the agent was away: $loss"
    losses="$losses$loss; "
done
show "ip -ts monitor route | grep -c Deleted"
deleted=$(cat "$RUN"/monitor-* | grep -c Deleted)
echo "$deleted"
[ "$deleted" = 0 ] || fail "$deleted routes were deleted: $(cat "$RUN"/monitor-* | grep Deleted | head -5)"
held "4. kill -9 and restart: ${losses}no route deleted on any node"

scene "5. A pod moves to another node and keeps its address"
show "pod p10 (10.65.1.10) leaves node1 and is wired to node2"
ip -n "$(ns node1)" link del calip10
wire_pod p10 node2 10.65.1.10
declare_pod p10 node2 10.65.1.10
moved() { in_ns "$1" ip route get 10.65.1.10 | grep -q "$2"; }
until_true 20 "node1 sends to node2" moved node1 10.0.1.2
until_true 20 "node3 sends to node2" moved node3 10.0.1.2
until_true 20 "node2 sends to the pod" moved node2 calip10
host_route() { tor_table | grep -q '^10.65.1.10/32 via 10.0.1.2$'; }
until_true 20 "the ToR has the /32" host_route
until_true 20 "every pod answers" ping_everything
show ip route get 10.65.1.10; in_ns node3 ip route get 10.65.1.10
show "apusctl why 10.65.1.10"; ctl node3 why 10.65.1.10
result=$(ping_everything) || fail "pings after the move: $result"
held "5. the pod moved with its address: the /32 follows, $result pings answered"

printf '\nSummary\n'
printf '  ok  %s\n' "${SUMMARY[@]}"
printf 'All five scenes held, in %s seconds.\n' "$SECONDS"
