#!/usr/bin/env bash
# Fails if `cargo test` would compile a dependency of the program with other features than `cargo build` does, and so it
# and all that stands on it twice. What is named here belongs into [dependencies] of Cargo.toml with those features.
set -euo pipefail
cd "$(dirname "$0")/.."

with_features() { # with_features OPTION...
    cargo tree --locked --prefix none --format '{p} [{f}]' "$@" | sed 's/ (\*)$//' | LC_ALL=C sort -u
}
built=$(with_features --edges normal,build)
tested=$(with_features --workspace --edges normal,build,dev)
twice=$(LC_ALL=C comm -23 <(echo "$built") <(echo "$tested"))
if [ -n "$twice" ]; then
    printf 'cargo test switches other features on of:\n%s\n' "$twice"
    exit 1
fi
