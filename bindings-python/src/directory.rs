//! Reads of the directory.

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::Engine;
use crate::request::parse_reference;
use crate::results::to_python_object;
use crate::waiting::wait;

#[pymethods]
impl Engine {
    /// Returns the records of the directory as JSON lines.
    fn export_lines<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        let mut lines = Vec::new();
        wait(py, || self.inner.export(&mut lines))?;
        Ok(PyString::new(py, &String::from_utf8_lossy(&lines)))
    }

    /// Returns the record with this type and id, of the directory or the catalog, or `None`.
    fn get_record<'py>(
        &self,
        py: Python<'py>,
        reference: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let reference = parse_reference("record", reference.as_borrowed())?;
        wait(py, || self.inner.get_record(&reference))?
            .map(|record| to_python_object(py, &record))
            .transpose()
    }
}
