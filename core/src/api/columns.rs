//! Batches of requests as columns. Each column has one value for each row, or one value for all
//! rows.

use crate::util::error::Error;

/// Returns the number of rows of a batch: the common length of the columns that are lists, or 1 if
/// no column is a list. Each column is given by its name and, if it is a list, its length.
///
/// # Errors
/// [`Error::Columns`] for the first list whose length differs from that of the first list.
///
/// # Example: one action for two logins
/// ```
/// use sublet::batch_row_count;
/// assert_eq!(batch_row_count(&[("principals", Some(2)), ("actions", None)])?, 2);
/// let error = batch_row_count(&[("principals", Some(2)), ("hosts", Some(3))]).unwrap_err();
/// assert_eq!(error.to_string(), "column `hosts` has 3 rows where `principals` has 2");
/// # Ok::<(), sublet::Error>(())
/// ```
pub fn batch_row_count(columns: &[(&'static str, Option<usize>)]) -> Result<usize, Error> {
    let mut lists = columns
        .iter()
        .filter_map(|(name, length)| length.map(|length| (*name, length)));
    let Some((first, wanted)) = lists.next() else {
        return Ok(1);
    };
    match lists.find(|(_, length)| *length != wanted) {
        Some((column, rows)) => Err(Error::Columns {
            column,
            rows,
            first,
            wanted,
        }),
        None => Ok(wanted),
    }
}
