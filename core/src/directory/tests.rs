//! A directory under change: how much a version shares with the previous ones, and that it gives
//! the answers of a freshly imported one.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Map, Value};

use super::{Change, Directory, NO_ROW, Realm, RecordKey, RecordKind, Referent};
use crate::model::catalog::{Catalog, SchemaVocabulary};
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::error::Error;
use crate::vm::StoredValue;

/// Seventy features, one meter, and attributes of any form except `bad`.
struct Bundle(Vec<String>);

impl SchemaVocabulary for Bundle {
    fn has_feature(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }

    fn has_meter(&self, name: &str) -> bool {
        name == "emails"
    }

    fn typed(&self, _: &str, attributes: &Map<String, Value>) -> Result<StoredValue, String> {
        if attributes.contains_key("bad") {
            Err("bad".to_owned())
        } else {
            Ok(StoredValue::Record(Vec::new()))
        }
    }

    fn features(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

fn bundle() -> Bundle {
    Bundle((0..70).map(|at| format!("f{at:02}")).collect())
}

fn catalog() -> Catalog {
    Catalog::parse(r#"{"levels":[{"id":"basic","features":["f01"]}],"packages":[{"id":"shop","features":["f01","f69"],"client_level":"basic"}]}"#, 64)
        .expect("a catalog")
}

fn record(text: &str) -> Record {
    Record::from_json(text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .naming_all()
}

fn main_account(id: &str, email: &str) -> Record {
    record(&format!(
        r#"{{"type":"Account","id":"{id}","email":"{email}@x.example","package":"shop"}}"#
    ))
}

fn member(id: &str, account: &str, email: &str) -> Record {
    record(&format!(
        r#"{{"type":"TeamMember","id":"{id}","account":"{account}","email":"{email}@x.example","grants":["f03","f66"]}}"#
    ))
}

fn import_lines(lines: &str) -> Result<Directory, Error> {
    Directory::import(lines.as_bytes(), 0, &catalog(), &bundle(), 1 << 20, None)
}

fn apply_changes(directory: &Directory, changes: Vec<Change>) -> Result<Directory, Error> {
    directory.apply(changes, &catalog(), &bundle(), None)
}

fn put_records(directory: &mut Directory, records: impl IntoIterator<Item = Record>) {
    *directory = apply_changes(directory, records.into_iter().map(Change::Put).collect())
        .unwrap_or_else(|error| panic!("{error}"));
}

fn export_lines(directory: &Directory) -> String {
    let mut lines = Vec::new();
    directory.write_lines(&mut lines).expect("an export");
    String::from_utf8(lines).expect("text")
}

fn logins(directory: &Directory, email: &str) -> Vec<String> {
    directory
        .logins(email)
        .into_iter()
        .map(|(_, login)| directory.reference(login).id().to_owned())
        .collect()
}

/// Returns the results of all queries, as text.
fn answers(directory: &Directory) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = export_lines(directory).lines().map(str::to_owned).collect();
    for key in directory.hot.own() {
        let by: BTreeSet<String> = directory
            .referrers
            .find_referrers(Referent::Record(key), &directory.hot)
            .into_iter()
            .map(|by| directory.reference(by).to_string())
            .collect();
        all.insert(format!("{} by {by:?}", directory.reference(key)));
    }
    for login in directory.hot.logins() {
        let email = String::from_utf8_lossy(directory.hot.login_email(login).expect("a login"))
            .into_owned();
        let realm = |realm| match realm {
            Realm::Platform => String::new(),
            Realm::Owner(owner) => directory.hot.id(RecordKind::Account.key(owner)).to_owned(),
        };
        let found: BTreeSet<String> = directory
            .logins(&email)
            .into_iter()
            .map(|(of, key)| format!("{} in {}", directory.reference(key), realm(of)))
            .collect();
        all.insert(format!("{email}: {found:?}"));
    }
    let owners: Vec<u32> = directory.hot.accounts.numbers().chain([NO_ROW]).collect();
    all.insert(format!(
        "{:?}",
        directory.hosts_in_use(&owners, "", usize::MAX)
    ));
    all
}

fn large(accounts: usize) -> Directory {
    let mut lines = String::new();
    for at in 0..accounts {
        let _ = writeln!(
            lines,
            r#"{{"type":"Account","id":"a{at}","email":"a{at}@x.example","package":"shop"}}"#
        );
        for nth in 0..3 {
            let _ = writeln!(
                lines,
                r#"{{"type":"TeamMember","id":"m{at}-{nth}","account":"a{at}","email":"m{at}-{nth}@x.example"}}"#
            );
        }
    }
    import_lines(&lines).expect("a directory")
}

#[test]
fn change_of_large_directory_copies_little() {
    let before = large(20_000);
    let apart = |after: &Directory| {
        (
            after.hot.count_unshared(&before.hot),
            after.referrers.count_unshared(&before.referrers),
        )
    };
    let confirmed = |id: &str| {
        record(&format!(
            r#"{{"type":"TeamMember","id":"{id}","account":"a777","email":"n@x.example","confirmed":true}}"#
        ))
    };
    let mut after = before.clone();
    assert_eq!(apart(&after), (0, 0));
    put_records(&mut after, [confirmed("m777-1")]);
    assert_eq!(apart(&after), (1, 0));
    // A new member adds its row, its log entry, and the head of its account's chain.
    put_records(&mut after, [member("new", "a19000", "new")]);
    assert_eq!(apart(&after), (2, 2));
    after = apply_changes(
        &before,
        vec![Change::Remove(EntityRef::new("TeamMember", "m5-0"))],
    )
    .expect("a change");
    assert_eq!(apart(&after), (1, 0));
    assert_eq!(after.generation(), before.generation());
}

/// Readers on other threads read old versions while the directory changes.
#[test]
fn old_versions_stay_readable_during_change() {
    let mut directory = large(300);
    let first = directory.clone();
    let before = answers(&first);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert!(
                        (0..300).all(|at| first.hot.accounts.find(&format!("a{at}")).is_some()
                            && logins(&first, &format!("m{at}-1@x.example")).len() == 1)
                    );
                    assert!(
                        first.hot.members.find("new-7").is_none()
                            && logins(&first, "new-7@x.example").is_empty()
                    );
                }
            });
        }
        for at in 0..2_000 {
            if let Some(tidy) = directory.compacted(&catalog(), &bundle()).expect("tidy") {
                directory = tidy;
            }
            put_records(
                &mut directory,
                [member(
                    &format!("new-{at}"),
                    &format!("a{}", at % 300),
                    &format!("new-{at}"),
                )],
            );
        }
    });
    assert_eq!(answers(&first), before);
    assert_eq!(
        answers(&directory),
        answers(&import_lines(&export_lines(&directory)).expect("the same"))
    );
}

