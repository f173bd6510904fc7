#!/bin/bash
# lab.sh: the demo's network, made of namespaces of its own. Sourced by demo.sh; nothing outside the namespaces is touched.
#
#      outside 10.9.0.2                                pods 10.65.N.10 and .11 on each node N, block 10.65.N.0/26
#          |
#   ToR 10.9.0.1 ── AS 65000, BIRD (or GoBGP with TOR=gobgp)
#     | 10.0.1.254                  | 10.0.2.254
#   switch ── node1 .1              |
#     |   ├── node2 .2            node4 10.0.2.4
#     |   ├── node3 .3
#     |   └── rr1 .11, rr2 .12  (apusd reflector, unprivileged)

: "${APUS_BIN:?the folder with apusd and apusctl}" "${TOR:=bird}"
LAB=a$$
RUN=$(mktemp -d "/tmp/apus-lab.XXXXXX")
chmod 755 "$RUN"
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PIDS=()
NAMESPACES=()

ns() { echo "$LAB-$1"; }
# in NAME COMMAND...: run a command in a namespace of the lab
in_ns() { local name; name=$(ns "$1"); shift; ip netns exec "$name" "$@"; }
# spawn NAME COMMAND...: the same in the background, ended by teardown; $SPAWNED is its process id
spawn() {
    local name
    name=$(ns "$1")
    shift
    ip netns exec "$name" env --default-signal=INT "$@" &
    SPAWNED=$!
    PIDS+=("$SPAWNED")
}

teardown() {
    trap - EXIT
    local pid name
    for pid in "${PIDS[@]}"; do kill -9 "$pid" 2>/dev/null; done
    wait 2>/dev/null
    for name in "${NAMESPACES[@]}"; do ip netns del "$name" 2>/dev/null; done
    if [ -n "${KEEP:-}" ]; then echo "files are in $RUN"; else rm -rf "$RUN"; fi
}
trap teardown EXIT
trap 'exit 130' INT TERM HUP

fail() {
    echo "FAILED: $*" >&2
    local log
    for log in "$RUN"/*.log; do [ -s "$log" ] && { echo "--- ${log##*/} (last lines)" >&2; tail -n 15 "$log" >&2; }; done
    exit 1
}

# until_true SECONDS WHAT COMMAND...: wait for a state, with a deadline
until_true() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "$what: not within the time ($*)"
        sleep 0.1
    done
}

add_namespace() {
    ip netns add "$(ns "$1")" || fail "cannot make a namespace (root is needed)"
    NAMESPACES+=("$(ns "$1")")
    ip -n "$(ns "$1")" link set lo up
}

# link NAME1 IFACE1 NAME2 IFACE2
add_link() {
    ip -n "$(ns "$1")" link add "$2" type veth peer name "$4" netns "$(ns "$3")" || fail "cannot make a veth pair"
    ip -n "$(ns "$1")" link set "$2" up
    ip -n "$(ns "$3")" link set "$4" up
}

on_switch() { # NAME ADDRESS
    add_namespace "$1"
    add_link "$1" eth0 switch "port-$1"
    ip -n "$(ns switch)" link set "port-$1" master br0
    ip -n "$(ns "$1")" addr add "$2" dev eth0
    ip -n "$(ns "$1")" route add default via 10.0.1.254
}

make_network() {
    add_namespace switch
    ip -n "$(ns switch)" link add br0 type bridge
    ip -n "$(ns switch)" link set br0 up
    add_namespace tor
    in_ns tor sysctl -qw net.ipv4.ip_forward=1
    add_link tor lan0 switch port-tor
    ip -n "$(ns switch)" link set port-tor master br0
    ip -n "$(ns tor)" addr add 10.0.1.254/24 dev lan0
    for n in 1 2 3; do on_switch "node$n" "10.0.1.$n/24"; done
    on_switch rr1 10.0.1.11/24
    on_switch rr2 10.0.1.12/24
    add_namespace node4
    add_link tor lan1 node4 eth0
    ip -n "$(ns tor)" addr add 10.0.2.254/24 dev lan1
    ip -n "$(ns node4)" addr add 10.0.2.4/24 dev eth0
    ip -n "$(ns node4)" route add default via 10.0.2.254
    add_namespace outside
    add_link tor out0 outside eth0
    ip -n "$(ns tor)" addr add 10.9.0.1/24 dev out0
    ip -n "$(ns outside)" addr add 10.9.0.2/24 dev eth0
    ip -n "$(ns outside)" route add default via 10.9.0.1
}

