# make demo, make test: the two commands of the README. Each installs by package name what it lacks.
SHELL := /bin/bash
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
STRICT := --explicit-target-dependency-import-check error

BUILD_PACKAGES := libmnl-dev libssl-dev libyaml-dev pkg-config
DEMO_PACKAGES := bird2 gobgpd iproute2 iputils-ping procps util-linux tcpdump jq mandoc
LAB_PACKAGES := frr openbgpd exabgp python3 socat nftables iptables conntrack qemu-system-x86 linux-image-cloud-amd64 busybox-static cpio kmod binutils
BENCH_PACKAGES := bird2 frr openbgpd gobgpd iproute2 python3 python3-matplotlib

.PHONY: all build release install uninstall demo test sanitize bench bench-quick bench-growth bench-setup bench-micro bench-fib bench-hostile bench-questions conformance interop fuzz format lint man deps-build deps-demo deps-lab clean

all: build

deps-build:
	@scripts/install-packages.sh $(BUILD_PACKAGES)
deps-demo:
	@scripts/install-packages.sh $(BUILD_PACKAGES) $(DEMO_PACKAGES)
deps-lab:
	@scripts/install-packages.sh $(BUILD_PACKAGES) $(DEMO_PACKAGES) $(LAB_PACKAGES)

build: deps-build
	swift build $(STRICT)

# One file to copy, less than half of the memory, and few libraries to search for at start: the libraries of Swift and
# C++ are linked in, and OpenSSL's digests and libyaml; libmnl (LGPL) and the C library are shared. Nothing is exported,
# and relocations are packed where the C library can unpack them (glibc 2.36). SwiftPM puts the folders that pkg-config
# names before all others: the packages' descriptions are copied with the folder of static libraries in that place.
STATIC := $(CURDIR)/.build/static
RELR := $(shell getconf GNU_LIBC_VERSION | awk '{ split($$2, v, "."); if (v[1] > 2 || v[2] >= 36) print "-Xlinker -z -Xlinker pack-relative-relocs" }')
RELEASE := -c release --static-swift-stdlib --pkg-config-path $(STATIC) -Xswiftc -use-ld=lld -Xlinker --no-export-dynamic -Xlinker --as-needed -Xlinker -L$(STATIC) -Xswiftc -Xclang-linker -Xswiftc -static-libgcc $(RELR)

release: deps-build
	@mkdir -p $(STATIC)
	@for library in stdc++ crypto yaml; do ln -sf "$$(clang -print-file-name=lib$$library.a)" $(STATIC)/; done
	@for package in libcrypto yaml-0.1 libmnl; do sed 's|-L$${libdir}|-L$(STATIC)|' \
		"$$(pkg-config --variable pcfiledir $$package)/$$package.pc" > $(STATIC)/$$package.pc; done
	swift build $(RELEASE) $(STRICT)

# Binaries, man pages, units for systemd, completions, examples: below PREFIX and SYSCONFDIR, in DESTDIR. With BIN, the
# binaries in that folder, and nothing is built.
PREFIX := /usr/local
SYSCONFDIR := /etc
INSTALL = DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" scripts/install.sh
install: $(if $(BIN),,release)
	@BIN="$(if $(BIN),$(BIN),$$(swift build $(RELEASE) --show-bin-path))" $(INSTALL) install
uninstall:
	@$(INSTALL) uninstall

# Pods on several hosts reach each other over BGP, in five scenes (examples/lab).
demo: deps-demo release
	$(SUDO) APUS_BIN="$$(swift build $(RELEASE) --show-bin-path)" examples/lab/demo.sh

# Every test: units, the kernel's FIB, and the labs with BIRD, FRR, GoBGP, OpenBGPD and ExaBGP.
test: deps-lab lint
	swift build --build-tests $(STRICT)
	scripts/run-tests.sh
	scripts/sanitize.sh check core

# Unit tests and fuzz targets under AddressSanitizer and ThreadSanitizer. `make test` runs the core's units and
# the fuzz corpus under AddressSanitizer.
sanitize: deps-build
	scripts/sanitize.sh

# Side by side with BIRD, FRR, OpenBGPD and GoBGP: the tables and plots of docs/performance.md. Half an hour.
bench: bench-setup release
	$(BENCH) full
	$(BENCH) growth
	$(BENCH) keepalive

# The main ratios against BIRD, in under three minutes.
bench-quick: bench-setup release
	$(BENCH) quick

# Cost by the number of clients of a reflector.
bench-growth: bench-setup release
	$(BENCH) growth

bench-setup: deps-build
	@scripts/install-packages.sh $(BENCH_PACKAGES)

BENCH = $(SUDO) APUS_BIN="$$(swift build $(RELEASE) --show-bin-path)" Benchmarks/bench.py

# Nanoseconds and allocations a route, step by step.
bench-micro: release
	@cc -O2 -shared -fPIC -o .build/malloc-count.so Benchmarks/malloc-count.c -ldl
	@LD_PRELOAD="$$PWD/.build/malloc-count.so" "$$(swift build $(RELEASE) --show-bin-path)/MicroBenchmarks"

# 100,000 routes from one peer into the kernel, side by side with BIRD.
bench-fib: deps-demo release
	$(SUDO) APUS_BIN="$$(swift build $(RELEASE) --show-bin-path)" Benchmarks/bench-fib.sh

# What three hostile peers cost the others.
bench-hostile: deps-lab release
	$(SUDO) APUS_BIN="$$(swift build $(RELEASE) --show-bin-path)" Benchmarks/bench-hostile.sh

# What operators' questions cost the routing thread of an agent with 1,000,000 routes.
bench-questions: release
	$(SUDO) APUS_BIN="$$(swift build $(RELEASE) --show-bin-path)" Benchmarks/bench-questions.sh

# Regenerates the field list of apus.resources(5) from the declarations in Sources/Resources.
man: build
	scripts/generate-man.sh

# Writes docs/interop.md from what the interop labs saw.
interop: deps-lab
	swift build --build-tests $(STRICT)
	WRITE_INTEROP=true scripts/run-tests.sh

# libFuzzer on every codec, FUZZ_SECONDS each; what it finds goes into the corpus.
fuzz: deps-build
	scripts/fuzz.sh $(or $(FUZZ_SECONDS),60)

# Writes docs/conformance.md from what the conformance checks do.
conformance: deps-build
	swift build --build-tests $(STRICT)
	APUS_WRITE_DOCS=1 swift test --skip-build --filter ConformanceTests

lint:
	swift format lint --strict --recursive Sources Tests Benchmarks Package.swift
format:
	swift format --in-place --recursive Sources Tests Benchmarks Package.swift

clean:
	rm -rf .build .build-asan .build-tsan
