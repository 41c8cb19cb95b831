//! The workloads, by name.

use sublet::PolicySource;

use crate::agency::{Agency, Question, agency};
use crate::authors::{add_details, authors};
use crate::bundles::{self, Files};
use crate::hosts::{self, HostKind};
use crate::measure::{SEED, policies};
use crate::random::Random;

/// A workload: a bundle, a directory and questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// The shipped bundle.
    Agency,
    /// The shipped bundle and the rules of authors.
    Authors,
}

impl Workload {
    pub const ALL: [Self; 2] = [Self::Agency, Self::Authors];

    /// The name in rows: `agency=100`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Agency => "agency",
            Self::Authors => "authors",
        }
    }

    /// The files of the bundle.
    #[must_use]
    pub fn files(self) -> Files {
        match self {
            Self::Agency => bundles::shipped(),
            Self::Authors => bundles::authors(),
        }
    }

    /// The bundle.
    #[must_use]
    pub fn policies(self) -> PolicySource {
        match self {
            Self::Agency => PolicySource::Folder(policies()),
            Self::Authors => PolicySource::Files(self.files()),
        }
    }

    /// The directory of `n` main accounts, and `asked` questions.
    #[must_use]
    pub fn drawn(self, n: usize, asked: usize) -> Agency {
        match self {
            Self::Agency => agency(n, asked, SEED),
            Self::Authors => authors(n, asked, SEED),
        }
    }

    /// Questions about the same directory that all come to one kind of host.
    #[must_use]
    pub fn at_host(self, kind: HostKind, n: usize, asked: usize) -> Vec<Question> {
        let mut questions = hosts::questions(kind, n, asked, SEED);
        if self == Self::Authors {
            add_details(&mut questions, &mut Random::new(SEED + 2));
        }
        questions
    }
}
