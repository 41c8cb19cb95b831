//! Stocks that the directory counts. After every change of the directory, and while invitations
//! expire, all views agree with the records.

use serde_json::{Value, json};
use sublet::{
    Change, Clock, Command, ConsumeOptions, Engine, EntityRef, Environment, Limit, ManualClock,
    Options, Record, RecordPatch, RequestRef, instant_text,
};
use sublet_tests::{Random, folder};

const HOST: &str = "dash.marketingmaster.example";
const DAY: usize = 86_400_000;
const BEGIN: &str = "2026-01-31T12:00:00Z";

/// An engine and its clock.
struct World {
    engine: Engine,
    clock: ManualClock,
    next: usize,
}

impl World {
    fn open(store: &str) -> Self {
        let clock = ManualClock::new(BEGIN).expect("an instant");
        let engine = Engine::open(Options {
            store: store.to_owned(),
            clock: Clock::Manual(clock.clone()),
            ..Options::default()
        })
        .expect("opens");
        engine
            .import(
                include_bytes!("../../../policies/tests/agency.jsonl").as_slice(),
                None,
                None,
            )
            .expect("the sample agency");
        let limits = r#"{"type": "Account", "id": "acme", "limits": {"client_accounts": 8, "members": 8}, "attributes": {"refuse_excess_clients": true}}"#;
        let world = Self {
            engine,
            clock,
            next: 0,
        };
        world.change(Change::Merge(
            RecordPatch::from_json(limits).expect("a patch"),
        ));
        world
    }

    fn change(&self, change: Change) {
        self.engine
            .apply_changes(vec![change], None)
            .expect("a change");
    }

    fn put_record(&self, record: Value) {
        self.change(Change::Put(Record::from_value(record).expect("a record")));
    }

