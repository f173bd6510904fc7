#!/bin/bash
# install.sh install | uninstall: what `make install` and `make uninstall` do. DESTDIR, PREFIX, SYSCONFDIR and BIN (the
# folder with the built binaries) are variables.
#
# PREFIX/share/apus/installed lists each file with its SHA-256, and each folder that was made: uninstall removes these and
# nothing else. A file below SYSCONFDIR that was changed since is neither overwritten nor removed.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${DESTDIR:=}" "${PREFIX:=/usr/local}" "${SYSCONFDIR:=/etc}"
list=$PREFIX/share/apus/installed
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
touch "$work/old" "$work/new"
[ -z "$DESTDIR" ] || [ "${1:-}" != install ] || mkdir -p "$DESTDIR"
[ -f "$DESTDIR$list" ] && cp "$DESTDIR$list" "$work/old"

sum() { sha256sum "$1" | cut -d' ' -f1; }
# recorded PATH: the checksum with which it was installed
recorded() { awk -v path="$1" '$1 == "file" && $3 == path { print $2 }' "$work/old"; }
is_configuration() { [[ $1 == "$SYSCONFDIR"/* ]]; }

# folder PATH [MODE]: made with those above it, and recorded where it was missing
folder() {
    if [ -d "$DESTDIR$1" ]; then
        grep -qx "folder - $1" "$work/old" && echo "folder - $1" >> "$work/new"
    else
        [ "${1%/*}" = "" ] || folder "${1%/*}"
        mkdir "$DESTDIR$1"
        chmod "${2:-755}" "$DESTDIR$1"
        echo "folder - $1" >> "$work/new"
    fi
    return 0
}

# put SOURCE PATH [MODE]
put() {
    local there=$DESTDIR$2 known
    folder "${2%/*}"
    if is_configuration "$2" && [ -e "$there" ]; then
        known=$(recorded "$2")
        if [ "$(sum "$there")" != "$known" ] && ! cmp -s "$1" "$there"; then
            echo "kept: $there was changed" >&2
            [ -z "$known" ] || echo "file $known $2" >> "$work/new"
            return 0
        fi
    fi
    install -m "${3:-644}" "$1" "$there.apus-new"
    mv -f "$there.apus-new" "$there"
    echo "file $(sum "$there") $2" >> "$work/new"
}

# filled SOURCE PATH: a template, with the folders of this installation
filled() {
    sed -e "s|@BINDIR@|$PREFIX/bin|g" -e "s|@SYSCONFDIR@|$SYSCONFDIR|g" "$1" > "$work/filled"
    put "$work/filled" "$2"
}

# remove PATH SUM
remove() {
    local there=$DESTDIR$1
    [ -e "$there" ] || return 0
    if is_configuration "$1" && [ "$(sum "$there")" != "$2" ]; then
        echo "kept: $there was changed" >&2
        return 0
    fi
    rm -f "$there"
}

case "${1:-}" in
install)
    : "${BIN:?the folder with apusd, apusctl and apus-load}"
    share=$PREFIX/share
    for name in apusd apusctl apus-load; do
        put "$BIN/$name" "$PREFIX/bin/$name" 755
        for shell in bash zsh fish; do "$BIN/$name" --generate-completion-script $shell > "$work/$name.$shell"; done
        put "$work/$name.bash" "$share/bash-completion/completions/$name"
        put "$work/$name.zsh" "$share/zsh/site-functions/_$name"
        put "$work/$name.fish" "$share/fish/vendor_completions.d/$name.fish"
        put "man/$name.8" "$share/man/man8/$name.8"
    done
    put man/apus.resources.5 "$share/man/man5/apus.resources.5"
    for unit in apusd apusd-reflector; do filled packaging/$unit.service.in "$PREFIX/lib/systemd/system/$unit.service"; done
    put packaging/apus.sysusers "$PREFIX/lib/sysusers.d/apus.conf"
    filled packaging/apus.tmpfiles "$PREFIX/lib/tmpfiles.d/apus.conf"
    put packaging/rt_protos.conf "$SYSCONFDIR/iproute2/rt_protos.d/apus.conf"
    put packaging/apusd.env "$SYSCONFDIR/apus/apusd.env"
    folder "$SYSCONFDIR/apus/resources.d"
    folder "$SYSCONFDIR/apus/secrets" 750
    for file in examples/lab/resources/*.yaml; do put "$file" "$share/doc/apus/examples/${file##*/}"; done
    folder "${list%/*}"
    # What the last version had and this one has not.
    while read -r kind checksum path; do
        if [ "$kind" = file ] && ! grep -qF " $path" "$work/new"; then remove "$path" "$checksum"; fi
    done < "$work/old"
    sort -u "$work/new" > "$DESTDIR$list"
    [ -n "$DESTDIR" ] || echo "now: systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload"
    ;;
uninstall)
    [ -s "$work/old" ] || { echo "nothing is installed: there is no $DESTDIR$list" >&2; exit 1; }
    while read -r kind checksum path; do
        if [ "$kind" = file ]; then remove "$path" "$checksum"; fi
    done < "$work/old"
    rm -f "$DESTDIR$list"
    # The inner ones first; one that holds something of somebody else stays.
    awk '$1 == "folder" { print $3 }' "$work/old" | sort -r | while read -r path; do
        rmdir --ignore-fail-on-non-empty "$DESTDIR$path" 2>/dev/null || true
    done
    ;;
*) echo "usage: install.sh install | uninstall" >&2; exit 2 ;;
esac
