//! The workload of the benchmarks, and the peers that answer it: rules written by hand, and `cedar-policy` itself.

pub mod agency;
pub mod cedar;
pub mod plain;
pub mod random;
