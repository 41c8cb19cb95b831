//! Keeps threads of the logs able to attach in a child that a thread of Python has forked.

#![allow(unsafe_code, reason = "thread states are created by a function of C")]

use pyo3::ffi;
use pyo3::prelude::*;

/// Adds a thread state that no thread uses, so that the interpreter never has none.
///
/// A child that was forked from a thread ends with that thread, and a log may deliver after it. If
/// no thread state is left, Python 3.11 takes its first one again, finds it in use, and aborts the
/// process.
#[pyfunction]
pub(crate) fn _keep_thread_state(_py: Python<'_>) {
    // SAFETY: the token proves that this thread is attached, so there is a current interpreter. The
    // interpreter owns the new state and frees it at its end.
    unsafe {
        ffi::PyThreadState_New(ffi::PyInterpreterState_Get());
    }
}
