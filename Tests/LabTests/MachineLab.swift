import Foundation
import StrictWire
import Testing

/// A virtual machine with Debian's kernel, for what the machine's own kernel lacks: an initramfs with our programs, a
/// script, and its verdicts on the serial line.
struct Machine {
    /// Runs a script (of a POSIX shell) in a machine of its own; answers what it printed. It has `ip`, `ping`,
    /// `bridge`, `apusd` and `apusctl`, a function `check NAME COMMAND...`, and `wait_for SECONDS COMMAND...`.
    static func run(_ script: String, modules: [String], timeout: Double = 240) throws -> String {
        let lab = try Lab()
        let root = lab.folder + "/root"
        let kernels = try FileManager.default.contentsOfDirectory(atPath: "/boot").filter {
            $0.hasPrefix("vmlinuz-") && $0.contains("cloud")
        }.sorted()
        let kernel = try #require(kernels.last, "no linux-image-cloud-amd64 is installed: make test installs it")
        let version = String(kernel.dropFirst("vmlinuz-".count))
        let setup = """
            set -e
            mkdir -p \(root)/{bin,sbin,lib,lib64,proc,sys,dev,run,tmp,etc,var} && cd \(root)
            cp "$(command -v busybox)" bin/busybox
            for tool in mount mkdir cat grep sleep nc dd md5sum insmod modprobe printf wc kill seq mv sed cut tail \
            head date true; do ln -s busybox bin/$tool; done
            # Not BusyBox's shell: that one takes its own ip and ping in place of ours.
            ln -s dash bin/sh
            ln -s ../bin/busybox sbin/modprobe
            for program in \(Lab.products)/apusd \(Lab.products)/apusctl "$(command -v ip)" "$(command -v ping)" \
            "$(command -v bridge)" "$(command -v dash)" "$(command -v tcpdump)" "$(command -v base64)"; do
                strip -o bin/${program##*/} "$program" 2>/dev/null || cp "$program" bin/
                ldd "$program" | grep -o '/[^ ]*' | while read -r library; do mkdir -p ./${library%/*}; [ -e \
            ./$library ] || cp -L $library ./$library; done
            done
            for module in \(modules.joined(separator: " ")); do
                for file in $(modprobe -S \(version) --show-depends $module | grep -o '/lib/modules[^ ]*'); do mkdir \
            -p ./${file%/*}; cp -u $file ./$file; done
            done
            cp /lib/modules/\(version)/modules.{builtin,order} lib/modules/\(version)/
            depmod -b . \(version)
            cp \(lab.folder)/init init
            chmod 755 init
            find . | cpio -o -H newc --quiet > \(lab.folder)/initramfs
            """
        let prologue = """
            #!/bin/sh
            export PATH=/bin:/sbin HOME=/tmp
            mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs run /run; \
            mount -t tmpfs tmp /tmp
            ip link set lo up
            check() { name=$1; shift; if "$@" >/tmp/out 2>&1; then echo "CHECK pass: $name"; else echo "CHECK FAIL: \
            $name: $* said: $(head -c 2000 /tmp/out)"; fi; }
            wait_for() { end=$(($(date +%s) + $1)); shift; until "$@" >/tmp/out 2>&1; do [ $(date +%s) -ge $end ] && { \
            cat /tmp/out; return 1; }; sleep 0.2; done; }
            capture() { [ -e /tmp/$1.pcap ] || { ip netns exec $1 tcpdump -i any -n -U -Z root -w /tmp/$1.pcap tcp \
            port 179 2>/tmp/$1.dump & wait_for 20 grep -q 'listening on' /tmp/$1.dump; echo $! >> /tmp/dumps; }; }
            in_ns() { space=$1; shift; ip netns exec $space "$@"; }

            """
        try (prologue + script + "\n" + Self.captures + "\necho MACHINE END\necho o > /proc/sysrq-trigger\nsleep 60\n")
            .write(
                toFile: lab.folder + "/init", atomically: true, encoding: .utf8)
        let made = try Lab.run(["bash", "-c", setup])
        try #require(made.status == 0, "\(made.text)")
        let machine = Process()
        machine.executableURL = URL(filePath: "/usr/bin/env")
        machine.arguments = [
            "qemu-system-x86_64", "-accel", "tcg", "-m", "1024", "-nographic", "-no-reboot", "-nodefaults", "-serial",
            "file:\(lab.folder)/serial", "-kernel", "/boot/\(kernel)",
            "-initrd", lab.folder + "/initramfs", "-append", "console=ttyS0 quiet panic=-1 rdinit=/init",
        ]
        machine.standardInput = FileHandle.nullDevice
        try machine.run()
        let end = Date().addingTimeInterval(timeout)
        while machine.isRunning, Date() < end, !lab.log("serial").contains("MACHINE END") {
            Thread.sleep(forTimeInterval: 0.2)
        }
        if machine.isRunning { kill(machine.processIdentifier, SIGKILL) }
        machine.waitUntilExit()
        let text = lab.log("serial")
        try #require(
            text.contains("MACHINE END"), "the machine did not get to the end of its script:\n\(text.suffix(4000))")
        try readCaptures(text)
        return text
    }

    /// Ends the captures and prints them.
    private static let captures = """
        if [ -e /tmp/dumps ]; then
            kill $(cat /tmp/dumps); sleep 1
            for file in /tmp/*.pcap; do echo "CAPTURE $(base64 -w 0 $file) $file"; done
        fi
        """

    /// Every byte of every BGP stream that a daemon of the machine sent, read strictly.
    private static func readCaptures(_ text: String) throws {
        for line in text.split(separator: "\n") where line.hasPrefix("CAPTURE ") {
            let words = line.trimmingCharacters(in: .whitespacesAndNewlines).split(separator: " ")
            let file = try #require(
                words.count == 3 ? Data(base64Encoded: String(words[1])) : nil, "the capture did not arrive whole")
            let result = try Capture.read([UInt8](file))
            #expect(result.violations.isEmpty && result.messages > 0, "\(words[2])")
        }
    }
}

