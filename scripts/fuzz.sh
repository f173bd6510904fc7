#!/bin/bash
# fuzz.sh [SECONDS] [TARGET...]: runs libFuzzer on each codec for so long (60 s unless said otherwise), from the corpus in Tests/FuzzTests/Corpus.
# What it finds beyond is merged into the corpus; a crash ends it, and its input is in .build/fuzz.
# SANITIZE=address: under AddressSanitizer too, in .build-asan/fuzz, and the corpus stays as it is.
set -e
cd "$(dirname "$0")/.."
SECONDS_EACH=${1:-60}
shift || true
SANITIZE=${SANITIZE:-}
OUT=.build${SANITIZE:+-asan}/fuzz
mkdir -p "$OUT"
FLAGS=(-package-name apus -parse-as-library -O -swift-version 6 "-sanitize=fuzzer${SANITIZE:+,$SANITIZE}" -I "$OUT" -enable-upcoming-feature InternalImportsByDefault
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility -enable-experimental-feature Lifetimes)
OBJECTS=()
for module in NetTypes BGPMessages BGPSession BGPRouting BGPSpeaker BFD; do
    mapfile -t files < <(find "Sources/$module" -name '*.swift')
    swiftc "${FLAGS[@]}" -wmo -module-name "$module" -emit-module -emit-module-path "$OUT/$module.swiftmodule" -c "${files[@]}" -o "$OUT/$module.o"
    OBJECTS+=("$OUT/$module.o")
done
TARGETS=("$@")
[ ${#TARGETS[@]} -gt 0 ] || mapfile -t TARGETS < <(grep -oE '^        \("[a-z]+"|\("[a-z]+", [a-z]+\)' Tests/FuzzTests/FuzzTargets.swift | grep -oE '"[a-z]+"' | tr -d '"' | sort -u)
for target in "${TARGETS[@]}"; do
    cat > "$OUT/entry.swift" <<SWIFT
@_cdecl("LLVMFuzzerTestOneInput") public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzTargets.$target(UnsafeRawBufferPointer(start: start, count: count).bytes)
    return 0
}
SWIFT
    swiftc "${FLAGS[@]}" -module-name "Fuzz" Tests/FuzzTests/FuzzTargets.swift "$OUT/entry.swift" "${OBJECTS[@]}" -o "$OUT/fuzz-$target"
    corpus="Tests/FuzzTests/Corpus/$target"
    mkdir -p "$corpus" "$OUT/new-$target"
    echo "fuzzing $target for $SECONDS_EACH s"
    "$OUT/fuzz-$target" -max_total_time="$SECONDS_EACH" -max_len=4096 -artifact_prefix="$OUT/$target-" -print_final_stats=0 -verbosity=0 "$OUT/new-$target" "$corpus"
    [ -z "$SANITIZE" ] || continue
    rm -rf "$OUT/merged" && mkdir "$OUT/merged"
    "$OUT/fuzz-$target" -merge=1 -verbosity=0 "$OUT/merged" "$corpus" "$OUT/new-$target" 2>/dev/null
    rm -rf "$corpus" && mv "$OUT/merged" "$corpus"
    echo "$target: $(find "$corpus" -type f | wc -l) inputs"
done
