#!/bin/sh
# Builds the program twice: first with counters, then, when a load has run through it, again with what was counted, so
# that the compiler knows which way requests go. The load is benches/, side by side, one short round.
#
#   trained.sh release         a release build: target/trained/zengate, beside the counts it was made from; 15 minutes
#   trained.sh bench OPTIONS   measures side by side, the gateway and bare pingora both built this way; 20 minutes more
#
# The same counts, sources and compiler make the same program; counts of two runs differ. Keep release.profdata.
set -eu
cd "$(dirname "$0")/.."
dir=$PWD/target/trained

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

# with FLAG DIRECTORY CARGO ARGUMENTS: cargo with one more flag of the compiler. With --target, build scripts and macros
# are built as always.
with() {
    flag=$1 place=$dir/$2 order=$3
    shift 3
    RUSTFLAGS="${RUSTFLAGS:-} $flag" cargo "$order" --locked --target "$host" --target-dir "$place" "$@"
}

# load CARGO ARGUMENTS: runs the load.
load() { "$@" --only zengate --rounds 1 --seconds 1 --no-pin; }

learn() { "$merge" merge -o "$dir/$1.profdata" "$dir/$1-counts"; }

mkdir -p "$dir"
case ${1:-} in
release)
    # What lies there was made from other counts.
    rm -rf "$dir/release-counts" "$dir/release"
    with "-Cprofile-generate=$dir/release-counts" release-counting build --release
    ZENGATE_BIN=$dir/release-counting/$host/release/zengate
    export ZENGATE_BIN
    load cargo bench --locked -p zengate-bench --bench measure -- side-by-side
    learn release
    with "-Cprofile-use=$dir/release.profdata" release build --release
    cp "$dir/release/$host/release/zengate" "$dir/zengate"
    ls -l "$dir/zengate"
    ;;
bench)
    shift
    unset ZENGATE_BIN
    rm -rf "$dir/bench-counts" "$dir/bench"
    with "-Cprofile-generate=$dir/bench-counts" bench-counting build --release
    load with "-Cprofile-generate=$dir/bench-counts" bench-counting bench -p zengate-bench --bench measure -- side-by-side
    learn bench
    with "-Cprofile-use=$dir/bench.profdata" bench build --release
    ln -sfn "$PWD/target/peers" "$dir/bench/$host/peers"
    with "-Cprofile-use=$dir/bench.profdata" bench bench -p zengate-bench --bench measure -- side-by-side "$@"
    ;;
*)
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
