//! Runs every input of the fuzzer's corpus again.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot set itself up has failed"
)]

use std::path::Path;

use sublet_tests::{Asker, fuzzed};

#[test]
fn fuzz_corpus_agrees_with_cedar() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/plain");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    let mut asker = Asker::default();
    for file in &files {
        fuzzed(&std::fs::read(file).expect("a file"), &mut asker);
    }
    println!("{} inputs", files.len());
    assert!(!files.is_empty());
}
