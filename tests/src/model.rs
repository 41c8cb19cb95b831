//! A small model of quotas: two accounts, a member with a sub-limit, months, reservations,
//! idempotency keys.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sublet::{instant_text, parse_instant};

use crate::{Random, month_window};

const START: &str = "2026-01-31T12:00:00Z";
const DAY: i64 = 86_400_000;
const KEPT: i64 = 35 * DAY;
const ACCOUNTS: [&str; 2] = ["acme", "nova"];

/// Executes commands on an engine in this process, or on one that crashes now and then.
pub trait Driver {
    /// Returns the answer, or the code of the error.
    fn ask(&mut self, asked: &Value, now: &str) -> Result<Value, String>;
}

/// The month of one account, or of its member.
type MonthKey = (usize, bool, i64);

/// The amount that an operation debited or reserved, and its account.
#[derive(Debug, Clone, Copy)]
struct ModelOperation {
    whose: MonthKey,
    amount: i64,
    until: i64,
    keep: i64,
}

/// The state of the model.
#[derive(Debug, Default)]
pub struct Model {
    now: i64,
    limits: [i64; 2],
    sub_limit: i64,
    used: BTreeMap<MonthKey, i64>,
    holds: BTreeMap<u64, ModelOperation>,
    /// The last operations that can be refunded.
    taken: BTreeMap<u64, ModelOperation>,
    keys: BTreeMap<(usize, String), (String, u64, i64)>,
}

impl Model {
    fn used(&self, whose: MonthKey) -> i64 {
        self.used.get(&whose).copied().unwrap_or(0)
    }

    fn held(&self, whose: MonthKey) -> i64 {
        let counts = |held: &&ModelOperation| {
            held.until > self.now
                && (held.whose == whose
                    || (!whose.1 && (held.whose.0, held.whose.2) == (whose.0, whose.2)))
        };
        self.holds
            .values()
            .filter(counts)
            .map(|held| held.amount)
            .sum()
    }

    /// Returns the remaining units of an account or member.
    fn remaining(&self, (account, member, month): MonthKey) -> i64 {
        let of = |limit: i64, whose| limit - self.used(whose) - self.held(whose);
        let pool = of(self.limits[account], (account, false, month));
        if member {
            pool.min(of(self.sub_limit, (account, true, month)))
        } else {
            pool
        }
    }

    fn add(&mut self, (account, member, month): MonthKey, amount: i64) {
        *self.used.entry((account, false, month)).or_default() += amount;
        if member {
            *self.used.entry((account, true, month)).or_default() += amount;
        }
    }

    /// Checks an answer of `consume` or `reserve`.
    fn take(
        &mut self,
        at: &str,
        whose: MonthKey,
        end: i64,
        asked: &Value,
        answer: Result<Value, String>,
    ) {
        let amount = asked["amount"].as_i64().expect("an amount");
        let key = asked["key"].as_str().map(|key| (whose.0, key.to_owned()));
        let request = json!([
            asked["do"],
            asked["member"],
            amount,
            asked["allow_partial"],
            asked["ttl"]
        ])
        .to_string();
        // A key can be used again 35 days after its retention ends.
        let known = key
            .as_ref()
            .and_then(|key| self.keys.get(key))
            .filter(|(_, _, keep)| keep + KEPT > self.now);
        if let Some((known, operation, keep)) = known {
            match answer {
                Err(code) if *keep <= self.now => {
                    assert_eq!(code, "quota.idempotency_key_pruned", "{at}")
                }
                Err(code) => assert!(
                    code == "quota.idempotency_mismatch" && *known != request,
                    "{at}: {code}"
                ),
                Ok(answer) => {
                    assert_eq!(
                        (
                            &answer["counted"]["operation"],
                            &answer["counted"]["replayed"],
                            known
                        ),
                        (&json!(operation), &json!(true), &request),
                        "{at}"
                    )
                }
            }
            return;
        }
        let answer = answer.unwrap_or_else(|code| panic!("{at}: {code}"));
        let left = self.remaining(whose);
        let granted = match amount <= left {
            _ if amount == 0 => 0,
            true => amount,
            false if asked["allow_partial"] == true && left > 0 => left,
            false => -1,
        };
        assert_eq!(
            answer["allowed"],
            json!(granted >= 0),
            "{at}: {left} left, {answer}"
        );
        let operation = answer["counted"]["operation"].as_u64();
        assert_eq!(operation.is_some(), granted > 0, "{at}: {answer}");
        let Some(operation) = operation else { return };
        let mut taken = ModelOperation {
            whose,
            amount: granted,
            until: i64::MAX,
            keep: end + KEPT,
        };
        if asked["do"] == "reserve" {
            taken.until = self.now + asked["ttl"].as_i64().expect("a time");
            self.holds.insert(operation, taken);
        } else {
            self.add(whose, granted);
            self.remember(operation, taken);
        }
        if let Some(key) = key {
            self.keys.insert(
                key,
                (
                    request,
                    operation,
                    taken.keep.max(if asked["do"] == "reserve" {
                        taken.until
                    } else {
                        0
                    }),
                ),
            );
        }
        let pool = (whose.0, false, whose.2);
        assert_eq!(
            answer["counted"]["quota"][0],
            json!([
                "emails",
                granted,
                self.used(pool),
                self.held(pool),
                if whose.1 {
                    json!(self.used(whose))
                } else {
                    Value::Null
                }
            ]),
            "{at}"
        );
    }

