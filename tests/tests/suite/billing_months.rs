//! Random sequences of changes, payments and closings beside a model of the bill. Months follow one
//! another without a gap, and a month that is over keeps its figures.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use sublet::{
    Change, Clock, Engine, EntityRef, ManualClock, Options, PolicySource, Record, RecordPatch,
    Statement, StatementStatus, parse_instant, verify_draw,
};
use sublet_tests::{ModelOwner, Random};

const DAY: i64 = 86_400_000;
const OWNERS: [&str; 3] = ["acme", "nova", "zeta"];
const PACKAGES: [(&str, i64); 3] = [("two", 2), ("four", 4), ("six", 6)];
const ZONES: [(&str, i64); 3] = [
    ("UTC", 0),
    ("Asia/Kathmandu", 20_700_000),
    ("America/Phoenix", -25_200_000),
];

/// Returns the shipped schema with one policy, because the bill asks none, and a catalog of this
/// price.
fn bundle(price: i64) -> PolicySource {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let files = std::fs::read_dir(folder).expect("the folder").flatten();
    let mut files: Vec<(String, String)> = files
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            )
        })
        .filter(|(name, _)| name.ends_with(".cedarschema") || name == "catalog.json")
        .map(|(name, path)| (name, std::fs::read_to_string(path).expect("a text")))
        .collect();
    for (name, text) in &mut files {
        if name == "catalog.json" {
            let mut catalog: Value = serde_json::from_str(text).expect("the catalog");
            catalog["excess_client_cents"] = json!(price);
            catalog["codes"] = json!({});
            *text = catalog.to_string();
        }
    }
    let policy = r#"@id("allow-all") permit (principal, action, resource);"#;
    files.push(("80-all.cedar".to_owned(), policy.to_owned()));
    PolicySource::Files(files)
}

/// The engine, the models of its owners, and the payments that are not reversed.
struct World {
    engine: Engine,
    clock: ManualClock,
    store: String,
    now: i64,
    price: i64,
    owners: BTreeMap<&'static str, ModelOwner>,
    payments: Vec<(u64, &'static str, String, i64)>,
    /// Owners with a reversal, whose draws may have several seeds.
    reversed: BTreeSet<&'static str>,
    next: usize,
    seen: BTreeMap<(String, String), Statement>,
}

fn put(record: &Value) -> Change {
    Change::Put(Record::from_value(record.clone()).expect("a record"))
}

fn merge(patch: &Value) -> Change {
    Change::Merge(RecordPatch::from_json(&patch.to_string()).expect("a patch"))
}

fn open(store: &str, price: i64, clock: &ManualClock) -> Engine {
    let options = Options {
        store: store.to_owned(),
        policies: bundle(price),
        clock: Clock::Manual(clock.clone()),
        ..Options::default()
    };
    Engine::open(options).unwrap_or_else(|error| panic!("{error}"))
}

impl World {
    fn new(store: String) -> Self {
        let start = "2026-01-10T09:00:00Z";
        let clock = ManualClock::new(start).expect("an instant");
        let mut world = Self {
            engine: open(&store, 500, &clock),
            clock,
            store,
            now: parse_instant(start).expect("an instant"),
            price: 500,
            owners: BTreeMap::new(),
            payments: Vec::new(),
            reversed: BTreeSet::new(),
            next: 0,
            seen: BTreeMap::new(),
        };
        let packages = PACKAGES.map(|(id, included)| {
            put(
                &json!({"type": "Package", "id": id, "features": [], "whitelabel": true,
                "client_accounts": included, "client_level": "basic"}),
            )
        });
        world.change(packages.to_vec());
        for owner in OWNERS {
            world.change(vec![put(
                &json!({"type": "Account", "id": owner, "package": "two",
                "email": format!("o@{owner}.example"), "confirmed": true}),
            )]);
            let model = ModelOwner::new(world.now, Some(2), world.price);
            world.owners.insert(owner, model);
        }
        world
    }

    fn change(&self, changes: Vec<Change>) {
        self.engine.apply_changes(changes, None).expect("a change");
    }

    fn client(&mut self, owner: &str) -> Value {
        self.next += 1;
        let id = format!("c{}", self.next);
        json!({"type": "Account", "id": id, "email": format!("{id}@c.example"), "owner": owner,
            "level": "basic", "confirmed": true})
    }

