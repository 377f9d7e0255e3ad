#!/usr/bin/env bash
# Checks one experiment file without running it: `scripts/check-experiment.sh FILE`. Sweeps of studies are checked with
# their first seed alone, and those over CIFAR-10 on MNIST, whose data need not be fetched for it.
set -euo pipefail
cd "$(dirname "$0")/.."

file=$1
sets=()
case $file in
    */paper/* | */recipes/*) if grep -q '^\[sweep\]' "$file"; then sets+=(--set "sweep.seed=[1]"); fi ;;
esac
case $file in
    *paper/conf-2* | *paper/fig-0[789]* | *paper/fig-10* | *paper/*cifar*) sets+=(--set task.dataset=mnist) ;;
esac
target/release/phalanx check "$file" "${sets[@]}"
