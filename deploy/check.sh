#!/bin/sh
# Does what deploy/Dockerfile does, without an engine: builds from the files that .dockerignore lets in, in a clean
# directory, then (as root) starts the image's root as its user and asks for its health. Takes some minutes.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
server=''
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

mkdir "$work/context"
# shellcheck disable=SC2046 # a list of paths without blanks
git ls-files -z -- $(sed -n 's/^!//p' .dockerignore) | xargs -0 tar -cf - | tar -xf - -C "$work/context"

build=$(sed -n 's/^RUN \(cargo build .*\)$/\1/p' deploy/Dockerfile)
image=$(sed -n 's/^RUN \(sh deploy\/image.sh .*\) \/image$/\1/p' deploy/Dockerfile)
[ -n "$build" ] && [ -n "$image" ] || { echo 'deploy/Dockerfile does not say how to build' >&2; exit 1; }
echo "$build"
(cd "$work/context" && env -u CARGO_TARGET_DIR RUSTFLAGS='-D warnings' sh -c "$build && $image '$work/image'")

size() { wc -c <"$1" | awk '{ printf "%.1f MiB\n", $1 / 1048576 }'; }
echo "binary: $(size "$work/image/usr/local/bin/zengate")"
echo "image:  $(du -sm "$work/image" | cut -f1) MiB in $(find "$work/image" -type f | wc -l) files"

programs=$(find "$work/image" -type f -perm -0100 ! -name '*.so*' ! -name 'ld-linux*' | wc -l)
[ "$programs" = 1 ] || { echo "the image has $programs programs; it must have one" >&2; exit 1; }

if [ "$(id -u)" != 0 ]; then
    echo 'SKIPPED: starting it, which needs root for chroot' >&2
    exit 0
fi
cat >"$work/image/etc/zengate/zengate.yaml" <<'CONFIG'
public_url: http://localhost:34180
listen: 127.0.0.1:34180
admin_listen: 127.0.0.1:34187
provider:
  oidc: { issuer: https://issuer.invalid, client_id: check, client_secret: { env: CHECK_SECRET } }
sessions: { store: file:///var/lib/zengate/check.redb }
routes:
  - { host: localhost, access: session, upstream: http://127.0.0.1:9 }
CONFIG
chown 65532:65532 "$work/image/var/lib/zengate"
chmod 0755 "$work"
inside="env -i CHECK_SECRET=known-to-everybody ZENGATE_CONFIG=/etc/zengate/zengate.yaml \
    $(command -v chroot) --userspec=65532:65532 $work/image /usr/local/bin/zengate"
$inside version
$inside check --offline >/dev/null
$inside serve 2>"$work/log" &
server=$!
tries=0
until $inside health --address 127.0.0.1:34187 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt 50 ] || ! kill -0 "$server" 2>/dev/null; then
        cat "$work/log" >&2
        echo 'it did not become ready' >&2
        exit 1
    fi
    sleep 0.1
done
kill "$server"
wait "$server"
server=''
if grep -q 'No system certificates' "$work/log"; then
    echo 'it finds no certificate authorities' >&2
    exit 1
fi
echo 'deploy/check.sh: it builds, starts without a shell as user 65532, is healthy, and stops'
