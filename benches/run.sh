#!/usr/bin/env bash
# Makes the Python environment, builds the program, measures, and writes docs/benchmarks.md. Let nothing else run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=target/bench-venv
[[ -x $venv/bin/python ]] || python3 -m venv "$venv"
"$venv/bin/pip" install -q -r tests/reference/requirements.txt
cargo build --release --locked
"$venv/bin/python" benches/everything.py "$@" > target/benchmarks.md
cp target/benchmarks.md docs/benchmarks.md
