//! Errors of SQLite and of the file system, as errors with a code.

use rusqlite::{Error as Sqlite, ErrorCode};

use crate::util::error::Error;

/// Returns the error for a SQLite error.
pub(super) fn from_sqlite(store: &str, error: &Sqlite) -> Error {
    let (store, reason) = (store.to_owned(), error.to_string());
    let code = error.sqlite_error_code();
    match code {
        Some(ErrorCode::DiskFull) => Error::StoreFull { store },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Error::StoreReadOnly { store },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::StoreLocked {
            store,
            holder: "a program that has it open with SQLite".to_owned(),
        },
        Some(ErrorCode::CannotOpen) => Error::StoreUnreachable { store, reason },
        Some(ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory) => {
            Error::StoreIo { store, reason }
        }
        Some(ErrorCode::NotADatabase) => Error::StoreForeign { store },
        _ => Error::StoreCorrupt { store, reason },
    }
}

/// Returns the error for a file system error of the database or of a file beside it.
pub(super) fn file(store: &str, error: &std::io::Error) -> Error {
    let (store, reason) = (store.to_owned(), error.to_string());
    match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            Error::StoreReadOnly { store }
        }
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            Error::StoreFull { store }
        }
        _ => Error::StoreUnreachable { store, reason },
    }
}
