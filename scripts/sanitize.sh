#!/bin/bash
# sanitize.sh [PART...]: unit tests and fuzz targets under AddressSanitizer and ThreadSanitizer. Parts, all of them unless some are named:
#   check     a program that uses memory after it was freed must be caught: the set-up works
#   core      the units of what reads and writes bytes, and the fuzz corpus, under AddressSanitizer: the part of `make test`
#   address   every unit test and the fuzz corpus under AddressSanitizer
#   thread    what runs on several threads under ThreadSanitizer
#   fuzz      libFuzzer on each target under AddressSanitizer, FUZZ_SECONDS each (10)
# A finding ends it with a report and a status that is not 0.
#
# The builds are optimized: without, a read through a pointer happens inside of Swift's library, which is not instrumented, and a use
# after free goes unseen.
set -eu
cd "$(dirname "$0")/.."
# Leaks are not looked for: Swift's runtime and the C library keep memory until the end. Swift's own allocator is malloc, which the sanitizer replaces.
export ASAN_OPTIONS=detect_leaks=0:halt_on_error=1:abort_on_error=0:detect_stack_use_after_return=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
export APUS_SANITIZE=1
STRICT="--explicit-target-dependency-import-check error"

check() {
    local folder=.build-asan/check
    mkdir -p "$folder"
    cat > "$folder/main.swift" <<'SWIFT'
var bytes: UnsafeRawBufferPointer
do {
    let array = UnsafeMutableRawBufferPointer.allocate(byteCount: 19, alignment: 1)
    array.initializeMemory(as: UInt8.self, repeating: 0xFF)
    bytes = UnsafeRawBufferPointer(array)
    array.deallocate()
}
print(bytes[0])
SWIFT
    swiftc -O -use-ld=lld -sanitize=address "$folder/main.swift" -o "$folder/use-after-free"
    if "$folder/use-after-free" > "$folder/report" 2>&1 || ! grep -q 'heap-use-after-free' "$folder/report"; then
        echo "AddressSanitizer does not catch a use after free:"
        cat "$folder/report"
        exit 1
    fi
    echo "check: $(grep -o 'ERROR: AddressSanitizer: heap-use-after-free' "$folder/report" | head -1), as it must be"
}

build_address() { swift build --build-tests --sanitize=address --scratch-path .build-asan -Xswiftc -O -Xswiftc -use-ld=lld $STRICT; }

core() {
    build_address
    swift test --skip-build --sanitize=address --scratch-path .build-asan --skip MemoryTests \
        --filter 'NetTypesTests|BGP.*Tests|BFDTests|ConformanceTests|FuzzTests|FIBTests|StatusAPITests|ResourcesTests'
}

address() {
    build_address
    # What memory costs under a sanitizer says nothing.
    swift test --skip-build --sanitize=address --scratch-path .build-asan --skip 'LabTests|MemoryTests'
}

thread() {
    swift build --build-tests --sanitize=thread --scratch-path .build-tsan -Xswiftc -O -Xswiftc -use-ld=lld $STRICT
    swift test --skip-build --sanitize=thread --scratch-path .build-tsan --filter 'LinuxIOTests|AgentTests|LoadGeneratorTests' --skip MemoryTests
}

fuzz() { SANITIZE=address scripts/fuzz.sh "${FUZZ_SECONDS:-10}"; }

PARTS=("$@")
[ ${#PARTS[@]} -gt 0 ] || PARTS=(check address thread fuzz)
for part in "${PARTS[@]}"; do "$part"; done
echo "sanitize: clean (${PARTS[*]})"
