//! This package has only tests, in `tests/`.
