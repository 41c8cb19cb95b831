//! Workload "authors": the agency, and the twelve rules of `benches/authors/`. Its accounts and
//! members have attributes of their own. A third of the requests has a context.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::agency::{Agency, Question, agency};
use crate::details::Details;
use crate::random::Random;

/// The countries whose accounts may send text messages.
pub const SERVED: [&str; 6] = ["AT", "CH", "DE", "FR", "GB", "US"];
/// The other countries.
const UNSERVED: [&str; 3] = ["BR", "IN", "JP"];
/// The attributes of accounts that are true or left out, and how many of a hundred have them.
const FLAGS: [(&str, usize); 4] = [
    ("trial", 10),
    ("office_only", 15),
    ("frozen_at_night", 10),
    ("second_factor", 15),
];
const DEPARTMENTS: [&str; 8] = [
    "sales",
    "marketing",
    "design",
    "support",
    "sales",
    "marketing",
    "design",
    "finance",
];
/// 29 November 2026, in days since 1970.
const DAY: i64 = 20_786;
/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// The workload of `n` main accounts, and `asked` questions.
#[must_use]
pub fn authors(n: usize, asked: usize, seed: u64) -> Agency {
    let Agency { lines, questions } = agency(n, asked, seed);
    let mut authors = Agency {
        lines: with_attributes(&lines, &mut Random::new(seed + 1)),
        questions,
    };
    add_details(&mut authors.questions, &mut Random::new(seed + 2));
    authors
}

/// The records with the attributes that the rules read.
fn with_attributes(lines: &str, random: &mut Random) -> String {
    let mut all = String::with_capacity(lines.len() * 5 / 4);
    for line in lines.lines() {
        let attributes = if line.starts_with(r#"{"type":"Account""#) {
            of_account(random)
        } else if line.starts_with(r#"{"type":"TeamMember""#) {
            of_member(random)
        } else {
            let _ = writeln!(all, "{line}");
            continue;
        };
        let record = line.trim_end_matches('}');
        let _ = writeln!(all, r#"{record},"attributes":{{{attributes}}}}}"#);
    }
    all
}

fn of_account(random: &mut Random) -> String {
    let served = random.happens(85);
    let countries: &[&str] = if served { &SERVED } else { &UNSERVED };
    let mut text = format!(r#""country":"{}""#, random.one(countries));
    for (name, percent) in FLAGS {
        if random.happens(percent) {
            let _ = write!(text, r#","{name}":true"#);
        }
    }
    text
}

fn of_member(random: &mut Random) -> String {
    let (department, seniority) = (random.one(&DEPARTMENTS), random.below(6));
    let auditor = random.happens(5);
    format!(r#""department":"{department}","seniority":{seniority},"auditor":{auditor}"#)
}

/// Adds a context to a third of the questions, and what the rules read of campaigns and files.
pub(crate) fn add_details(questions: &mut [Question], random: &mut Random) {
    for question in questions {
        let mut details = question.details.take().unwrap_or_default();
        let with_context = random.below(3) == 0;
        if with_context {
            add_context(&mut details, random);
        }
        let with_more = add_more(&mut details, &question.action, random);
        if with_context || with_more || details.job {
            question.details = Some(details);
        }
    }
}

/// The instant, the address and whether there was a second factor.
fn add_context(details: &mut Details, random: &mut Random) {
    let second = random.below(86_400);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    let text = format!("2026-11-29T{hour:02}:{minute:02}:{:02}Z", second % 60);
    details.now = i64::try_from(second)
        .ok()
        .map(|second| DAY * DAY_MS + second * 1_000);
    details.add_context("asked_at", text);
    let address = address(random);
    details.ip = Some(address);
    details.add_context("ip", address.to_string());
    let factor = random.happens(70);
    details.second_factor = Some(factor);
    details.add_context("second_factor", factor);
}

/// An address of an office in seven of ten cases.
fn address(random: &mut Random) -> IpAddr {
    let last = u8::try_from(random.below(256)).unwrap_or(1);
    match random.below(10) {
        0..4 => Ipv4Addr::new(10, last, 7, 21).into(),
        4..6 => Ipv4Addr::new(203, 0, 113, last).into(),
        6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)).into(),
        7 => Ipv6Addr::new(0x2a00, 0x1450, 0, 0, 0, 0, 0, u16::from(last)).into(),
        _ => Ipv4Addr::new(198, 51, 100, last).into(),
    }
}

/// The stage of a campaign and the name of a file, if they are changed.
fn add_more(details: &mut Details, action: &str, random: &mut Random) -> bool {
    match action {
        "campaign.edit" | "campaign.delete" => {
            let draft = random.happens(70);
            let stage = if draft { "draft" } else { "approved" };
            details.stage = Some(stage);
            let tags = &mut details.more().tags;
            tags.insert("stage".to_owned(), stage.into());
        }
        "file.edit" | "file.delete" => {
            let locked = random.happens(15);
            let ending = if locked { "locked" } else { "pdf" };
            let name = format!("report-{}.{ending}", random.below(1_000));
            details.name = Some(name.clone());
            let attributes = &mut details.more().attributes;
            attributes.insert("name".to_owned(), name.into());
        }
        _ => return false,
    }
    true
}
