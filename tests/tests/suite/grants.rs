//! A store in memory answers many consumes and questions by cached grants, and a store in a file by
//! the policies. Both must give the same answers at each moment.

use serde_json::{Value, json};
use sublet::{
    Change, ConsumeOptions, Engine, Environment, Error, ManualClock, RecordPatch, Request,
    RequestRef, Resource,
};
use sublet_tests::{Random, agency_at, folder};

const HOST: &str = "dash.marketingmaster.example";
const DAY: i64 = 86_400_000;

struct Twins {
    engines: [(Engine, ManualClock); 2],
}

impl Twins {
    fn open() -> Self {
        let file = format!("sqlite:{}", folder().join("grants.db").display());
        let engines = ["memory:".to_owned(), file].map(agency_at);
        Self { engines }
    }

    /// Asks both engines and compares their answers. Returns the answer.
    fn ask(&self, what: &str, ask: impl Fn(&Engine) -> Result<Value, Error>) -> Value {
        let [memory, file] = [0, 1].map(|at| match ask(&self.engines[at].0) {
            Ok(mut answer) => {
                // Each store counts its own operations.
                if let Some(fields) = answer.as_object_mut() {
                    fields.remove("operation");
                }
                answer
            }
            Err(error) => json!({ "error": error.code() }),
        });
        assert_eq!(memory, file, "{what}");
        memory
    }

    fn advance(&self, by: i64) {
        for (_, clock) in &self.engines {
            clock.advance(by);
        }
    }
}

fn send<'a>(account: &'a str, id: &'a str) -> RequestRef<'a> {
    RequestRef::new(("Account", account), "campaign.send", ("Campaign", id))
        .account(account)
        .host(HOST)
}

/// Returns a random change of a record on which grants depend.
fn change(random: &mut Random, account: &str) -> Vec<Change> {
    let limit = random.below(400);
    let package = ["agency", "starter"][random.below(2)];
    let zone = ["UTC", "Europe/Vienna", "Asia/Tokyo"][random.below(3)];
    let mut record = match random.below(4) {
        0 => json!({ "limits": { "emails": limit } }),
        1 => json!({ "package": package }),
        2 if random.below(3) == 0 => json!({ "disabled": ["abuse"] }),
        2 => json!({ "disabled": [] }),
        _ => json!({ "zone": zone }),
    };
    record["type"] = json!("Account");
    record["id"] = json!(account);
    let patch = RecordPatch::from_value(record).expect("a patch");
    vec![Change::Merge(patch)]
}

#[test]
fn grants_answer_as_the_policies_do() {
    let mut allowed = [0; 2];
    for seed in 1..=4 {
        let (twins, mut random) = (Twins::open(), Random::new(seed));
        for step in 0..1_500 {
            let account = ["acme", "nova"][random.below(2)];
            let id = format!("campaign-{}", random.below(3));
            let amount = i64::try_from(random.below(3)).expect("few") + 1;
            let what = format!("seed {seed}, step {step}, {account}, {amount}");
            let with = Environment {
                amount: Some(amount),
                ..Environment::default()
            };
            let question = || RequestRef {
                environment: Some(&with),
                ..send(account, &id)
            };
            let key = format!("key-{}", random.below(900));
            match random.below(20) {
                0..=4 => {
                    let answer = twins.ask(&what, |engine| {
                        let take = ConsumeOptions::new(amount).idempotency_key(&key);
                        Ok(json!(engine.consume(send(account, &id), &take)?))
                    });
                    allowed[0] += usize::from(answer["allowed"] == true);
                }
                5..=8 => {
                    twins.ask(&what, |engine| {
                        let take = ConsumeOptions {
                            allow_partial: amount == 2,
                            ..ConsumeOptions::new(amount)
                        };
                        Ok(json!(engine.consume(send(account, &id), &take)?))
                    });
                }
                9..=13 => {
                    let answer =
                        twins.ask(&what, |engine| Ok(json!(engine.authorize(question())?)));
                    let bit = twins.ask(&what, |engine| Ok(json!(engine.check(question())?)));
                    let resource = Resource::new("Campaign", &*id).account(account);
                    let mut request =
                        Request::new(("Account", account), "campaign.send", resource).host(HOST);
                    request.environment.amount = Some(amount);
                    let told = twins.ask(&what, |engine| {
                        Ok(json!(engine.explain(&request)?.decision))
                    });
                    assert_eq!((&answer, &answer["allowed"]), (&told, &bit), "{what}");
                    allowed[1] += usize::from(bit == true);
                }
                14 => {
                    twins.ask(&what, |engine| {
                        Ok(json!(engine.reserve(
                            send(account, &id),
                            &ConsumeOptions::new(amount),
                            Some(DAY),
                        )?))
                    });
                }
                15 => {
                    twins.ask(&what, |engine| {
                        engine.top_up(account, "emails", amount, None)?;
                        Ok(json!(engine.usage(account, None, None)?))
                    });
                }
                16 | 17 => twins.advance(i64::try_from(random.below(20)).expect("few") * DAY / 4),
                18 => {
                    let changes = change(&mut random, account);
                    twins.ask(&what, |engine| {
                        Ok(json!(engine.apply_changes(changes.clone(), None)?))
                    });
                }
                _ => {
                    twins.ask(&what, |engine| {
                        Ok(json!(engine.usage(account, None, None)?))
                    });
                }
            }
        }
        for (engine, _) in &twins.engines {
            assert_eq!(
                engine.verify().expect("verified").faults,
                Vec::<String>::new()
            );
        }
    }
    assert!(allowed.iter().all(|count| *count > 200), "{allowed:?}");
}
