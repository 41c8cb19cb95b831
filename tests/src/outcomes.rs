//! Counts how often each operator was true, was false and failed, by Cedar's answers.

use std::collections::BTreeMap;

/// The outcome of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The condition is satisfied.
    True,
    /// The condition is not satisfied.
    False,
    /// The evaluation fails.
    Erring,
}

/// The outcomes of conditions by a name, such as that of an operator.
#[derive(Debug, Default)]
pub struct OutcomeTable(BTreeMap<String, [u64; 3]>);

impl OutcomeTable {
    /// Counts one outcome.
    pub fn count(&mut self, name: &str, outcome: Outcome) {
        let [yes, no, erring] = self.0.entry(name.to_owned()).or_default();
        *match outcome {
            Outcome::True => yes,
            Outcome::False => no,
            Outcome::Erring => erring,
        } += 1;
    }

    /// Adds the counts of another table.
    pub fn add(&mut self, other: Self) {
        for (name, counts) in other.0 {
            let sums = self.0.entry(name).or_default();
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
    }

    /// Returns the counts of a name: true, false, erring.
    #[must_use]
    pub fn counts(&self, name: &str) -> [u64; 3] {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Prints the counts of these names as a table.
    pub fn print(&self, title: &str, names: impl IntoIterator<Item = impl AsRef<str>>) {
        println!("{title:24} {:>10} {:>10} {:>10}", "true", "false", "erring");
        for name in names {
            let [yes, no, erring] = self.counts(name.as_ref());
            println!("{:24} {yes:10} {no:10} {erring:10}", name.as_ref());
        }
    }

    /// Returns those names of which an outcome was counted less often than `least` times, with the
    /// counts. `cannot_err` names operators that never fail.
    #[must_use]
    pub fn rare<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
        least: u64,
        cannot_err: &[&str],
    ) -> Vec<(&'n str, [u64; 3])> {
        let names = names.into_iter().map(|name| (name, self.counts(name)));
        names
            .filter(|(name, [yes, no, erring])| {
                let is_rare = *erring < least && !cannot_err.contains(name);
                is_rare || *yes < least || *no < least
            })
            .collect()
    }
}