@Suite(.serialized) struct MachineLab {
    /// Two nodes behind a router that knows nothing of pods.
    private static let nodes = """
        for node in 1 2; do
            ip netns add n$node; ip netns add p$node
        done
        ip netns add r
        for node in 1 2; do
            ip -n n$node link add eth0 type veth peer name n$node netns r
            ip -n n$node link set lo up; ip -n n$node link set eth0 up; ip -n r link set n$node up
            ip -n n$node addr add 10.0.$node.$node/24 dev eth0; ip -n r addr add 10.0.$node.254/24 dev n$node
            ip -n n$node route add default via 10.0.$node.254
            ip -n n$node link add cali0 type veth peer name eth0 netns p$node
            ip -n n$node link set cali0 address ee:ee:ee:ee:ee:ee; ip -n n$node link set cali0 up
            ip -n p$node link set eth0 up; ip -n p$node addr add 10.65.$node.7/32 dev eth0
            ip -n p$node route add 169.254.1.1 dev eth0 scope link; ip -n p$node route add default via 169.254.1.1 dev \
        eth0
        done
        in_ns r sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
        mkdir -p /tmp/resources
        resources() {
            {
                for node in 1 2; do
                    printf 'apiVersion: projectcalico.org/v3\\nkind: Node\\nmetadata: {name: n%s}\\nspec: {bgp: \
        {ipv4Address: 10.0.%s.%s/24, ipv4IPIPTunnelAddr: 10.65.%s.1}}\\n---\\n' $node $node $node $node
                    printf 'apiVersion: projectcalico.org/v3\\nkind: BlockAffinity\\nmetadata: {name: b%s}\\nspec: \
        {node: n%s, cidr: 10.65.%s.0/26, state: confirmed}\\n---\\n' $node $node $node
                    printf 'apiVersion: projectcalico.org/v3\\nkind: WorkloadEndpoint\\nmetadata: {name: p%s}\\nspec: \
        {node: n%s, interfaceName: cali0, ipNetworks: [10.65.%s.7/32]}\\n---\\n' $node $node $node
                done
                printf 'apiVersion: projectcalico.org/v3\\nkind: IPPool\\nmetadata: {name: pool}\\nspec: {cidr: \
        10.65.0.0/16, ipipMode: %s}\\n' $1
            } > /tmp/.r.yaml
            mv /tmp/.r.yaml /tmp/resources/r.yaml
        }
        start() { capture n$1; ip netns exec n$1 apusd agent --node n$1 --resources /tmp/resources --state-dir \
        /tmp/state$1 --socket /tmp/n$1.sock --metrics "" --health "" > /tmp/n$1.log 2>&1 & eval pid$1=$!; }
        has() { ip -n $1 route show proto 73 | grep -q -F "$2"; }

        """

