#!/bin/bash
# Builds the fuzz targets with coverage, as `cargo fuzz build -s none` does, but on a stable compiler and with nothing
# to install.
set -eu
cd "$(dirname "$0")"
export CARGO_TARGET_DIR="${SUBLET_FUZZ_TARGET:-target}"
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
exec cargo build --release --locked --target "$(rustc -vV | sed -n 's/^host: //p')"
