//! Reads and changes of the directory.

use pyo3::prelude::*;
use pyo3::types::PyString;
use sublet::{Change, ImportProgress, Record, RecordPatch};

use crate::arguments::{self, read_optional_list};
use crate::convert::{OptionalPyArg, read_record};
use crate::engine::Engine;
use crate::errors::OrRaise;
use crate::options::open_lines;
use crate::references::parse_reference;
use crate::results::to_python_object;
use crate::waiting::{is_cancelled, wait};

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

    /// Makes all changes in one transaction or none, and returns the new revision.
    ///
    /// `put` creates records, or replaces those with the same type and id. `merge` changes the
    /// fields that it names and keeps the others; `None` removes an optional field. `remove`
    /// removes records.
    ///
    /// The id of a former account or member is refused, because counts, history and keys belong
    /// to the id. With `resumed` the same account or member has come back and goes on with them
    /// (I5).
    ///
    /// Raises a `SubletError` with the code `directory.revision`, `directory.would_reset`,
    /// `directory.id_used`, `directory.in_use`, `directory.record` or
    /// `directory.duplicate_login`.
    ///
    /// Example:
    ///
    ///     >>> import sublet
    ///     >>> engine = sublet.Engine.open()
    ///     >>> put = [{"type": "Platform", "id": "mmio"}]
    ///     >>> engine.apply_changes(put, expected_revision=engine.revision)
    ///     1
    #[pyo3(
        signature = (put=None, *, merge=None, remove=None, expected_revision=None, resumed=false)
    )]
    fn apply_changes(
        &self,
        py: Python<'_>,
        put: OptionalPyArg<'_, '_>,
        merge: OptionalPyArg<'_, '_>,
        remove: OptionalPyArg<'_, '_>,
        #[pyo3(from_py_with = arguments::expected_revision)] expected_revision: Option<u64>,
        #[pyo3(from_py_with = arguments::resumed)] resumed: bool,
    ) -> PyResult<u64> {
        let mut changes = Vec::new();
        for item in read_optional_list("remove", remove)? {
            changes.push(Change::Remove(parse_reference(
                "remove",
                item.as_borrowed(),
            )?));
        }
        for item in read_optional_list("put", put)? {
            let fields = read_record(&item)?;
            let record = Record::from_value(fields.into()).or_raise()?;
            if resumed {
                changes.push(Change::Resume(record.reference()));
            }
            changes.push(Change::Put(record));
        }
        for item in read_optional_list("merge", merge)? {
            let fields = read_record(&item)?;
            changes.push(Change::Merge(
                RecordPatch::from_value(fields.into()).or_raise()?,
            ));
        }
        wait(py, || self.inner.apply_changes(changes, expected_revision))
    }

    /// Imports JSON lines if nothing was ever written to the directory, and returns whether it
    /// did. If several processes start at once, one of them imports.
    ///
    /// Raises a `SubletError` with the code `directory.record`, `directory.duplicate_id` or
    /// `store.stream`.
    fn seed(&self, py: Python<'_>, lines: &Bound<'_, PyAny>) -> PyResult<bool> {
        let reader = open_lines(lines)?;
        wait(py, || self.inner.seed(reader))
    }

    /// Replaces the whole directory by JSON lines, or by those of a file, and returns the new
    /// revision.
    ///
    /// Replaces the directory as this engine saw it last, or the one of `expected_revision`. If
    /// it has changed since, the call fails, so that no change of others is lost. `progress` is
    /// called with records and bytes, and stops the import if it returns `False`. At a first
    /// start call `seed`.
    ///
    /// Raises a `SubletError` with the code `directory.revision`, `directory.cancelled`,
    /// `directory.record`, `directory.duplicate_id` or `store.stream`.
    #[pyo3(signature = (lines, progress=None, *, expected_revision=None))]
    fn import_lines(
        &self,
        py: Python<'_>,
        lines: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = arguments::progress)] progress: Option<Py<PyAny>>,
        #[pyo3(from_py_with = arguments::expected_revision)] expected_revision: Option<u64>,
    ) -> PyResult<u64> {
        let reader = open_lines(lines)?;
        let mut raised = None;
        let mut report = |imported: ImportProgress| {
            let continues = Python::attach(|py| continues(py, progress.as_ref(), imported));
            continues.unwrap_or_else(|error| {
                raised = Some(error);
                false
            })
        };
        let result = wait(py, || {
            self.inner
                .import(reader, expected_revision, Some(&mut report))
        });
        raised.map_or(result, Err)
    }
}

/// Returns whether an import continues. A signal, a cancelled task or the host's progress function
/// ends it.
fn continues(
    py: Python<'_>,
    progress: Option<&Py<PyAny>>,
    imported: ImportProgress,
) -> PyResult<bool> {
    py.check_signals()?;
    let Some(progress) = progress else {
        return Ok(!is_cancelled());
    };
    let answer = progress.call1(py, (imported.records, imported.bytes))?;
    if answer.is_none(py) {
        Ok(!is_cancelled())
    } else {
        answer.is_truthy(py)
    }
}
