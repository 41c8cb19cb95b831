//! What is read of the directory.

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::Engine;
use crate::answers::plain;
use crate::errors::OrRaise;

#[pymethods]
impl Engine {
    fn export_lines<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        let mut lines = Vec::new();
        py.detach(|| self.inner.export(&mut lines)).or_raise()?;
        Ok(PyString::new(py, &String::from_utf8_lossy(&lines)))
    }

    fn record<'py>(&self, py: Python<'py>, reference: &Bound<'_, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let reference = crate::asked::reference("record", reference.as_borrowed())?;
        py.detach(|| self.inner.record(&reference)).or_raise()?.map(|record| plain(py, &record)).transpose()
    }
}
