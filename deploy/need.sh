#!/bin/sh
# Installs what is missing. Each argument is program:package (Debian's and Ubuntu's name of it).
set -eu

missing_programs=''
missing_packages=''
for need in "$@"; do
    program=${need%%:*}
    command -v "$program" >/dev/null 2>&1 || {
        missing_programs="$missing_programs $program"
        missing_packages="$missing_packages ${need#*:}"
    }
done
command -v cargo >/dev/null 2>&1 || {
    echo "zengate needs Rust (cargo), which is not here: see https://rustup.rs" >&2
    exit 1
}
[ -n "$missing_packages" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    sudo=''
elif sudo -n true 2>/dev/null; then
    sudo='sudo'
else
    echo "missing:$missing_programs; as root: apt-get install$missing_packages" >&2
    exit 1
fi
command -v apt-get >/dev/null 2>&1 || {
    echo "missing:$missing_programs; install them with this system's package manager" >&2
    exit 1
}
echo "installing$missing_packages" >&2
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086 # a list of packages
$sudo apt-get install -y -qq --no-install-recommends $missing_packages >/dev/null