/// The next transaction reuses its numbers.
#[test]
fn failed_transaction_leaves_no_trace() {
    let first = large(10);
    let before = answers(&first);
    for at in 0..50 {
        let changes = vec![
            Change::Put(member(&format!("lost-{at}"), "a1", &format!("lost-{at}"))),
            Change::Put(member("x", "nobody", "x")),
        ];
        assert_eq!(
            apply_changes(&first, changes)
                .map(drop)
                .map_err(|error| error.code()),
            Err("directory.unknown_account")
        );
    }
    assert_eq!(answers(&first), before);
    let mut next = first.clone();
    put_records(
        &mut next,
        [member("one", "a1", "lost-3"), member("lost-7", "a2", "two")],
    );
    assert_eq!(
        (
            next.hot.members.find("lost-3").is_none(),
            logins(&next, "lost-3@x.example")
        ),
        (true, vec!["one".to_owned()])
    );
    assert_eq!(
        (
            logins(&next, "lost-7@x.example").len(),
            logins(&next, "two@x.example")
        ),
        (0, vec!["lost-7".to_owned()])
    );
    assert_eq!(
        answers(&next),
        answers(&import_lines(&export_lines(&next)).expect("the same"))
    );
}

#[test]
fn emails_stay_unique_through_swaps() {
    let mut directory = large(3);
    put_records(
        &mut directory,
        [member("m0-0", "a0", "m1-0"), member("m1-0", "a1", "m0-0")],
    );
    assert_eq!(
        (
            logins(&directory, "m0-0@x.example"),
            logins(&directory, "m1-0@x.example")
        ),
        (vec!["m1-0".to_owned()], vec!["m0-0".to_owned()])
    );
    put_records(
        &mut directory,
        [member("m0-0", "a0", "m0-0"), member("m1-0", "a1", "m1-0")],
    );
    assert_eq!(logins(&directory, "m0-0@x.example"), ["m0-0"]);
    let twin = apply_changes(&directory, vec![Change::Put(member("m2-2", "a2", "m0-0"))])
        .map(drop)
        .expect_err("a twin");
    assert_eq!(
        twin.to_string(),
        "e-mail `m0-0@x.example` of `TeamMember::\"m2-2\"` is taken by another login of its realm"
    );
    // An e-mail may exist in two realms, until the account becomes a main account.
    let client = r#"{"type":"Account","id":"c","email":"m0-0@x.example","owner":"a0"}"#;
    put_records(
        &mut directory,
        [
            Record::from_json(client).expect("a client"),
            member("of-c", "c", "m1-0"),
        ],
    );
    assert_eq!(logins(&directory, "m1-0@x.example"), ["m1-0", "of-c"]);
    assert_eq!(
        directory
            .account("c")
            .and_then(|account| account.level().map(str::to_owned))
            .as_deref(),
        Some("basic")
    );
    let moved = apply_changes(&directory, vec![Change::Put(main_account("c", "c"))])
        .map(drop)
        .expect_err("its member's e-mail");
    assert_eq!(
        moved.to_string(),
        "e-mail `m1-0@x.example` of `TeamMember::\"of-c\"` is taken by another login of its realm"
    );
}

