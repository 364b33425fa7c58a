#!/bin/sh
# release.sh [DIR]: builds the program as it is shipped, trained: once with counters, then loaded as benches/side_by_side
# loads it, then again with what was counted, so that the compiler knows which way requests go. Leaves it as DIR/zengate
# (target/trained/zengate). Takes three builds and two minutes of load.
set -eu
cd "$(dirname "$0")/.."
dir=${1:-target/trained}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

said() { rustc -vV | sed -n "s/^$1: //p"; }
host=$(said host)
llvm=$(said 'LLVM version')

# What merges the counts has to be as new as the compiler.
merge=''
for program in "$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata" "llvm-profdata-${llvm%%.*}"; do
    command -v "$program" >/dev/null 2>&1 && merge=$program && break
done
[ -n "$merge" ] || {
    echo "llvm-profdata is missing: rustup component add llvm-tools, or apt-get install llvm-${llvm%%.*}" >&2
    exit 1
}

# With --target, so that build scripts and macros are built as always. Without the simulated carriers: they are for
# trying out.
build() {
    RUSTFLAGS=$1 cargo build --release --locked --no-default-features --target "$host" --target-dir "$dir/build-$2"
}

rm -rf "$dir/counts"
build "-Cprofile-generate=$dir/counts" counting
ZENGATE_BIN="$dir/build-counting/$host/release/zengate" \
    cargo bench --locked --bench side_by_side -- --only zengate --rounds 1 --seconds 1 --no-pin
"$merge" merge -o "$dir/zengate.profdata" "$dir/counts"
build "-Cprofile-use=$dir/zengate.profdata" trained
cp "$dir/build-trained/$host/release/zengate" "$dir/zengate"
ls -l "$dir/zengate"
