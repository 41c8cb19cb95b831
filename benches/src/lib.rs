//! The workload of the benchmarks, the peers that answer it (rules written by hand, and
//! `cedar-policy` itself), and what is measured.

pub mod agency;
pub mod authors;
pub mod bundles;
pub mod by_hand;
pub mod calls;
pub mod cedar;
pub mod checks;
pub mod counting;
pub mod details;
pub mod directory_changes;
pub mod handles;
pub mod hosts;
pub mod key_table;
pub mod many_tenants;
pub mod measure;
pub mod opening;
pub mod random;
pub mod workloads;
