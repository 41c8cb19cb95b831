//! Measures checks: an agency, its requests, and everything that answers them. Sublet answers from
//! strings, from a request, with handles and in batches. The peers are code by hand and
//! `cedar-policy`.

use std::collections::{BTreeMap, HashMap};

use sublet::{
    Action, Engine, Host, Options, PolicySource, Principal, Request, RequestRef, ResourceType,
};

use crate::agency::{self, Agency, Asked, agency};
use crate::by_hand::HandWrittenRules;
use crate::cedar::Cedar;
use crate::measure::{Pass, Report, SEED, all, each, policies, race, shuffled, size};
use crate::random::Random;

/// The size at which every peer is asked.
pub const JUDGED: usize = 100;

/// The engine and the peer of one size.
#[derive(Debug)]
pub struct Scene {
    pub size: usize,
    pub agency: Agency,
    pub engine: Engine,
    pub by_hand: HandWrittenRules,
    requests: Vec<Request>,
    handles: Handles,
}

/// The handles of all words in the questions, and for each question which.
#[derive(Debug, Default)]
struct Handles {
    principals: Vec<Principal>,
    actions: Vec<Action>,
    types: Vec<ResourceType>,
    hosts: Vec<Host>,
    /// The numbers of each request: principal, action, type, account, host.
    of: Vec<[u32; 5]>,
}

const NONE: u32 = u32::MAX;

fn place<T>(
    known: &mut HashMap<String, u32>,
    list: &mut Vec<T>,
    key: String,
    make: impl FnOnce() -> T,
) -> u32 {
    *known.entry(key).or_insert_with(|| {
        list.push(make());
        u32::try_from(list.len() - 1).unwrap_or(NONE)
    })
}

impl Handles {
    fn new(questions: &[agency::Question]) -> Self {
        let mut made = Self::default();
        let known = &mut <[HashMap<String, u32>; 4]>::default();
        for question in questions {
            let asked = question.asked();
            let [principals, actions, types, hosts] = known;
            let mut principal = |(kind, id): (&str, &str)| {
                place(
                    principals,
                    &mut made.principals,
                    format!("{kind}/{id}"),
                    || Principal::new(kind, id),
                )
            };
            let of = [
                principal(asked.principal),
                place(actions, &mut made.actions, asked.action.to_owned(), || {
                    Action::new("Action", asked.action)
                }),
                place(types, &mut made.types, asked.resource.0.to_owned(), || {
                    ResourceType::new(asked.resource.0)
                }),
                asked
                    .account
                    .map_or(NONE, |account| principal(("Account", account))),
                place(hosts, &mut made.hosts, asked.host.to_owned(), || {
                    Host::new(asked.host)
                }),
            ];
            made.of.push(of);
        }
        made
    }

    #[inline]
    fn question<'a>(&'a self, at: usize, id: &'a str) -> RequestRef<'a> {
        let [principal, action, kind, account, host] = self.of[at];
        let question = RequestRef::new(
            &self.principals[principal as usize],
            &self.actions[action as usize],
            (&self.types[kind as usize], id),
        )
        .host(&self.hosts[host as usize]);
        if account == NONE {
            question
        } else {
            question.account(&self.principals[account as usize])
        }
    }
}

/// An engine with the shipped policies and this directory.
///
/// # Panics
/// If they are refused.
#[must_use]
pub fn opened(lines: &str) -> Engine {
    let engine = Engine::open(Options {
        policies: PolicySource::Folder(policies()),
        ..Options::default()
    })
    .expect("the bundle");
    engine
        .import(lines.as_bytes(), None, None)
        .expect("the directory");
    engine
}

impl Scene {
    /// An agency of `size` main accounts and `asked` questions.
    #[must_use]
    pub fn new(size: usize, asked: usize) -> Self {
        let agency = agency(size, asked, SEED);
        let (engine, by_hand) = (opened(&agency.lines), HandWrittenRules::new(&agency.lines));
        let requests = agency
            .questions
            .iter()
            .map(agency::Question::request)
            .collect();
        let handles = Handles::new(&agency.questions);
        Self {
            size,
            agency,
            engine,
            by_hand,
            requests,
            handles,
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
            .map(|(at, question)| self.handles.question(at, &question.resource.1))
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
            let code = self.by_hand.decide(asked);
            assert_eq!(decision.code.as_ref(), code, "{asked:?}");
            assert_eq!(decision.allowed, code == "ok");
            assert_eq!(decision.allowed, self.by_hand.check(asked), "{asked:?}");
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
        println!(
            "agency={}: {} answers agree: {shares:?}",
            self.size,
            many.len()
        );
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
        vec![
            ("strings", each(|at| engine.check(asked[at].question()))),
            ("by_hand", each(|at| by_hand.check(&asked[at]))),
            ("request", each(|at| engine.check(&requests[at]))),
            ("handles", each(|at| engine.check(handled[at]))),
            (
                "authorize",
                each(|at| engine.authorize(asked[at].question())),
            ),
            ("by_hand_code", each(|at| by_hand.decide(&asked[at]))),
        ]
    }

    /// The rows of every size.
    pub fn rows(&self, report: &mut Report, rounds: usize) {
        let (asked, handled) = (self.asked(), self.with_handles());
        let found = race(self.passes(&asked, &handled), asked.len(), rounds);
        let size = self.size;
        let by_hand = Some(found["by_hand"]);
        report.row(
            format!("rust/check/strings/agency={size}"),
            "ns",
            found["strings"],
            by_hand,
            true,
        );
        report.row(
            format!("rust/check/request/agency={size}"),
            "ns",
            found["request"],
            by_hand,
            true,
        );
        report.row(
            format!("rust/check/handles/agency={size}"),
            "ns",
            found["handles"],
            by_hand,
            true,
        );
        report.row(
            format!("rust/authorize/agency={size}"),
            "ns",
            found["authorize"],
            Some(found["by_hand_code"]),
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
        let cedar = Cedar::new(&policies(), &self.agency.lines);
        let entities = cedar.entities(&self.agency.questions[..asked.len()]);
        let requests: Vec<_> = self.agency.questions[..asked.len()]
            .iter()
            .map(|question| cedar.request(question))
            .collect();
        for (request, asked) in requests.iter().zip(asked) {
            assert_eq!(
                cedar.ask(request, &entities),
                self.by_hand.check(asked),
                "{asked:?}"
            );
        }
        let passes: Vec<Pass<'_>> = vec![
            ("sublet", each(|at| self.engine.check(asked[at].question()))),
            ("cedar", each(|at| cedar.ask(&requests[at], &entities))),
        ];
        let found = race(passes, asked.len(), rounds);
        report.row(
            format!("rust/check/strings/agency={}/peer=cedar-policy", self.size),
            "ns",
            found["sublet"],
            Some(found["cedar"]),
            true,
        );
    }
}
