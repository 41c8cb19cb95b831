//! Questions that all come to one kind of host, and their rows.

use crate::agency::{Login, PLATFORM, Question, directory, question};
use crate::checks::Scene;
use crate::details::Details;
use crate::measure::{Report, race};
use crate::random::Random;

/// A kind of host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKind {
    /// The platform's domain. Only main accounts and their members ask.
    Platform,
    /// The domain of the own owner.
    Whitelabel,
    /// The domain of another owner.
    Other,
    /// None: a background job asks.
    None,
    /// A host that is no domain of the directory.
    Unknown,
}

impl HostKind {
    pub const ALL: [Self; 5] = [
        Self::Platform,
        Self::Whitelabel,
        Self::Other,
        Self::None,
        Self::Unknown,
    ];

    /// The name in rows: `host=whitelabel`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Whitelabel => "whitelabel",
            Self::Other => "other",
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }

    /// The host of this kind for a login of the main account with this number, one of `n`.
    fn host(self, main: usize, n: usize, random: &mut Random) -> Option<String> {
        match self {
            Self::Platform => Some(PLATFORM.to_owned()),
            Self::Whitelabel => Some(domain(main)),
            // With one main account alone, the host is unknown.
            Self::Other if n == 1 => Some(domain(1)),
            Self::Other => Some(domain((main + 1 + random.below(n - 1)) % n)),
            Self::None => None,
            Self::Unknown => Some(format!("www.shop-{:05}.example", random.below(10_000))),
        }
    }
}

fn domain(main: usize) -> String {
    format!("app.agency-{main:05}.example")
}

/// The number in `main-00007-member-1` or `client-00007-03`.
fn main_number(id: &str) -> usize {
    let number = id.split('-').nth(1);
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Questions about the agency of `n` main accounts that come to this kind of host.
#[must_use]
pub fn questions(kind: HostKind, n: usize, asked: usize, seed: u64) -> Vec<Question> {
    let random = &mut Random::new(seed);
    let (_, logins) = directory(n, random);
    let asks = |login: &Login| kind != HostKind::Platform || login.owner.is_none();
    let logins: Vec<Login> = logins.into_iter().filter(asks).collect();
    let one = |_| {
        let mut question = question(random, &logins);
        question.host = kind.host(main_number(&question.principal.1), n, random);
        if kind == HostKind::None {
            let mut details = Details::default();
            details.ask_as_job();
            question.details = Some(details.into());
        }
        question
    };
    (0..asked).map(one).collect()
}

/// One row for each kind of host, beside the rules by hand.
///
/// # Panics
/// If two answers differ.
pub fn rows(report: &mut Report, mut scene: Scene, rounds: usize) {
    let (workload, size, count) = (scene.workload, scene.size, scene.agency.questions.len());
    for kind in HostKind::ALL {
        scene = scene.asking(workload.at_host(kind, size, count));
        scene.compare();
        let (asked, handled) = (scene.asked(), scene.with_handles());
        let mut passes = scene.passes(&asked, &handled);
        passes.retain(|(name, _)| ["strings", "by_hand"].contains(name));
        let found = race(passes, asked.len(), rounds);
        let (kind, name) = (kind.name(), workload.name());
        report.row(
            format!("rust/check/strings/host={kind}/{name}={size}"),
            "ns",
            found["strings"],
            Some(found["by_hand"]),
            true,
        );
    }
}