/// Chains of members do not grow with the number of changes.
#[test]
fn removed_record_can_be_put_again() {
    let mut directory = large(30);
    let first = answers(&directory);
    for round in 0..3_000 {
        if let Some(tidy) = directory.compacted(&catalog(), &bundle()).expect("tidy") {
            directory = tidy;
        }
        put_records(
            &mut directory,
            [member(
                "m1-1",
                if round % 2 == 0 { "a2" } else { "a1" },
                "m1-1",
            )],
        );
        directory = apply_changes(
            &directory,
            vec![Change::Remove(EntityRef::new("TeamMember", "m3-1"))],
        )
        .expect("a removal");
        put_records(
            &mut directory,
            [record(
                r#"{"type":"TeamMember","id":"m3-1","account":"a3","email":"m3-1@x.example"}"#,
            )],
        );
    }
    put_records(
        &mut directory,
        [record(
            r#"{"type":"TeamMember","id":"m1-1","account":"a1","email":"m1-1@x.example"}"#,
        )],
    );
    assert_eq!(answers(&directory), first);
    assert!(!directory.referrers.needs_rebuild());
}

#[test]
fn numbers_are_compacted_when_most_are_free() {
    let mut directory = large(40);
    let (first, numbering) = (answers(&directory), directory.generation());
    let mut renumbered = 0;
    for at in 0..12_000 {
        let before = directory.generation();
        if let Some(tidy) = directory.compacted(&catalog(), &bundle()).expect("tidy") {
            renumbered += usize::from(tidy.generation() != before);
            directory = tidy;
        }
        put_records(
            &mut directory,
            [member(&format!("guest-{at}"), "a5", "guest")],
        );
        directory = apply_changes(
            &directory,
            vec![Change::Remove(EntityRef::new(
                "TeamMember",
                format!("guest-{at}"),
            ))],
        )
        .expect("a removal");
    }
    assert!((1..=4).contains(&renumbered), "{renumbered}");
    assert_ne!(directory.generation(), numbering);
    assert!(
        directory.hot.members.names() < 9_000,
        "{}",
        directory.hot.members.names()
    );
    assert_eq!(answers(&directory), first);
    // Names that policies reserved are not counted as garbage.
    for at in 0..20_000 {
        directory.tables_mut().accounts.name(&format!("named-{at}"));
    }
    directory.mark_names_reserved();
    let tidy = directory
        .compacted(&catalog(), &bundle())
        .expect("tidy")
        .unwrap_or_else(|| directory.clone());
    assert_eq!(tidy.generation(), directory.generation());
}

