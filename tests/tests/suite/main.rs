//! The suites that share one process: one program to link, and its tests run side by side.
//!
//! A suite has a program of its own only if it measures the process: its allocations, instructions
//! or times, or its current folder.

mod acknowledged;
mod answer_cache;
mod architecture;
mod attribute_facts;
mod author_rules;
mod billing_months;
mod code_words;
mod command_contexts;
mod commands;
mod corpus;
mod count;
mod crashes;
mod differential;
mod domains;
mod engine;
mod errors;
mod events;
mod explain;
mod facts;
mod flips;
mod grants;
mod growth;
mod handles;
mod left_out;
mod limit_policies;
mod lints;
mod logins;
mod plain;
mod policy_ids;
mod processes;
mod random_walk;
mod rule_vectors;
mod stocks;
mod strangers;
mod tenancy;
mod used_ids;
mod verdict;
mod waiting;
