#!/bin/sh
# image.sh PROGRAM DIR: puts PROGRAM and exactly what it needs to run into DIR, the root of an image.
set -eu
program=$1
root=$2

mkdir -p "$root/etc/ssl/certs" "$root/etc/zengate" "$root/usr/local/bin" "$root/var/lib/zengate"
install -m 0755 "$program" "$root/usr/local/bin/zengate"
# Its shared libraries and their loader, at the places where it looks for them.
ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }' | while read -r library; do
    mkdir -p "$root${library%/*}"
    cp -L "$library" "$root$library"
done
# Whom it trusts for TLS.
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
# A name for the number, and how names are looked up.
echo 'zengate:x:65532:65532:zengate:/var/lib/zengate:/nonexistent' >"$root/etc/passwd"
echo 'zengate:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
