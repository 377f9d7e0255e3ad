#!/usr/bin/env bash
# What only an instrument can see, part by part: every order of messages (shuttle), undefined behaviour in the kernels
# (Miri), data races between actors (ThreadSanitizer), memory errors of a whole run (Valgrind).
#
#     scripts/deep-test.sh [models | miri | races | memory]...      all of them if none is named
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}

need() { # COMMAND HOW: ends unless COMMAND works
    eval "$1" > /dev/null 2>&1 || { echo "deep-test: \`$1\` does not work; $2" >&2; exit 1; }
}

models() {
    RUSTFLAGS="--cfg shuttle" CARGO_TARGET_DIR=$target/shuttle \
        cargo test -p phalanx-actors --lib interleavings -- --nocapture
}

miri() {
    need "cargo +nightly miri --version" "get it by \`rustup toolchain install nightly --component miri,rust-src\`"
    # Rayon leaves its threads behind and turns integers into pointers, which tree borrows allow. The tests that end
    # within minutes; those of the definitions and of the whole geometry do not.
    RAYON_NUM_THREADS=1 MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-tree-borrows -Zmiri-ignore-leaks" \
        CARGO_TARGET_DIR=$target/miri cargo +nightly miri test -p phalanx-robust --test batch_kernels -- \
        equal_rows_are a_map_of_the_geometry combinations shares threads
}

races() {
    need "cargo +nightly --version" "get it by \`rustup toolchain install nightly --component rust-src\`"
    # Some tests leave threads behind that never end, as the program does with a plug-in that hangs.
    TSAN_OPTIONS="report_thread_leaks=0" RUSTFLAGS="-Zsanitizer=thread" CARGO_TARGET_DIR=$target/races \
        cargo +nightly test -Zbuild-std --target "$(rustc -vV | sed -n 's/^host: //p')" -p phalanx-actors --test cast
}

memory() {
    need "valgrind --version" "get it by \`apt-get install valgrind\`"
    local out
    out=$(mktemp -d)
    trap 'rm -rf "$out"' RETURN
    # Reads and writes outside of what was allocated. Values without a definition are left to Miri: an optimised
    # program tests padding that it then masks, and libtorch does so everywhere.
    valgrind --quiet --error-exitcode=99 --leak-check=no --undef-value-errors=no \
        "$target/release/phalanx" run experiments/quickstart.toml --quiet --threads 2 --out "$out" \
        --set rounds=3 --set evaluation.every=0
}

for part in "${@:-models miri races memory}"; do
    for name in $part; do
        echo "== $name"
        "$name"
    done
done