/// A sign-out and a key are stored and exported, and are not lost by a record that omits them (I7).
#[test]
fn sign_out_and_key_round_trip() {
    let hash = "0123456789abcdef".repeat(4);
    let service = format!(r#""service":{{"hash":"{hash}","name":"n","hosts":["h.example"]}}"#);
    let end = r#""not_before":"2026-01-31T12:00:00.001Z""#;
    let lines = [
        format!(r#"{{"type":"Operator","id":"s","email":"s@x.example",{end}}}"#),
        format!(r#"{{"type":"Account","id":"a","email":"a@x.example","package":"shop",{end}}}"#),
        format!(r#"{{"type":"TeamMember","id":"m","account":"a","email":"m@x.example",{end}}}"#),
        format!(
            r#"{{"type":"TeamMember","id":"p","account":"a","confirmed":true,{service},{end}}}"#
        ),
    ];
    let directory = import_lines(&lines.join("\n")).expect("a directory");
    let again = import_lines(&export_lines(&directory)).expect("a directory");
    let instant = crate::model::calendar::parse_instant("2026-01-31T12:00:00.001Z").ok();
    for (kind, id) in [
        ("Operator", "s"),
        ("Account", "a"),
        ("TeamMember", "m"),
        ("TeamMember", "p"),
    ] {
        assert_eq!(again.not_before(&EntityRef::new(kind, id)), instant);
    }
    assert_eq!(logins(&again, &hash), ["p"]);
    assert_eq!(logins(&again, ""), Vec::<String>::new());
    let program = again.member("p").expect("a member");
    assert!(program.is_service() && program.email().is_empty());
    let refused = |line: &str| {
        let record = Record::from_json(line).expect("a record");
        apply_changes(&again, vec![Change::Put(record)])
            .map(drop)
            .expect_err(line)
            .code()
    };
    for line in [
        r#"{"type":"Operator","id":"s","email":"s@x.example"}"#,
        r#"{"type":"TeamMember","id":"m","account":"a","email":"m@x.example"}"#,
        r#"{"type":"TeamMember","id":"p","account":"a","email":"p@x.example","confirmed":true}"#,
    ] {
        assert_eq!(refused(line), "directory.would_reset");
    }
}

/// Limits, attributes and more than 64 features are stored and exported.
#[test]
fn optional_fields_round_trip() {
    let lines = [
        r#"{"type":"AccessLevel","id":"l","owner":"a","features":["f00","f63","f64","f69"],"limits":{"emails":3}}"#,
        r#"{"type":"Account","id":"a","email":"a@x.example","package":"shop","limits":{"emails":"unlimited"},"attributes":{"x":[1,{"y":"z"}]}}"#,
        r#"{"type":"TeamMember","id":"m","account":"a","email":"m@x.example","grants":["f65"],"sub_limits":{"emails":0},"attributes":{"x":1}}"#,
    ];
    let mut directory = import_lines(&lines.join("\n")).expect("a directory");
    let exported = export_lines(&directory);
    assert!(
        lines
            .iter()
            .filter_map(|line| line.rsplit(",\"").next())
            .all(|last| exported.contains(last)),
        "{exported}"
    );
    let (number, row) = directory.hot.members.find("m").expect("a member");
    assert_eq!(
        (row.grants, directory.hot.more_grants(number, row)),
        (0, &[65][..])
    );
    put_records(&mut directory, [member("m", "a", "m")]);
    let (number, row) = directory.hot.members.find("m").expect("a member");
    assert_eq!(
        (
            row.grants,
            directory.hot.more_grants(number, row),
            directory.hot.member_own(number, row)
        ),
        (8, &[66][..], None)
    );
    let refused = |line: &str| {
        apply_changes(&directory, vec![Change::Put(record(line))])
            .map(drop)
            .expect_err(line)
            .to_string()
    };
    let unknown = refused(
        r#"{"type":"TeamMember","id":"m","account":"a","email":"m@x.example","grants":["f01","zz","flying"]}"#,
    );
    assert_eq!(
        unknown,
        "`TeamMember::\"m\"` names feature `flying`, which the bundle does not declare"
    );
    let bad = refused(
        r#"{"type":"Account","id":"a","email":"a@x.example","package":"shop","attributes":{"bad":1}}"#,
    );
    assert_eq!(bad, "account `a`: bad");
    assert_eq!(
        import_lines(&exported).map(|again| export_lines(&again)),
        Ok(exported)
    );
}

#[test]
fn put_removes_only_named_fields() {
    let directory =
        import_lines(r#"{"type":"Account","id":"a","email":"a@x.example","package":"shop","disabled":["abuse"],"zone":"Europe/Vienna"}"#).expect("an account");
    let put_records = |text: &str| {
        apply_changes(
            &directory,
            vec![Change::Put(Record::from_json(text).expect("a record"))],
        )
    };
    let partial =
        put_records(r#"{"type":"Account","id":"a","email":"a@x.example","package":"shop"}"#)
            .map(drop)
            .expect_err("it names too little");
    let text = "`Account::\"a\"` has `disabled`, `zone`, which the record that is put over it does not name";
    assert_eq!(
        (partial.code(), partial.to_string().as_str()),
        ("directory.would_reset", text)
    );
    let spelled = put_records(r#"{"type":"Account","id":"a","email":"b@x.example","package":"shop","disabled":[],"zone":null}"#).expect("it names all");
    assert!(
        spelled.account("a").is_some_and(
            |account| account.disabled().next().is_none() && account.calendar().is_none()
        )
    );
    // A change that a store holds for followers is complete, although it leaves out default fields.
    let notes = spelled
        .changes_json(&[EntityRef::new("Account", "a")], &mut |_, _, _| Ok(()))
        .expect("noted");
    let followed = apply_changes(&directory, Directory::changes_of(&notes).expect("changes"))
        .expect("followed");
    assert_eq!(export_lines(&followed), export_lines(&spelled));
}

/// Applies random transactions, some of which fail. The directory gives the answers of one that is
/// imported from its export.
#[test]
fn changed_directory_equals_imported() {
    let mut seed = 5_u64;
    let mut random = move |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut directory = import_lines("").expect("an empty directory");
    let (mut done, mut failed) = (0, 0);
    for step in 0..6_000 {
        let mut changes = Vec::new();
        for _ in 0..=random(3) {
            let (id, account, email, owner) = (random(12), random(12), random(20), random(4));
            changes.push(match random(12) {
                0 => Change::Remove(EntityRef::new("Account", format!("a{id}"))),
                1 => Change::Remove(EntityRef::new("TeamMember", format!("m{id}"))),
                2 => Change::Remove(EntityRef::new("AccessLevel", format!("l{}", id % 4))),
                3 => Change::Remove(EntityRef::new("Domain", format!("D{}.example", id % 4))),
                4 => Change::Put(record(&format!(r#"{{"type":"AccessLevel","id":"l{}","owner":"a{owner}","features":["f{:02}"]}}"#, id % 4, random(70)))),
                5 if owner == 0 => Change::Put(record(&format!(r#"{{"type":"Domain","id":"d{}.example","kind":"platform","state":"verified"}}"#, id % 4))),
                5 => Change::Put(record(&format!(r#"{{"type":"Domain","id":"d{}.example","kind":"whitelabel","owner":"a{owner}"}}"#, id % 4))),
                6 | 7 => Change::Put(main_account(&format!("a{}", if random(3) == 0 { id } else { owner }), &format!("e{email}"))),
                8 | 9 => {
                    // Always set a level. Otherwise an import gives the client the level of the
                    // package, like a change that creates the client.
                    let level = if random(2) == 0 { format!("l{}", random(4)) } else { "basic".to_owned() };
                    Change::Put(record(&format!(r#"{{"type":"Account","id":"a{id}","email":"e{email}@x.example","owner":"a{owner}","level":"{level}"}}"#)))
                }
                _ => Change::Put(member(&format!("m{id}"), &format!("a{account}"), &format!("e{email}"))),
            });
        }
        match apply_changes(&directory, changes) {
            Ok(next) => {
                directory = next;
                done += 1;
            }
            Err(_) => failed += 1,
        }
        if step % 100 == 0 {
            let again =
                import_lines(&export_lines(&directory)).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(answers(&directory), answers(&again));
        }
    }
    assert!(done > 500 && failed > 500, "{done} {failed}");
}

#[test]
fn keys_and_references_round_trip() {
    let mut directory = large(2);
    put_records(
        &mut directory,
        [record(
            r#"{"type":"Domain","id":"d.example","kind":"platform","state":"verified"}"#,
        )],
    );
    for key in directory.hot.own().collect::<Vec<RecordKey>>() {
        assert_eq!(directory.key(&directory.reference(key)), Some(key));
        assert!(
            directory.has(&directory.reference(key))
                && directory
                    .record(&directory.reference(key), &catalog())
                    .is_some()
        );
    }
    assert_eq!(
        directory.key(&EntityRef::new("Domain", "D.example.")),
        directory.key(&EntityRef::new("Domain", "d.example"))
    );
    assert!(
        directory.has(&EntityRef::new("Package", "shop"))
            && directory.has(&EntityRef::new("AccessLevel", "basic"))
            && !directory.has(&EntityRef::new("Rocket", "x"))
    );
}
