#!/bin/bash
# generate-man.sh: put the generated field list into man/apus.resources.5, between its two marks.
set -e
cd "$(dirname "$0")/.."
page=man/apus.resources.5
fields=$(mktemp)
trap 'rm -f "$fields"' EXIT
"$(swift build --show-bin-path)/apusd" man-fields > "$fields"
awk -v fields="$fields" '
    /^\.\\" BEGIN GENERATED/ { print; while ((getline line < fields) > 0) print line; skip = 1; next }
    /^\.\\" END GENERATED/ { skip = 0 }
    !skip { print }' "$page" > "$page.new"
mv "$page.new" "$page"