# wire_pod POD NODE ADDRESS: what a CNI plugin does, and nothing more: a veth, the pod's address, its gateway 169.254.1.1
wire_pod() {
    local pod=$1 node=$2 address=$3 iface=cali$1
    ip -n "$(ns "$pod")" link add eth0 type veth peer name "$iface" netns "$(ns "$node")"
    ip -n "$(ns "$node")" link set "$iface" address ee:ee:ee:ee:ee:ee up
    ip -n "$(ns "$pod")" addr add "$address/32" dev eth0
    ip -n "$(ns "$pod")" link set eth0 up
    ip -n "$(ns "$pod")" route add 169.254.1.1 dev eth0 scope link
    ip -n "$(ns "$pod")" route add default via 169.254.1.1
}

# declare_pod POD NODE ADDRESS: the pod's WorkloadEndpoint, written whole and then moved in, so that it is never seen half
declare_pod() {
    cat > "$RUN/.$1.tmp" <<YAML
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: $1, namespace: demo}
spec: {node: $2, interfaceName: cali$1, ipNetworks: [$3/32]}
YAML
    mv "$RUN/.$1.tmp" "$RUN/resources/pod-$1.yaml"
}

make_pods() {
    local n p
    PODS=()
    for n in 1 2 3 4; do
        for p in 0 1; do
            local pod=p$n$p address=10.65.$n.1$p
            add_namespace "$pod"
            wire_pod "$pod" "node$n" "$address"
            declare_pod "$pod" "node$n" "$address"
            PODS+=("$pod $address")
        done
    done
}

start_agent() { # NODE
    mkdir -p "$RUN/$1"
    spawn "$1" "$APUS_BIN/apusd" agent --node "$1" --resources "$RUN/resources" --secrets "$RUN/secrets" \
        --state-dir "$RUN/$1/state" --socket "$RUN/$1/apusd.sock" >>"$RUN/$1.log" 2>&1
    echo "$SPAWNED" > "$RUN/$1/pid"
}

start_reflector() { # NODE: as nobody, with no capability but the one to bind port 179
    mkdir -p "$RUN/$1"
    chown nobody "$RUN/$1"
    spawn "$1" setpriv --reuid=nobody --clear-groups --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service \
        --bounding-set=-all,+net_bind_service \
        "$APUS_BIN/apusd" reflector --node "$1" --resources "$RUN/resources" --secrets "$RUN/secrets" \
        --state-dir "$RUN/$1/state" --socket "$RUN/$1/apusd.sock" >>"$RUN/$1.log" 2>&1
    echo "$SPAWNED" > "$RUN/$1/pid"
}

ctl() { local node=$1; shift; "$APUS_BIN/apusctl" "$@" --socket "$RUN/$node/apusd.sock"; }

start_tor_bird() {
    {
        echo 'log stderr all; router id 10.0.1.254;'
        echo 'protocol device { scan time 2; }'
        echo 'protocol direct { ipv4; interface "out0"; }'
        echo 'protocol kernel { merge paths; ipv4 { import none; export where source = RTS_BGP; }; }'
        echo 'template bgp node { local as 65000; graceful restart; connect retry time 1; error wait time 1, 5; ipv4 { import all; export where source = RTS_DEVICE; }; }'
        for n in 1 2 3; do echo "protocol bgp node$n from node { neighbor 10.0.1.$n as 64512; }"; done
        echo 'protocol bgp node4 from node { neighbor 10.0.2.4 as 64512; }'
    } > "$RUN/bird.conf"
    spawn tor bird -f -c "$RUN/bird.conf" -s "$RUN/bird.ctl" >"$RUN/bird.log" 2>&1
}

