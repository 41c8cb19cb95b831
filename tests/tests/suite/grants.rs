//! Stores answer many consumes by cached grants. They must give the answers of the policies at each
//! moment, in memory and in a file that two engines share.

use serde_json::{Value, json};
use sublet::{
    Change, ConsumeOptions, Engine, Environment, Error, ManualClock, RecordPatch, Request,
    RequestRef, Resource,
};
use sublet_tests::{Random, agency_at, folder};

const HOST: &str = "dash.marketingmaster.example";
const DAY: i64 = 86_400_000;

/// One agency in three stores.
struct Stores {
    /// An engine in memory, and one in memory whose requests name an environment. No grant answers
    /// such a request, so the policies do.
    memory: (Engine, ManualClock),
    judge: (Engine, ManualClock),
    /// Two engines that share a file.
    file: [(Engine, ManualClock); 2],
}

impl Stores {
    fn open() -> Self {
        let file = format!("sqlite:{}", folder().join("grants.db").display());
        Self {
            memory: agency_at("memory:".to_owned()),
            judge: agency_at("memory:".to_owned()),
            file: [(); 2].map(|()| agency_at(file.clone())),
        }
    }

    /// Asks an engine of each store, of the file the one at `at`, and compares their answers.
    /// `ask` takes the environment for the request, too. Returns the answer.
    fn ask(
        &self,
        (what, at): (&str, usize),
        ask: impl Fn(&Engine, Option<&Environment>) -> Result<Value, Error>,
    ) -> Value {
        let empty = Environment::default();
        let answer = |engine: &Engine, environment| match ask(engine, environment) {
            Ok(mut answer) => {
                // Each store counts its own operations.
                if let Some(fields) = answer.as_object_mut() {
                    fields.remove("operation");
                }
                answer
            }
            Err(error) => json!({ "error": error.code() }),
        };
        let told = answer(&self.judge.0, Some(&empty));
        assert_eq!(answer(&self.memory.0, None), told, "memory, {what}");
        assert_eq!(answer(&self.file[at].0, None), told, "file {at}, {what}");
        told
    }

    fn all(&self) -> impl Iterator<Item = &(Engine, ManualClock)> {
        [&self.memory, &self.judge].into_iter().chain(&self.file)
    }

    fn advance(&self, by: i64) {
        for (_, clock) in self.all() {
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

/// Returns the consume of a campaign with this environment.
fn send_in<'a>(
    account: &'a str,
    id: &'a str,
    environment: Option<&'a Environment>,
) -> RequestRef<'a> {
    RequestRef {
        environment,
        ..send(account, id)
    }
}

#[test]
fn grants_answer_as_the_policies_do() {
    let mut allowed = [0; 2];
    for seed in 1..=4 {
        let (stores, mut random) = (Stores::open(), Random::new(seed));
        for step in 0..1_500 {
            let account = ["acme", "nova"][random.below(2)];
            let id = format!("campaign-{}", random.below(3));
            let amount = i64::try_from(random.below(3)).expect("few") + 1;
            let what = format!("seed {seed}, step {step}, {account}, {amount}");
            let what = (&*what, random.below(2));
            let with = Environment {
                amount: Some(amount),
                ..Environment::default()
            };
            let question = || send_in(account, &id, Some(&with));
            let key = format!("key-{}", random.below(900));
            match random.below(20) {
                0..=4 => {
                    let answer = stores.ask(what, |engine, environment| {
                        let take = ConsumeOptions::new(amount).idempotency_key(&key);
                        let question = send_in(account, &id, environment);
                        Ok(json!(engine.consume(question, &take)?))
                    });
                    allowed[0] += usize::from(answer["allowed"] == true);
                }
                5..=8 => {
                    stores.ask(what, |engine, environment| {
                        let take = ConsumeOptions {
                            allow_partial: amount == 2,
                            ..ConsumeOptions::new(amount)
                        };
                        let question = send_in(account, &id, environment);
                        Ok(json!(engine.consume(question, &take)?))
                    });
                }
                9..=13 => {
                    let answer =
                        stores.ask(what, |engine, _| Ok(json!(engine.authorize(question())?)));
                    let bit = stores.ask(what, |engine, _| Ok(json!(engine.check(question())?)));
                    let resource = Resource::new("Campaign", &*id).account(account);
                    let mut request =
                        Request::new(("Account", account), "campaign.send", resource).host(HOST);
                    request.environment.amount = Some(amount);
                    let told = stores.ask(what, |engine, _| {
                        Ok(json!(engine.explain(&request)?.decision))
                    });
                    assert_eq!((&answer, &answer["allowed"]), (&told, &bit), "{what:?}");
                    allowed[1] += usize::from(bit == true);
                }
                14 => {
                    stores.ask(what, |engine, environment| {
                        let question = send_in(account, &id, environment);
                        let take = ConsumeOptions::new(amount);
                        Ok(json!(engine.reserve(question, &take, Some(DAY))?))
                    });
                }
                15 => {
                    stores.ask(what, |engine, _| {
                        engine.top_up(account, "emails", amount, None)?;
                        Ok(json!(engine.usage(account, None, None)?))
                    });
                }
                16 | 17 => stores.advance(i64::try_from(random.below(20)).expect("few") * DAY / 4),
                18 => {
                    let changes = change(&mut random, account);
                    stores.ask(what, |engine, _| {
                        Ok(json!(engine.apply_changes(changes.clone(), None)?))
                    });
                }
                _ => {
                    stores.ask(what, |engine, _| {
                        Ok(json!(engine.usage(account, None, None)?))
                    });
                }
            }
        }
        for (engine, _) in stores.all() {
            assert_eq!(
                engine.verify().expect("verified").faults,
                Vec::<String>::new()
            );
        }
    }
    assert!(allowed.iter().all(|count| *count > 200), "{allowed:?}");
}
