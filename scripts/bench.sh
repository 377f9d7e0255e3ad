#!/usr/bin/env bash
# Runs every comparison with peers, each of which prints one table: benches/peers/table_*.py, which also write
# target/bench/NAME.json and take the arguments (--repeats N, --only TEXT, --threads N).
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -x .venv/bin/python ]; then
    echo "bench: without .venv/ nothing is compared; \`make peers\` installs the Python peers (about 4 GB on disk)"
    exit 0
fi
for script in benches/peers/table_*.py; do
    .venv/bin/python "$script" "$@"
done