    fn remember(&mut self, operation: u64, taken: ModelOperation) {
        self.taken.insert(operation, taken);
        if self.taken.len() > 20 {
            self.taken.pop_first();
        }
    }

    fn settle(&mut self, at: &str, asked: &Value, answer: Result<Value, String>) {
        let operation = asked["operation"].as_u64().expect("an operation");
        let held = self.holds[&operation];
        let amount = asked["amount"].as_i64().filter(|_| asked["do"] == "commit");
        let expected = match amount {
            Some(_) if held.until <= self.now => Err("quota.reservation_expired".to_owned()),
            Some(amount) if amount > held.amount => Err("quota.commit_too_much".to_owned()),
            _ => Ok(()),
        };
        assert_eq!(
            answer.as_ref().map(|_| ()).map_err(Clone::clone),
            expected,
            "{at}"
        );
        let Ok(answer) = answer else { return };
        self.holds.remove(&operation);
        if let Some(amount) = amount {
            self.add(held.whose, amount);
            self.remember(
                answer["operation"].as_u64().expect("an operation"),
                ModelOperation { amount, ..held },
            );
        }
    }

    fn refund(&mut self, at: &str, asked: &Value, answer: Result<Value, String>) {
        let (operation, amount) = (
            asked["operation"].as_u64().expect("an operation"),
            asked["amount"].as_i64().expect("an amount"),
        );
        let taken = self.taken[&operation];
        if amount > taken.amount {
            assert_eq!(answer, Err("quota.refund_too_much".to_owned()), "{at}");
            return;
        }
        answer.unwrap_or_else(|code| panic!("{at}: {code}"));
        self.add(taken.whose, -amount);
        self.taken.insert(
            operation,
            ModelOperation {
                amount: taken.amount - amount,
                ..taken
            },
        );
    }

    fn account(&self, account: usize) -> Value {
        let id = ACCOUNTS[account];
        let package = if account == 0 { "agency" } else { "enterprise" };
        let limits = json!({ "emails": self.limits[account] });
        json!({ "do": "put", "record": { "type": "Account", "id": id, "email": format!("owner@{id}.example"), "package": package, "confirmed": true, "limits": limits } })
    }

    fn member(&self) -> Value {
        let grants = json!(["campaigns"]);
        json!({ "do": "put", "record": { "type": "TeamMember", "id": "ann", "account": "acme", "email": "ann@acme.example", "confirmed": true,
            "grants": grants, "sub_limits": { "emails": self.sub_limit } } })
    }
}

