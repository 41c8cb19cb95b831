#!/bin/bash
# The compiler, with coverage for our own crates: Cedar comes from the build that everything else uses.
rustc="$1"; shift
last=
for word in "$@"; do
  case "$last $word" in
    "--crate-name sublet" | "--crate-name sublet_tests" | "--crate-name fuzz_plain")
      exec "$rustc" "$@" --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares ;;
  esac
  last="$word"
done
exec "$rustc" "$@"