start_tor_gobgp() {
    {
        echo '[global.config]'
        echo 'as = 65000'
        echo 'router-id = "10.0.1.254"'
        local neighbor
        for neighbor in 10.0.1.1 10.0.1.2 10.0.1.3 10.0.2.4; do
            echo '[[neighbors]]'
            echo '[neighbors.config]'
            echo "neighbor-address = \"$neighbor\""
            echo 'peer-as = 64512'
            echo '[neighbors.timers.config]'
            echo 'connect-retry = 5'
            echo '[neighbors.graceful-restart.config]'
            echo 'enabled = true'
            echo 'restart-time = 120'
            echo '[[neighbors.afi-safis]]'
            echo '[neighbors.afi-safis.config]'
            echo 'afi-safi-name = "ipv4-unicast"'
            echo '[neighbors.afi-safis.mp-graceful-restart.config]'
            echo 'enabled = true'
        done
    } > "$RUN/gobgp.toml"
    spawn tor gobgpd -f "$RUN/gobgp.toml" --api-hosts 127.0.0.1:50051 >"$RUN/gobgp.log" 2>&1
    until_true 10 "GoBGP starts" in_ns tor gobgp global
    in_ns tor gobgp global rib add 10.9.0.0/24 nexthop 10.0.1.254 >/dev/null
    # gobgpd has no way to the kernel; its best paths are put there by this loop.
    (while sleep 0.2; do
        wanted=$(tor_table | sed 's/ via / /' | sort -u)
        present=$(in_ns tor ip -4 route show proto 186 | awk '{ if ($1 !~ "/") $1 = $1 "/32"; print $1, $3 }' | sort -u)
        [ -n "$wanted" ] || continue
        comm -23 <(echo "$wanted") <(echo "$present") | while read -r prefix hop; do in_ns tor ip route replace "$prefix" via "$hop" proto 186; done
        comm -13 <(echo "$wanted" | cut -d' ' -f1 | sort) <(echo "$present" | cut -d' ' -f1 | sort) | while read -r prefix; do
            in_ns tor ip route del "$prefix" proto 186
        done
    done) >/dev/null 2>&1 &
    PIDS+=($!)
}

# tor_table: 'PREFIX via NEXTHOP' of everything that the ToR learned from nodes, by its best path
tor_table() {
    if [ "$TOR" = bird ]; then
        birdc -s "$RUN/bird.ctl" show route primary where source = RTS_BGP 2>/dev/null | awk '$1 ~ "/" {p = $1} $1 == "via" {print p, "via", $2}' | sort -V
    else
        in_ns tor gobgp global rib -j 2>/dev/null | jq -r 'to_entries[] | .key as $p | .value[] | select(.best) | .attrs[] | select(.type == 3) | select(.nexthop != "10.0.1.254") | "\($p) via \(.nexthop)"' | sort -V
    fi
}
# tor_show: the same, in the ToR's own words
tor_show() {
    if [ "$TOR" = bird ]; then
        birdc -s "$RUN/bird.ctl" show route primary where source = RTS_BGP | grep -v '^BIRD'
    else
        in_ns tor gobgp global rib
    fi
}

# ping_once FROM ADDRESS
ping_once() { in_ns "$1" ping -n -q -c 1 -W 2 "$2" >/dev/null 2>&1; }

# ping_everything: every pod and the outside host to every pod; prints how many answered
ping_everything() {
    local from to good=0 jobs=() job
    for from in "${PODS[@]}" "outside 10.9.0.2"; do
        for to in "${PODS[@]}"; do
            [ "$from" = "$to" ] && continue
            ping_once "${from% *}" "${to#* }" &
            jobs+=($!)
        done
    done
    for job in "${jobs[@]}"; do wait "$job" && good=$((good + 1)); done
    echo "$good of ${#jobs[@]}"
    [ "$good" = "${#jobs[@]}" ]
}

# start_pinging NAME FROM ADDRESS: twenty pings a second until stop_pinging
start_pinging() {
    spawn "$2" ping -n -i 0.05 -W 2 "$3" > "$RUN/ping-$1" 2>&1
    echo "$SPAWNED" > "$RUN/ping-$1.pid"
}
# stop_pinging NAME: prints 'SENT sent, LOST lost'; fails where any was lost
stop_pinging() {
    kill -INT "$(cat "$RUN/ping-$1.pid")"
    local i
    for i in $(seq 50); do grep -q 'packets transmitted' "$RUN/ping-$1" && break; sleep 0.1; done
    local sent received
    read -r sent received < <(awk '/packets transmitted/ {print $1, $4}' "$RUN/ping-$1")
    # The last one may still be on its way.
    local lost=$((sent - received))
    [ "$lost" = 1 ] && ! grep -q "icmp_seq=$sent " "$RUN/ping-$1" && lost=0
    echo "$sent sent, $lost lost"
    [ "$lost" = 0 ] && [ "$sent" -gt 20 ]
}