    @Test
    func
        `IPIP carries pods' packets on Debian's kernel: one device for all nodes, full packets, a restart without a loss, and none when no pool wants it`()
        throws
    {
        let output = try Machine.run(
            Self.nodes + """
                resources Always
                start 1; start 2
                check "routes lead through tunl0" wait_for 60 has n1 "10.65.2.0/26 via 10.0.2.2 dev tunl0"
                check "and back" wait_for 60 has n2 "10.65.1.0/26 via 10.0.1.1 dev tunl0"
                check "the MTU is 20 less" sh -c 'ip -n n1 link show tunl0 | grep -q "mtu 1480"'
                check "it has the node's address in the tunnel" sh -c 'ip -n n1 addr show tunl0 | grep -q \
                "10.65.1.1/32"'
                check "pods reach each other" in_ns p1 ping -q -c 3 -W 5 10.65.2.7
                check "a full packet fits" in_ns p1 ping -q -c 1 -W 5 -M do -s 1452 10.65.2.7
                check "one byte more does not fit" sh -c '! ip netns exec p1 ping -q -c 1 -W 5 -M do -s 1453 \
                10.65.2.7'
                check "they went through the tunnel" sh -c 'ip -s -n n2 link show tunl0 | grep -A1 "RX:" | tail -1 | \
                grep -v -q "^ *0 "'
                check "the host reaches pods" in_ns n1 ping -q -c 1 -W 5 10.65.2.7
                sleep 60 | ip netns exec p2 busybox nc -l -p 7777 > /tmp/received &
                sleep 1
                in_ns p1 sh -c 'dd if=/dev/zero bs=1000 count=1000 2>/dev/null | busybox nc 10.65.2.7 7777'
                check "a megabyte arrives" wait_for 20 sh -c '[ $(wc -c < /tmp/received) = 1000000 ]'
                ip netns exec p1 ping -q -i 0.1 -c 100 10.65.2.7 > /tmp/ping & ping=$!
                kill -9 $pid1; sleep 0.5; start 1
                wait $ping
                check "a restart loses nothing" grep -q " 0% packet loss" /tmp/ping
                check "fib is in step" wait_for 20 apusctl fib --socket /tmp/n1.sock
                ip -n n1 link set tunl0 down
                check "set down by another it comes up again with its routes" wait_for 20 has n1 "10.65.2.0/26 via \
                10.0.2.2 dev tunl0"
                resources Never
                check "no pool wants it: it is down and without address" wait_for 30 sh -c 'ip -n n1 addr show tunl0 | \
                grep -q "state DOWN" && ! ip -n n1 addr show tunl0 | grep -q inet'
                resources CrossSubnet
                check "the other subnet is reached by the tunnel again" wait_for 30 has n1 "10.65.2.0/26 via 10.0.2.2 \
                dev tunl0"
                check "and pods reach each other" in_ns p1 ping -q -c 2 -W 5 10.65.2.7
                cat /tmp/n1.log
                """, modules: ["veth", "ipip"])
        let failed = output.split(whereSeparator: \.isNewline).filter { $0.contains("CHECK FAIL") }
        #expect(failed.isEmpty, "\(failed.joined(separator: "\n"))\n\(output.suffix(3000))")
        #expect(
            output.split(whereSeparator: \.isNewline).count { $0.contains("CHECK pass") } == 16,
            "\(output.suffix(3000))")
    }
}
