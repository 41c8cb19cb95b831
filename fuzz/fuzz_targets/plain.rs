//! A plain Cedar program and a request, made from the input, asked of Cedar and of the engine.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use sublet_tests::{Asker, fuzzed};

thread_local! {
    static ASKER: RefCell<Asker> = RefCell::default();
}

fuzz_target!(|input: &[u8]| ASKER.with_borrow_mut(|asker| fuzzed(input, asker)));
