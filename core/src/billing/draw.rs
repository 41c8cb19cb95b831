//! The order in which client accounts over the package's number are disabled (B5, B6). Anyone who
//! has the statement can repeat the random selection.

use std::collections::{BTreeMap, BTreeSet};

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::model::catalog::ExcessOrder;

/// The rule of a draw: everything besides the seed and the clients that decides their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DrawRule {
    pub(super) order: ExcessOrder,
    /// The clients that the owner chose, if the order is the owner's choice.
    pub(super) choice: Vec<String>,
    /// The creation times of the clients, if they are known and the order needs them.
    pub(super) created: BTreeMap<String, String>,
    /// The clients that come last, because they were disabled for another reason than overage when
    /// the month was closed (B12).
    pub(super) disabled_before: BTreeSet<String>,
    /// The rounds of clients that came later, if the draw continues an earlier one (B11). Every
    /// other client is in round 0.
    pub(super) rounds: BTreeMap<String, u32>,
}

/// Returns the ids of the clients in the order in which they are disabled. Every client has a rank
/// in the random selection, which decides the ties of the other rules.
pub(super) fn order(rule: &DrawRule, seed: &str, clients: &[String]) -> Vec<String> {
    let mut drawn: Vec<&String> = clients.iter().collect();
    drawn.sort_by_cached_key(|id| {
        let round = match rule.order {
            ExcessOrder::Random => rule.rounds.get(*id).copied().unwrap_or(0),
            ExcessOrder::NewestFirst | ExcessOrder::OwnersChoice => 0,
        };
        (round, rank(seed, id), *id)
    });
    // RFC 3339 texts in UTC sort like their instants. Each sort is stable, so ties keep the order
    // of the sorts before.
    if rule.order == ExcessOrder::NewestFirst {
        drawn.sort_by(|one, other| rule.created.get(*other).cmp(&rule.created.get(*one)));
    }
    drawn.sort_by_key(|id| rule.disabled_before.contains(*id));
    if rule.order == ExcessOrder::OwnersChoice {
        let choice = &rule.choice;
        drawn.sort_by_key(|id| {
            let place = choice.iter().position(|named| named == *id);
            place.unwrap_or(choice.len())
        });
    }
    drawn.into_iter().cloned().collect()
}

/// Returns the rank of a client in the random selection.
fn rank(seed: &str, id: &str) -> [u8; 32] {
    // HMAC accepts a key of any length, so this never fails.
    Hmac::<Sha256>::new_from_slice(&bytes(seed)).map_or([0; 32], |mac| {
        mac.chain_update(id.as_bytes())
            .finalize()
            .into_bytes()
            .into()
    })
}