    fn records(&self) -> Vec<Value> {
        let mut lines = Vec::new();
        self.engine.export(&mut lines).expect("exported");
        String::from_utf8(lines)
            .expect("text")
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    fn perform(&self, command: &Value) -> sublet::Decision {
        let environment = Environment {
            host: Some(HOST.to_owned()),
            ..Environment::default()
        };
        let command = Command::from_value(command.clone()).expect("a command");
        self.engine
            .perform(
                &EntityRef::new("Account", "acme"),
                &command,
                &environment,
                None,
            )
            .expect("an answer")
            .decision
    }

    /// Returns an id that no record has had.
    fn id(&mut self) -> String {
        self.next += 1;
        format!("x{}", self.next)
    }

    /// Counts the records of an account from the export alone.
    fn count_records(&self, account: &str) -> [i64; 2] {
        let (records, now) = (self.records(), self.clock.now());
        let stands = |member: &Value| {
            let has_expired = member["pending"]["until"]
                .as_str()
                .is_some_and(|until| instant(until) <= instant(&now));
            member["service"].is_null() && (member["confirmed"] == true || !has_expired)
        };
        let clients = records.iter().filter(|record| {
            record["type"] == "Account" && record["owner"] == account && record["closed"] != true
        });
        let members = records.iter().filter(|record| {
            record["type"] == "TeamMember" && record["account"] == account && stands(record)
        });
        [clients.count(), members.count()].map(|count| i64::try_from(count).expect("few"))
    }

    fn check_views(&self) {
        for account in ["acme", "nova", "bakery"] {
            let [clients, members] = self.count_records(account);
            for (meter, count) in [("client_accounts", clients), ("members", members)] {
                assert_eq!(
                    self.engine
                        .usage(account, None, Some(meter))
                        .expect("usage")[0]
                        .used,
                    count,
                    "{meter} of {account}"
                );
                // A top-up by 0 also returns the usage.
                assert_eq!(
                    self.engine
                        .top_up(account, meter, 0, None)
                        .expect("topped up")
                        .quota[0]
                        .used,
                    count,
                    "{meter} of {account}"
                );
            }
        }
        for (action, count) in ["client.create", "member.invite"]
            .into_iter()
            .zip(self.count_records("acme"))
        {
            let question =
                || RequestRef::new(("Account", "acme"), action, ("Account", "acme")).host(HOST);
            let environment = Environment {
                host: Some(HOST.to_owned()),
                amount: Some(1),
                ..Environment::default()
            };
            let asked = RequestRef {
                environment: Some(&environment),
                ..question()
            };
            let (fits, decision) = (count < 8, self.engine.authorize(asked).expect("an answer"));
            let quota = &decision.counted.as_ref().expect("counted").quota[0];
            assert_eq!(
                (decision.allowed, quota.used, quota.remaining),
                (fits, count, Limit::Number((8 - count).max(0))),
                "{action}"
            );
            assert_eq!(
                self.engine.check(asked).expect("an answer"),
                fits,
                "{action}"
            );
            let actions = self
                .engine
                .permitted_actions(
                    &EntityRef::new("Account", "acme"),
                    &EntityRef::new("Account", "acme").into(),
                    &environment,
                )
                .expect("actions");
            assert_eq!(
                actions.iter().any(|found| **found == *action),
                fits,
                "{action}"
            );
            // A stock of the directory cannot be consumed directly.
            let taken = self
                .engine
                .consume(question(), &ConsumeOptions::new(1))
                .map(|decision| decision.allowed)
                .map_err(|error| error.code());
            assert_eq!(
                taken,
                if fits {
                    Err("quota.counted_by_directory")
                } else {
                    Ok(false)
                },
                "{action}"
            );
        }
        assert_eq!(
            self.engine.verify().expect("verified").faults,
            Vec::<String>::new()
        );
    }

    /// Performs a command that changes a stock. Checks the usage in its answer.
    fn command(&mut self, command: &Value, meter: usize) {
        let before = self.count_records("acme")[meter];
        let decision = self.perform(command);
        let used = decision
            .counted
            .as_ref()
            .and_then(|counted| counted.quota.first())
            .map(|quota| quota.used);
        assert_eq!(
            (decision.allowed, used),
            (before < 8, Some(before + i64::from(before < 8))),
            "{command}: {decision:?}"
        );
        assert_eq!(
            self.count_records("acme")[meter],
            before + i64::from(before < 8),
            "{command}"
        );
    }

    fn step(&mut self, random: &mut Random) {
        let id = self.id();
        let pick = |random: &mut Random, records: Vec<Value>| -> Option<Value> {
            (!records.is_empty()).then(|| random.pick(&records).clone())
        };
        let of = |world: &Self, wanted: &dyn Fn(&Value) -> bool| -> Vec<Value> {
            world
                .records()
                .into_iter()
                .filter(|record| wanted(record))
                .collect()
        };
        let is_client = |record: &Value| record["type"] == "Account" && record["owner"] == "acme";
        let is_guest =
            |record: &Value| record["type"] == "TeamMember" && record["account"] == "acme";
        match random.below(12) {
            0 => {
                // Imports a random part of the records.
                let lines =
                    of(self, &|_| true).into_iter().filter(|record| !record["id"].as_str().is_some_and(|id| id.starts_with('x')) || id.len().is_multiple_of(2));
                let lines: Vec<String> = lines.map(|record| record.to_string()).collect();
                self.engine.import(lines.join("\n").as_bytes(), None, None).expect("imported");
            }
            1 => self.put_record(json!({"type": "Account", "id": id, "email": format!("{id}@x.example"), "owner": "acme", "level": "basic"})),
            2 => {
                let until = instant_text(instant(&self.clock.now()) + i64::try_from(random.below(DAY)).expect("small")).expect("an instant");
                let (email, hash) = (format!("{id}@x.example"), "00".repeat(32));
                let pending = json!({"email": email, "hash": hash, "until": until});
                self.put_record(json!({"type": "TeamMember", "id": id, "account": "acme", "email": email, "confirmed": random.once_in(4), "pending": pending}));
            }
            3 => {
                if let Some(client) = pick(random, of(self, &is_client)) {
                    let patch = json!({"type": "Account", "id": client["id"], "closed": client["closed"] != true});
                    self.change(Change::Merge(RecordPatch::from_value(patch).expect("a patch")));
                }
            }
            4 => {
                if let Some(member) = pick(random, of(self, &is_guest)) {
                    self.change(Change::Remove(EntityRef::new("TeamMember", member["id"].as_str().expect("an id"))));
                }
            }
            // A service account holds no seat (I7).
            9 => {
                let decision = self.perform(&json!({"do": "create_service_account", "id": id}));
                assert!(decision.allowed, "{decision:?}");
            }
            // An invitation that had expired takes a seat again (M8).
            10 => {
                let is_invited = |record: &Value| is_guest(record) && record["confirmed"] != true && record["pending"].is_object();
                if let Some(member) = pick(random, of(self, &is_invited)) {
                    let command = json!({"do": "resend_invitation", "member": member["id"], "valid_for": 1 + random.below(DAY)});
                    let until = instant(member["pending"]["until"].as_str().expect("an instant"));
                    if until <= instant(&self.clock.now()) {
                        self.command(&command, 1);
                    } else {
                        assert!(self.perform(&command).allowed);
                    }
                }
            }
            5 => self.clock.advance(i64::try_from(random.below(DAY)).expect("small")),
            6 | 7 => self.command(&json!({"do": "create_client", "id": id, "email": format!("{id}@x.example")}), 0),
            8 => self.command(&json!({"do": "invite_member", "id": id, "email": format!("{id}@x.example"), "valid_for": 1 + random.below(DAY)}), 1),
            _ => {
                if let Some(member) = pick(random, of(self, &is_guest)) {
                    let verb = if member["service"].is_object() { "remove_service_account" } else { "remove_member" };
                    assert!(self.perform(&json!({"do": verb, "member": member["id"]})).allowed);
                }
            }
        }
    }
}

fn instant(text: &str) -> i64 {
    sublet::parse_instant(text).expect("an instant")
}

fn walk(store: &str, seed: u64) {
    let (mut world, mut random) = (World::open(store), Random::new(seed));
    for step in 0..150 {
        world.step(&mut random);
        println!("{store} {seed} {step}");
        world.check_views();
    }
}

#[test]
fn all_views_agree_in_memory() {
    for seed in 1..=4 {
        walk("memory:", seed);
    }
}

#[test]
fn all_views_agree_on_a_file() {
    let folder = folder();
    for seed in 5..=6 {
        walk(&format!("sqlite:{}/{seed}.db", folder.display()), seed);
    }
}