/// Executes random commands and compares each answer with the model. With `keyed` each command has
/// its own key, so that it can be retried.
///
/// # Panics
/// If the driver and the model differ. The message names the seed and the step.
pub fn walk(driver: &mut dyn Driver, seed: u64, steps: u64, keyed: bool) {
    let mut random = Random::new(seed);
    let mut model = Model {
        now: parse_instant(START).expect("an instant"),
        limits: [300, 200],
        sub_limit: 120,
        ..Model::default()
    };
    let mut number = |most: usize| i64::try_from(random.below(most)).expect("small");
    for step in 0..steps {
        let at = format!("seed {seed}, step {step}");
        let now = instant_text(model.now).expect("an instant");
        if step == 0 {
            for asked in [model.account(0), model.account(1), model.member()] {
                driver.ask(&asked, &now).expect("a record");
            }
        }
        let (account, member) = (usize::from(number(2) == 0), number(3) == 0);
        let member = member && account == 0;
        let (month, end) = month_window(model.now);
        let key = if keyed {
            json!(format!("step-{step}"))
        } else {
            Some(number(300))
                .filter(|at| at % 2 == 0)
                .map_or(Value::Null, |at| json!(format!("k{at}")))
        };
        let who = if member { json!("ann") } else { Value::Null };
        let whose = (account, member, month);
        let mut asked = json!({ "account": ACCOUNTS[account], "member": who, "amount": number(40), "key": key, "allow_partial": number(4) == 0 });
        match number(12) {
            0..4 => {
                asked["do"] = json!("consume");
                model.take(&at, whose, end, &asked, driver.ask(&asked, &now));
            }
            4 => {
                (asked["do"], asked["ttl"], asked["allow_partial"]) = (
                    json!("reserve"),
                    json!(number(3) * 40_000_000 + 1_000),
                    json!(false),
                );
                model.take(&at, whose, end, &asked, driver.ask(&asked, &now));
            }
            5..7 => {
                let Some(operation) = model.holds.keys().next().copied() else {
                    continue;
                };
                let verb = if number(3) == 0 { "release" } else { "commit" };
                let key = if keyed {
                    asked["key"].clone()
                } else {
                    Value::Null
                };
                let settling =
                    json!({ "do": verb, "operation": operation, "amount": number(25), "key": key });
                model.settle(&at, &settling, driver.ask(&settling, &now));
                model.holds.retain(|_, held| held.until > model.now - DAY);
            }
            7 => {
                let Some(operation) = model
                    .taken
                    .iter()
                    .filter(|(_, taken)| taken.keep > model.now)
                    .map(|(operation, _)| *operation)
                    .nth(usize::try_from(number(4)).unwrap_or(0))
                else {
                    continue;
                };
                let key = if keyed {
                    asked["key"].clone()
                } else {
                    Value::Null
                };
                let refund = json!({ "do": "refund", "operation": operation, "amount": number(25), "key": key });
                model.refund(&at, &refund, driver.ask(&refund, &now));
            }
            8 => {
                let milliseconds = number(23) * 3_600_000 * number(2);
                driver
                    .ask(&json!({ "do": "clock", "advance": milliseconds }), &now)
                    .expect("the clock");
                model.now += milliseconds;
                // The store is used every half day, because a longer pause would count as a jump of
                // the clock.
                driver
                    .ask(
                        &json!({ "do": "usage", "account": "acme" }),
                        &instant_text(model.now).expect("an instant"),
                    )
                    .expect("usage");
            }
            9 if number(10) == 0 => {
                model.limits[account] = number(600);
                model.sub_limit = number(300);
                for changed in [model.account(account), model.member()] {
                    driver.ask(&changed, &now).expect("a record");
                }
            }
            _ => {
                let usage = driver.ask(&json!({ "do": "usage", "account": ACCOUNTS[account], "member": who, "meter": "emails" }), &now).expect("usage");
                let pool = (account, false, month);
                let own = if member {
                    json!(model.used(whose))
                } else {
                    Value::Null
                };
                assert_eq!(
                    usage["quota"][0],
                    json!(["emails", 0, model.used(pool), model.held(pool), own]),
                    "{at}"
                );
            }
        }
    }
    assert_eq!(
        driver
            .ask(&json!({ "do": "verify" }), START)
            .expect("verified")["faults"],
        json!([]),
        "seed {seed}"
    );
}
