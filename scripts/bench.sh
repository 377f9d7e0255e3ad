#!/usr/bin/env bash
# Runs every comparison with peers, each of which prints one table: benches/peers/table_*.py, which also write
# target/bench/NAME.json and take the arguments (--repeats N, --only TEXT, --threads N). A table none of whose lines is
# chosen by --only is passed over; it is an error only if that is so of all tables.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -x .venv/bin/python ]; then
    echo "bench: without .venv/ nothing is compared; \`make peers\` installs the Python peers (about 4 GB on disk)"
    exit 0
fi
chosen=no
for script in benches/peers/table_*.py; do
    status=0
    .venv/bin/python "$script" "$@" || status=$?
    case $status in
        0) chosen=yes ;;
        3) ;; # no line of this one; it has said so
        *) exit "$status" ;;
    esac
done
if [ $chosen = no ]; then
    echo "bench: no table has a line that --only chooses" >&2
    exit 1
fi
