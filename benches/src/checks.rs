//! Measures checks: a workload, its requests, and everything that answers them. Sublet answers from
//! strings, from a request, with handles and in batches. The peers are code by hand and
//! `cedar-policy`.

use std::collections::BTreeMap;

use sublet::{Engine, Options, PolicySource, Request, RequestRef};

use crate::agency::{self, Agency, Asked};
use crate::by_hand::HandWrittenRules;
use crate::cedar::Cedar;
use crate::handles::Handles;
use crate::measure::{Contestant, Pass, Report, SEED, all, each, policies, race, shuffled, size};
use crate::random::Random;
use crate::workloads::Workload;

/// The size at which every peer is asked.
pub const JUDGED: usize = 100;

/// The engine and the peer of one size.
#[derive(Debug)]
pub struct Scene {
    pub workload: Workload,
    pub size: usize,
    pub agency: Agency,
    pub engine: Engine,
    pub by_hand: HandWrittenRules,
    requests: Vec<Request>,
    handles: Handles,
}

/// An engine with the shipped policies and this directory.
///
/// # Panics
/// If they are refused.
#[must_use]
pub fn opened(lines: &str) -> Engine {
    opened_with(PolicySource::Folder(policies()), lines)
}

/// An engine with these policies and this directory.
///
/// # Panics
/// If they are refused.
#[must_use]
pub fn opened_with(policies: PolicySource, lines: &str) -> Engine {
    let options = Options {
        policies,
        ..Options::default()
    };
    let engine = Engine::open(options).unwrap_or_else(|error| panic!("{error}"));
    engine
        .import(lines.as_bytes(), None, None)
        .expect("the directory");
    engine
}

fn requests(questions: &[agency::Question]) -> Vec<Request> {
    questions.iter().map(agency::Question::request).collect()
}

impl Scene {
    /// An agency of `size` main accounts and `asked` questions.
    #[must_use]
    pub fn new(size: usize, asked: usize) -> Self {
        Self::of(Workload::Agency, size, asked)
    }

    /// A workload of `size` main accounts and `asked` questions.
    #[must_use]
    pub fn of(workload: Workload, size: usize, asked: usize) -> Self {
        let agency = workload.drawn(size, asked);
        Self {
            workload,
            size,
            engine: opened_with(workload.policies(), &agency.lines),
            by_hand: HandWrittenRules::new(&agency.lines),
            requests: requests(&agency.questions),
            handles: Handles::new(&agency.questions),
            agency,
        }
    }

    /// Returns the scene with other questions about its directory.
    #[must_use]
    pub fn asking(mut self, questions: Vec<agency::Question>) -> Self {
        self.requests = requests(&questions);
        self.handles = Handles::new(&questions);
        self.agency.questions = questions;
        self
    }

    /// Returns the name of workload and size in rows.
    fn name(&self) -> String {
        format!("{}={}", self.workload.name(), self.size)
    }

    /// Returns the code by hand.
    #[must_use]
    pub fn code_by_hand(&self, asked: &Asked<'_>) -> &'static str {
        match self.workload {
            Workload::Agency => self.by_hand.decide(asked),
            Workload::Authors => self.by_hand.decide_with_authors(asked),
        }
    }

    /// Returns the allow bit by hand.
    #[must_use]
    pub fn allowed_by_hand(&self, asked: &Asked<'_>) -> bool {
        match self.workload {
            Workload::Agency => self.by_hand.check(asked),
            Workload::Authors => self.by_hand.check_with_authors(asked),
        }
    }

    /// The questions, borrowed.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked<'_>> {
        self.agency
            .questions
            .iter()
            .map(agency::Question::asked)
            .collect()
    }

