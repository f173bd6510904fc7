#!/bin/bash
# run-tests.sh: units first, then the labs, which need root. Where they cannot run a line says so, and under CI=true that is a failure.
set -u
swift test --skip-build --skip LabTests || exit 1
if [ "$(id -u)" = 0 ]; then
    runner=()
elif sudo -n true 2>/dev/null; then
    runner=(sudo -n env "PATH=$PATH" "CI=${CI:-}")
else
    echo "SKIPPED: the labs (LabTests) make network namespaces and need root; run 'sudo make test'"
    [ "${CI:-}" = true ] && exit 1
    exit 0
fi
results=$(mktemp)
trap 'rm -f "$results" "$results.md"' EXIT
"${runner[@]}" env "APUS_INTEROP_RESULTS=$results" swift test --skip-build --filter LabTests || exit 1
scripts/interop-table.sh "$results" > "$results.md"
if [ "${WRITE_INTEROP:-}" = true ]; then
    cp "$results.md" docs/interop.md
elif ! diff -u docs/interop.md "$results.md"; then
    echo "docs/interop.md says something else than the labs saw: make interop"
    exit 1
fi