/// Returns the bytes of a hexadecimal seed. A text that is not hexadecimal stands for its own
/// bytes.
fn bytes(seed: &str) -> Vec<u8> {
    let digits: Option<Vec<u8>> = seed
        .chars()
        .map(|digit| {
            digit
                .to_digit(16)
                .and_then(|value| u8::try_from(value).ok())
        })
        .collect();
    let Some(digits) = digits.filter(|digits| digits.len() % 2 == 0) else {
        return seed.as_bytes().to_vec();
    };
    digits
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |all: u8, digit| all << 4 | digit))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: &str, clients: &[String]) -> Vec<String> {
        order(&DrawRule::default(), seed, clients)
    }

    fn ids(count: usize) -> Vec<String> {
        (0..count).map(|id| format!("client-{id}")).collect()
    }

    #[test]
    fn draw_is_hmac_sha256_of_id() {
        // RFC 4231, test case 1: the key is the byte 0b 20 times, the data is "Hi There".
        let found = rank(&"0b".repeat(20), "Hi There");
        assert_eq!(found[..8], [0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53]);
    }

    /// One seed gives one order.
    #[test]
    fn draw_ignores_order_of_clients() {
        let clients = ids(40);
        let turned: Vec<String> = clients.iter().rev().cloned().collect();
        let seed = "7".repeat(64);
        let found = drawn(&seed, &clients);
        assert_eq!(found, drawn(&seed, &turned));
        assert_ne!(found, drawn(&"8".repeat(64), &clients));
        assert_ne!(found, clients);
    }

    #[test]
    fn removed_client_keeps_order_of_others() {
        let (clients, seed) = (ids(30), "5a".repeat(32));
        let mut found = drawn(&seed, &clients);
        let removed = found.remove(3);
        let rest: Vec<String> = clients.into_iter().filter(|id| *id != removed).collect();
        assert_eq!(drawn(&seed, &rest), found);
    }

    /// B11, B12: clients that work come first, then rounds, then ranks.
    #[test]
    fn disabled_clients_are_drawn_last() {
        let (clients, seed) = (ids(30), "5a".repeat(32));
        let plain = drawn(&seed, &clients);
        let rule = DrawRule {
            disabled_before: [plain[0].clone(), plain[4].clone()].into(),
            rounds: [(plain[1].clone(), 2), (plain[2].clone(), 1)].into(),
            ..DrawRule::default()
        };
        let found = order(&rule, &seed, &clients);
        assert_eq!(found[0], plain[3]);
        let last = [2, 1, 0, 4].map(|at: usize| plain[at].clone());
        assert_eq!(found[26..], last);
    }

    /// B3, B5: 20,000 seeds, 13 clients of which 3 are selected. Each client is expected 4,615.4
    /// times. The sum of the squared deviations is divided by that number and corrected for
    /// selection without replacement. The result is chi-squared with 12 degrees of freedom, and
    /// exceeds 32.9 once in a thousand times. The seeds are fixed.
    #[test]
    fn draw_is_fair() {
        const SEEDS: u32 = 20_000;
        let clients = ids(13);
        let (mut single, mut pairs) = ([0_u32; 13], [0_u32; 13]);
        for seed in 0..SEEDS {
            let order = drawn(&format!("{seed:064x}"), &clients);
            for id in &order[..3] {
                single[clients
                    .iter()
                    .position(|known| known == id)
                    .expect("a client")] += 1;
            }
            // Selections must be independent: counts how often each client is selected together
            // with the first one.
            if order[..3].contains(&clients[0]) {
                for id in &order[..3] {
                    pairs[clients
                        .iter()
                        .position(|known| known == id)
                        .expect("a client")] += 1;
                }
            }
        }
        let chi = |counts: &[u32], expected: f64, share: f64| {
            let squares: f64 = counts
                .iter()
                .map(|count| (f64::from(*count) - expected).powi(2))
                .sum();
            let many = f64::from(u32::try_from(counts.len()).expect("few"));
            squares / (expected * (1.0 - share)) * ((many - 1.0) / many)
        };
        let all = chi(&single, f64::from(SEEDS) * 3.0 / 13.0, 3.0 / 13.0);
        assert!(all < 32.9, "{all}: {single:?}");
        let first = f64::from(pairs[0]);
        let with = chi(&pairs[1..], first * 2.0 / 12.0, 2.0 / 12.0);
        assert!(with < 31.3, "{with}: {pairs:?}");
    }

    #[test]
    fn selection_order_is_configurable() {
        let (clients, seed) = (ids(4), "01".repeat(32));
        let created = [
            ("client-1", "2026-01-02T00:00:00Z"),
            ("client-2", "2026-03-01T00:00:00Z"),
            ("client-3", "2026-02-01T00:00:00Z"),
        ];
        let created = created
            .map(|(id, at)| (id.to_owned(), at.to_owned()))
            .into();
        let newest = DrawRule {
            order: ExcessOrder::NewestFirst,
            created,
            ..DrawRule::default()
        };
        assert_eq!(
            order(&newest, &seed, &clients),
            ["client-2", "client-3", "client-1", "client-0"]
        );
        let chosen = DrawRule {
            order: ExcessOrder::OwnersChoice,
            choice: vec!["client-3".to_owned(), "client-0".to_owned()],
            ..DrawRule::default()
        };
        assert_eq!(order(&chosen, &seed, &clients)[..2], chosen.choice);
    }

    #[test]
    fn seed_is_hexadecimal() {
        assert_eq!(bytes("00ff7A"), [0, 255, 0x7a]);
        assert_eq!(bytes("xyz"), b"xyz");
        assert_eq!(bytes("abc"), b"abc");
    }
}