    /// The questions with handles.
    #[must_use]
    pub fn with_handles(&self) -> Vec<RequestRef<'_>> {
        self.agency
            .questions
            .iter()
            .enumerate()
            .map(|(at, question)| self.handles.request(at, question))
            .collect()
    }

    /// Compares all answers, in each form.
    ///
    /// # Panics
    /// If two differ.
    pub fn compare(&self) {
        let mut shares = BTreeMap::new();
        let handled = self.with_handles();
        let many = self.engine.check_many(&handled).expect("answers");
        for (at, asked) in self.asked().iter().enumerate() {
            let decision = self.engine.authorize(asked.question()).expect("an answer");
            let code = self.code_by_hand(asked);
            assert_eq!(decision.code.as_ref(), code, "{asked:?}");
            assert_eq!(decision.allowed, code == "ok");
            assert_eq!(decision.allowed, self.allowed_by_hand(asked), "{asked:?}");
            assert_eq!(
                decision.allowed,
                self.engine.check(asked.question()).expect("an answer")
            );
            assert_eq!(
                decision.allowed,
                self.engine.check(&self.requests[at]).expect("an answer")
            );
            assert_eq!(
                decision.allowed,
                self.engine.check(handled[at]).expect("an answer")
            );
            assert_eq!(decision.allowed, many[at]);
            assert_eq!(
                decision,
                self.engine.authorize(handled[at]).expect("an answer")
            );
            *shares.entry(code).or_insert(0_usize) += 1;
        }
        println!("{}: {} answers agree: {shares:?}", self.name(), many.len());
    }

    /// One contestant for each way to ask.
    #[must_use]
    pub fn passes<'a>(
        &'a self,
        asked: &'a [Asked<'a>],
        handled: &'a [RequestRef<'a>],
    ) -> Vec<Pass<'a>> {
        let Self {
            engine,
            by_hand,
            requests,
            ..
        } = self;
        let (check, decide): (Contestant<'_>, Contestant<'_>) = match self.workload {
            Workload::Agency => (
                each(|at| by_hand.check(&asked[at])),
                each(|at| by_hand.decide(&asked[at])),
            ),
            Workload::Authors => (
                each(|at| by_hand.check_with_authors(&asked[at])),
                each(|at| by_hand.decide_with_authors(&asked[at])),
            ),
        };
        vec![
            ("strings", each(|at| engine.check(asked[at].question()))),
            ("by_hand", check),
            ("request", each(|at| engine.check(&requests[at]))),
            ("handles", each(|at| engine.check(handled[at]))),
            (
                "authorize",
                each(|at| engine.authorize(asked[at].question())),
            ),
            ("by_hand_code", decide),
        ]
    }

    /// The rows of every size.
    pub fn rows(&self, report: &mut Report, rounds: usize) {
        let (asked, handled) = (self.asked(), self.with_handles());
        let found = race(self.passes(&asked, &handled), asked.len(), rounds);
        let of = self.name();
        for (form, peer) in [
            ("check/strings", "by_hand"),
            ("check/request", "by_hand"),
            ("check/handles", "by_hand"),
            ("authorize", "by_hand_code"),
        ] {
            let ours = found[form.trim_start_matches("check/")];
            let name = format!("rust/{form}/{of}");
            report.row(name, "ns", ours, Some(found[peer]), true);
        }
        report.row(
            format!("rust/authorize/{of}/peer=check"),
            "ns",
            found["authorize"],
            Some(found["strings"]),
            true,
        );
    }

    /// Many at once beside one at a time, from strings.
    pub fn many(&self, report: &mut Report, rounds: usize) {
        let Self { engine, size, .. } = self;
        let asked = self.asked();
        let mixed = shuffled(asked.len(), &mut Random::new(SEED + 1));
        let questions: Vec<RequestRef<'_>> = mixed
            .iter()
            .map(|at| asked[*at as usize].question())
            .collect();
        let passes: Vec<Pass<'_>> = vec![
            ("check", each(|at| engine.check(asked[at].question()))),
            ("check_many", all(|| engine.check_many(&questions))),
            (
                "authorize",
                each(|at| engine.authorize(asked[at].question())),
            ),
            ("authorize_many", all(|| engine.authorize_many(&questions))),
        ];
        let found = race(passes, asked.len(), rounds);
        report.row(
            format!("rust/check_many/items={}/agency={size}", asked.len()),
            "ns",
            found["check_many"],
            Some(found["check"]),
            true,
        );
        report.row(
            format!("rust/authorize_many/items={}/agency={size}", asked.len()),
            "ns",
            found["authorize_many"],
            Some(found["authorize"]),
            true,
        );
    }

    /// Beside `cedar-policy` with everything prebuilt; a thousand questions stand for all.
    ///
    /// # Panics
    /// If an answer differs.
    pub fn judged(&self, report: &mut Report, rounds: usize) {
        let whole = self.asked();
        let asked = &whole[..whole.len().min(size("SUBLET_BENCH_JUDGED", 1_000))];
        let cedar = Cedar::new(&self.workload.files(), &self.agency.lines);
        let entities = cedar.entities(&self.agency.questions[..asked.len()]);
        let requests: Vec<_> = self.agency.questions[..asked.len()]
            .iter()
            .map(|question| cedar.request(question))
            .collect();
        for (request, asked) in requests.iter().zip(asked) {
            assert_eq!(
                cedar.ask(request, &entities),
                self.allowed_by_hand(asked),
                "{asked:?}"
            );
        }
        let passes: Vec<Pass<'_>> = vec![
            ("sublet", each(|at| self.engine.check(asked[at].question()))),
            ("cedar", each(|at| cedar.ask(&requests[at], &entities))),
        ];
        let found = race(passes, asked.len(), rounds);
        report.row(
            format!("rust/check/strings/{}/peer=cedar-policy", self.name()),
            "ns",
            found["sublet"],
            Some(found["cedar"]),
            true,
        );
    }
}
