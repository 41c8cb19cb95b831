//! The engine for Python: convert, call, convert. Every rule is in the core.

mod arguments;
mod batch;
mod billing;
mod consume;
mod consume_batch;
mod convert;
mod counters;
mod decisions;
mod directory;
mod engine;
mod errors;
mod follow_up;
mod fork;
mod gil;
mod handles;
mod lists;
mod log;
mod logins;
mod methods;
mod options;
mod perform;
mod references;
mod refusal;
mod request;
mod resource;
mod results;
mod slots;
mod support;
mod tickets;
mod waiting;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::arguments::read_list;
use crate::convert::{read_str, to_python};

/// Returns every error code with its help.
#[pyfunction]
fn error_codes<'py>(py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
    to_python(
        py,
        &sublet::error_codes()
            .into_iter()
            .map(|(code, help)| (code.to_owned(), help.into()))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    )
}

/// Returns the normal form of a host name and `None`, or `None` and the reason why it has
/// none.
#[pyfunction]
fn normalise_host(host: &Bound<'_, PyAny>) -> PyResult<(Option<String>, Option<&'static str>)> {
    Ok(
        match sublet::normalise_host(read_str("host", host.as_borrowed())?) {
            Ok(name) => (Some(name), None),
            Err(reason) => (None, Some(reason)),
        },
    )
}

/// Runs the `sublet` command with its arguments, and returns its exit code.
#[pyfunction]
fn command(py: Python<'_>, arguments: &Bound<'_, PyAny>) -> PyResult<i32> {
    let arguments = read_list("arguments", arguments)?;
    let arguments = arguments
        .iter()
        .map(|argument| read_str("arguments", argument.as_borrowed()).map(Into::into))
        .collect::<PyResult<Vec<std::ffi::OsString>>>()?;
    Ok(py.detach(|| sublet_cli::run(arguments, &mut std::io::stdout(), &mut std::io::stderr())))
}

#[pymodule]
fn _sublet(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // pyo3 imports a module at the first use of an iterator. A child that is forked during that
    // import would wait for its lock for ever.
    let _ = PyTuple::empty(module.py()).try_iter()?.size_hint();
    errors::register(module)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<engine::Engine>()?;
    module.add_class::<handles::Principal>()?;
    module.add_class::<handles::Action>()?;
    module.add_class::<handles::ResourceType>()?;
    module.add_class::<handles::Host>()?;
    module.add_class::<handles::ManualClock>()?;
    module.add_class::<results::Decision>()?;
    module.add_class::<perform::Performed>()?;
    module.add_class::<log::LogHandle>()?;
    module.add_class::<waiting::Call>()?;
    module.add_class::<log::EventQueue>()?;
    module.add_function(wrap_pyfunction!(support::_show, module)?)?;
    module.add_class::<follow_up::CountReceipt>()?;
    module.add_class::<logins::Login>()?;
    module.add_class::<logins::LoginHosts>()?;
    module.add_class::<logins::AccountHosts>()?;
    module.add_class::<tickets::TicketRoute>()?;
    module.add_class::<tickets::TicketOutcome>()?;
    module.add_class::<results::Explanation>()?;
    module.add_function(wrap_pyfunction!(error_codes, module)?)?;
    module.add_function(wrap_pyfunction!(normalise_host, module)?)?;
    module.add_function(wrap_pyfunction!(support::_close_logs, module)?)?;
    module.add_function(wrap_pyfunction!(fork::_keep_thread_state, module)?)?;
    module.add_function(wrap_pyfunction!(command, module)?)
}
