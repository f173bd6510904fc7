#!/bin/bash
# install-packages.sh PACKAGE...: install what is missing of these Debian packages. No daemon that comes with them is started, now or at the next boot.
set -e
missing=()
for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# A daemon that a package starts would hold port 179: policy-rc.d forbids it while we install, unless one is there already.
policy=
if [ ! -e /usr/sbin/policy-rc.d ]; then
    policy=1
    printf '#!/bin/sh\nexit 101\n' | $sudo tee /usr/sbin/policy-rc.d >/dev/null
    $sudo chmod 755 /usr/sbin/policy-rc.d
fi
trap '[ -z "$policy" ] || $sudo rm -f /usr/sbin/policy-rc.d' EXIT
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
# Only what was installed here: a daemon that was there before is its owner's.
for package in "${missing[@]}"; do
    unit=$package
    [ "$package" = bird2 ] && unit=bird
    [ -d /run/systemd/system ] && $sudo systemctl disable "$unit" >/dev/null 2>&1 || true
done
