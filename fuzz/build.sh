#!/bin/bash
# Builds the fuzz targets with coverage, as `cargo fuzz build -s none` does, but on a stable compiler, with nothing to
# install, and on Cedar as it was built for everything else.
set -eu
cd "$(dirname "$0")"
export CARGO_TARGET_DIR="$PWD/../target" RUSTC_WRAPPER="$PWD/rustc.sh"
exec cargo build --release --locked