    fn step(&mut self, random: &mut Random) {
        let owner = *random.pick(&OWNERS);
        let is_closed = self.owners[owner].running.is_none();
        match random.below(16) {
            0..3 => self.advance(DAY * i64::try_from(1 + random.below(20)).expect("small")),
            3..6 if !is_closed => self.add_clients(random, owner),
            6 => self.remove_client(random, owner),
            7 if !is_closed => {
                let (package, included) = *random.pick(&PACKAGES);
                self.change(vec![merge(
                    &json!({"type": "Account", "id": owner, "package": package}),
                )]);
                self.model(owner).included = Some(included);
            }
            8 if !is_closed => {
                let ((zone, offset), anchor) = (*random.pick(&ZONES), 1 + random.below(28));
                self.change(vec![merge(
                    &json!({"type": "Account", "id": owner, "zone": zone,
                    "anchor": format!("2026-01-{anchor:02}")}),
                )]);
                let model = self.model(owner);
                (model.offset, model.anchor) = (offset, i64::try_from(anchor).expect("small"));
            }
            9 | 10 => self.pay(random, owner),
            11 => self.reverse(random),
            12 | 13 => self.close_month(random, owner),
            14 if random.once_in(3) => self.close_or_reopen(owner, is_closed),
            15 if random.once_in(3) => self.change_bundle(random),
            _ => {
                let limit = 1 + random.below(3);
                let found = self.engine.close_due(limit, None).expect("months");
                let unsettled = found.unsettled.into_iter();
                let unsettled: Vec<_> = unsettled
                    .map(|month| (month.owner, month.period, month.due_cents, month.at_risk))
                    .collect();
                assert_eq!(unsettled, self.unsettled(limit));
            }
        }
    }

    /// Returns the months of the first owners that are neither settled nor paid.
    fn unsettled(&self, limit: usize) -> Vec<(String, String, i64, i64)> {
        let owners = self.owners.iter().take(limit);
        owners
            .flat_map(|(owner, model)| model.over.iter().map(move |month| (owner, model, month)))
            .filter(|(_, model, month)| !month.settled && model.unpaid(month) > 0)
            .map(|(owner, model, month)| {
                let unpaid = model.unpaid(month);
                ((*owner).to_owned(), month.name(), month.due(), unpaid)
            })
            .collect()
    }

    fn model(&mut self, owner: &str) -> &mut ModelOwner {
        self.owners.get_mut(owner).expect("an owner")
    }

    fn advance(&mut self, time: i64) {
        self.now += time;
        self.clock.advance(time);
        self.engine.accept_clock().expect("accepted");
        let now = self.now;
        for model in self.owners.values_mut() {
            model.advance(now);
        }
    }

    fn add_clients(&mut self, random: &mut Random, owner: &'static str) {
        let records: Vec<Value> = (0..=random.below(2)).map(|_| self.client(owner)).collect();
        if random.once_in(3) {
            let mut lines = Vec::new();
            self.engine.export(&mut lines).expect("an export");
            for record in &records {
                lines.extend(format!("{record}\n").into_bytes());
            }
            let imported = self.engine.import(lines.as_slice(), None, None);
            imported.expect("an import");
        } else {
            self.change(records.iter().map(put).collect());
        }
        let ids = records.iter().filter_map(|record| record["id"].as_str());
        self.model(owner).clients.extend(ids.map(str::to_owned));
    }

    fn remove_client(&mut self, random: &mut Random, owner: &str) {
        let clients: Vec<String> = self.owners[owner].clients.iter().cloned().collect();
        if clients.is_empty() {
            return;
        }
        let id = random.pick(&clients);
        self.change(vec![if random.once_in(2) {
            Change::Remove(EntityRef::new("Account", id.as_str()))
        } else {
            merge(&json!({"type": "Account", "id": id, "closed": true}))
        }]);
        self.model(owner).clients.remove(id);
    }

    fn pay(&mut self, random: &mut Random, owner: &'static str) {
        let cents = *random.pick(&[250, 500, 900, 2_000, 5_000]);
        let over = &self.owners[owner].over;
        let period = match over.last() {
            Some(_) if random.once_in(2) => random.pick(over).name(),
            _ => self.owners[owner].payable(),
        };
        let named = (period != self.owners[owner].payable()).then_some(period.as_str());
        let payment = self.engine.record_payment(owner, named, cents, None);
        let payment = payment.expect("a payment");
        assert_eq!(payment.statement.period, period);
        *self
            .model(owner)
            .received
            .entry(period.clone())
            .or_default() += cents;
        self.payments.push((payment.payment, owner, period, cents));
    }

    fn reverse(&mut self, random: &mut Random) {
        if self.payments.is_empty() {
            return;
        }
        let at = random.below(self.payments.len());
        let (payment, owner, period, cents) = self.payments.swap_remove(at);
        self.engine
            .reverse_payment(payment, None)
            .expect("a reversal");
        *self.model(owner).received.entry(period).or_default() -= cents;
        self.reversed.insert(owner);
    }

