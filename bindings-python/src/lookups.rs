//! What is read of the directory.

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::Engine;
use crate::answers::plain;
use crate::waiting::wait;

#[pymethods]
impl Engine {
    fn export_lines<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        let mut lines = Vec::new();
        wait(py, || self.inner.export(&mut lines))?;
        Ok(PyString::new(py, &String::from_utf8_lossy(&lines)))
    }

    fn record<'py>(
        &self,
        py: Python<'py>,
        reference: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let reference = crate::asked::reference("record", reference.as_borrowed())?;
        wait(py, || self.inner.record(&reference))?
            .map(|record| plain(py, &record))
            .transpose()
    }
}