    fn close_month(&mut self, random: &mut Random, owner: &str) {
        let over = self.owners[owner].over.len();
        if over == 0 {
            return;
        }
        let at = random.below(over);
        let period = self.owners[owner].over[at].name();
        if random.once_in(2) {
            let settled = self.engine.settle_overage(owner, &period, &[]);
            assert_eq!(settled.expect("settled").status, StatementStatus::Settled);
            self.model(owner).over[at].settled = true;
        } else {
            self.engine.close_month(owner, &period).expect("closed");
        }
    }

    fn close_or_reopen(&mut self, owner: &str, is_closed: bool) {
        self.change(vec![merge(
            &json!({"type": "Account", "id": owner, "closed": !is_closed}),
        )]);
        let now = self.now;
        let model = self.model(owner);
        if is_closed {
            model.reopen(now);
        } else {
            model.close(now);
        }
    }

    /// Reloads a bundle of another price, or starts again with it.
    fn change_bundle(&mut self, random: &mut Random) {
        self.price = *random.pick(&[300, 500, 900]);
        if self.store != "memory:" && random.once_in(2) {
            self.engine = open(&self.store, self.price, &self.clock);
        } else {
            self.engine.reload(&bundle(self.price)).expect("a reload");
        }
        let price = self.price;
        for model in self.owners.values_mut() {
            model.price = price;
        }
    }

    fn check(&mut self) {
        for (owner, model) in &self.owners {
            let mut disabled = BTreeSet::new();
            let mut larger = 0;
            for month in &model.over {
                let found = self.engine.statement(owner, &month.name());
                let found = found.expect("a statement");
                let bounds = [&found.from, &found.until].map(|at| parse_instant(at).expect("one"));
                let due = (found.price_cents, found.due_cents);
                assert_eq!(bounds, [month.start, month.end], "{found:?} {month:?}");
                assert_eq!(due, (month.price, month.due()), "{found:?} {month:?}");
                let clients = i64::try_from(month.clients.len()).expect("small");
                let cents = (found.received_cents, found.credit_cents);
                let wanted = (model.received(&month.name()), model.credit(month.month));
                assert_eq!(
                    (found.clients, cents),
                    (clients, wanted),
                    "{found:?} {month:?}"
                );
                assert_eq!(found.unpaid, model.unpaid(month), "{found:?} {month:?}");
                if month.settled {
                    let number = i64::try_from(found.disabled.len()).expect("small");
                    assert_eq!(number, found.unpaid);
                    larger = larger.max(found.disabled.len());
                    disabled.extend(found.disabled.iter().cloned());
                }
                assert_eq!(verify_draw(&found), found.seed.is_some());
                if let Some(before) = self.seen.get(&((*owner).to_owned(), month.name())) {
                    assert_eq!((&before.seed, &before.draw), (&found.seed, &found.draw));
                }
                if found.seed.is_some() {
                    self.seen.insert(((*owner).to_owned(), month.name()), found);
                }
            }
            if !self.reversed.contains(owner) {
                assert_eq!(disabled.len(), larger, "{owner}: {disabled:?}");
            }
            self.check_disabled(&disabled, &model.clients);
            let preview = self.engine.preview_statement(owner);
            let preview = preview.map_err(|error| error.code());
            let preview = preview.map(|found| (found.from, found.until));
            let wanted = model.running.ok_or("billing.no_month");
            let wanted = wanted.map(|(_, start, end)| (start, end));
            let instant = |text: &str| parse_instant(text).expect("one");
            assert_eq!(
                preview.map(|(from, until)| (instant(&from), instant(&until))),
                wanted
            );
        }
    }

    /// Checks that exactly these clients of an owner are disabled for overage.
    fn check_disabled(&self, disabled: &BTreeSet<String>, clients: &BTreeSet<String>) {
        for id in clients {
            let record = self
                .engine
                .get_record(&EntityRef::new("Account", id.as_str()));
            let Some(Record::Account(client)) = record.expect("an answer") else {
                panic!("no client {id}");
            };
            assert_eq!(
                client.disabled().count() == 1,
                disabled.contains(id),
                "{id}"
            );
        }
    }
}

fn walk(seed: u64, store: String, steps: usize) {
    let (mut world, mut random) = (World::new(store), Random::new(seed));
    for step in 0..steps {
        // No two steps share an instant, so that the order of their effects is plain.
        world.advance(1_000);
        world.step(&mut random);
        if step % 4 == 0 {
            world.check();
        }
    }
    world.check();
    let months: usize = world.owners.values().map(|model| model.over.len()).sum();
    assert!(months > 3 * OWNERS.len(), "{months} months");
    let faults = world.engine.verify().expect("verified").faults;
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn random_months_equal_model_in_memory() {
    for seed in 0..3 {
        walk(seed, "memory:".to_owned(), 160);
    }
}

#[test]
fn random_months_equal_model_in_a_file() {
    let file = sublet_tests::folder().join("sublet.db");
    walk(7, format!("sqlite:{}", file.display()), 160);
}
