//! Input from strangers and output to them. Errors contain no records of other tenants and no
//! invisible characters, and every accepted record can be exported and imported again.

use serde_json::{Value, json};
use sublet::{
    Change, Command, Engine, EntityRef, Environment, Error, Options, Record, Request, Resource,
};
use sublet_tests::{Random, agency_engine, shipped_files};

fn put_record(engine: &Engine, record: Value) -> Result<u64, Error> {
    engine.apply_changes(vec![Change::Put(Record::from_value(record)?)], None)
}

fn export_lines(engine: &Engine) -> String {
    let mut lines = Vec::new();
    engine.export(&mut lines).expect("an export");
    String::from_utf8(lines).expect("text")
}

/// Texts of each tenant of the sample agency that errors must not reveal to another tenant.
const OTHERS: [&str; 7] = ["nova", "farm", "edge", "cia", "gus", "solo", "bakery"];

#[test]
fn errors_name_no_other_tenant() {
    let engine = agency_engine(shipped_files());
    put_record(
        &engine,
        json!({"type": "AccessLevel", "id": "theirs", "owner": "nova"}),
    )
    .expect("a level");
    let host = |host: &str| Environment {
        host: Some(host.to_owned()),
        ..Environment::default()
    };
    let (acme, edge) = (
        EntityRef::new("Account", "acme"),
        EntityRef::new("Account", "edge"),
    );
    let perform = |who: &EntityRef, at: &str, command: Value| {
        let command = Command::from_value(command).expect("a command");
        engine
            .perform(who, &command, &host(at), None)
            .expect_err("an error")
    };
    let dash = "dash.marketingmaster.example";
    let errors = [
        // The e-mails of another main account's member, of another client, and of another owner.
        perform(&acme, dash, json!({"do": "invite_member", "id": "kim", "email": "cia@nova.example"})),
        perform(&edge, "app.nova.example", json!({"do": "invite_member", "id": "kim", "email": "hello@bakery.example"})),
        perform(&acme, dash, json!({"do": "invite_member", "id": "kim", "email": "owner@nova.example"})),
        perform(&acme, dash, json!({"do": "add_domain", "domain": "app.nova.example"})),
        put_record(&engine, json!({"type": "Domain", "id": "app.nova.example", "kind": "whitelabel", "owner": "acme"}))
            .map_or_else(|error| error, |_| Error::Random { reason: String::new() }),
        put_record(&engine, json!({"type": "Account", "id": "cafe", "email": "hello@cafe.example", "owner": "acme", "level": "theirs", "confirmed": true}))
            .expect_err("another owner's level"),
        put_record(&engine, json!({"type": "TeamMember", "id": "kim", "account": "acme", "email": "solo@solo.example"})).expect_err("a taken e-mail"),
    ];
    for error in errors {
        let (text, named) = (
            error.to_string(),
            [
                "cia@nova.example",
                "owner@nova.example",
                "app.nova.example",
                "hello@bakery.example",
                "solo@solo.example",
            ],
        );
        // Text of the caller may be repeated.
        let text = named.iter().fold(text, |text, own| text.replace(own, ""));
        assert!(!OTHERS.iter().any(|other| text.contains(other)), "{text}");
    }
}

#[test]
fn error_texts_are_printable() {
    let engine = agency_engine(shipped_files());
    let bad = "a\u{1b}[2J\r\n\u{202e}\u{200b}\u{feff}\u{9b}\0\u{2028}b";
    let reference = || EntityRef::new("Account", bad);
    let request = |principal: EntityRef, action: &str, resource: EntityRef| {
        engine
            .authorize(&Request::new(principal, action, resource))
            .expect_err("an error")
    };
    let command = |command: Value| {
        Command::from_value(command)
            .and_then(|command| {
                engine.perform(&reference(), &command, &Environment::default(), None)
            })
            .expect_err("an error")
    };
    let record = |record: Value| put_record(&engine, record).expect_err("an error");
    let acme = || EntityRef::new("Account", "acme");
    let errors = [
        request(acme(), bad, acme()),
        request(EntityRef::new(bad, "x"), "campaign.read", acme()),
        request(acme(), "campaign.read", EntityRef::new(bad, "x")),
        engine
            .authorize(&Request::new(acme(), "campaign.read", acme()).channel(bad))
            .expect_err("an error"),
        engine
            .authorize(&Request::new(acme(), "client.edit", acme()).context(bad, 1))
            .expect_err("an error"),
        engine.usage(bad, None, None).expect_err("an error"),
        engine.usage("acme", Some(bad), None).expect_err("an error"),
        engine.usage("acme", None, Some(bad)).expect_err("an error"),
        engine.statement("acme", bad).expect_err("an error"),
        engine
            .get_record(&EntityRef::new(bad, "x"))
            .expect_err("an error"),
        engine.domain_proof(bad, None).expect_err("an error"),
        engine
            .login("app.acme.example", "a@b.example", Some(bad.into()))
            .expect_err("an error"),
        engine
            .apply_changes(vec![Change::Remove(reference())], None)
            .expect_err("an error"),
        command(json!({"do": bad})),
        command(json!({"do": "create_client", bad: 1})),
        command(json!({"do": "close", "account": bad})),
        record(json!({"type": bad})),
        record(json!({"type": "Account", "id": "x", bad: 1})),
        record(json!({"type": "Account", "id": bad, "email": "x"})),
        record(json!({"type": "Account", "id": bad, "email": "x@x.example"})),
        record(json!({"type": "Account", "id": "x", "email": bad, "package": "starter"})),
        record(json!({"type": "Account", "id": "x", "email": "x@x.example", "package": bad})),
        record(json!({"type": "Account", "id": "x", "email": "x@x.example", "owner": bad})),
        record(
            json!({"type": "Account", "id": "x", "email": "x@x.example", "owner": "acme", "level": bad}),
        ),
        record(
            json!({"type": "Account", "id": "x", "email": "x@x.example", "package": "starter", "zone": bad}),
        ),
        record(
            json!({"type": "Account", "id": "x", "email": "x@x.example", "package": "starter", "anchor": bad}),
        ),
        record(
            json!({"type": "Account", "id": "x", "email": "x@x.example", "package": "starter", "limits": {bad: 1}}),
        ),
        record(
            json!({"type": "Account", "id": "x", "email": "x@x.example", "package": "starter", "attributes": {bad: 1}}),
        ),
        record(
            json!({"type": "TeamMember", "id": "x", "account": "acme", "email": "x@x.example", "grants": [bad]}),
        ),
        record(json!({"type": "Domain", "id": bad, "kind": "platform"})),
        Engine::open(Options {
            store: bad.to_owned(),
            ..Options::default()
        })
        .expect_err("an error"),
        Engine::open(Options {
            store: format!("sqlite:/nowhere/{bad}"),
            ..Options::default()
        })
        .expect_err("an error"),
        engine
            .import(
                format!(
                    "{{\"type\": \"{}\"}}",
                    bad.replace(['\0', '\r', '\n', '\u{1b}'], "")
                )
                .as_bytes(),
                None,
                None,
            )
            .expect_err("an error"),
    ];
    for error in errors {
        let text = error.to_string();
        assert_eq!(sublet::printable(&text), text, "{}", error.code());
        assert!(text.len() < 4_000, "{}", error.code());
    }
    // A long text is not repeated either.
    let long = "x".repeat(60);
    let text = put_record(&engine, json!({"type": "Account", "id": "x", "email": "x@x.example", "package": "starter", "attributes": {&*"x".repeat(1_000_000): 1}}))
        .expect_err("an error")
        .to_string();
    assert!(text.len() < 4_000 && text.contains(&long), "{}", text.len());
}

/// Returns records of any shape, some of which are refused: ids, e-mails and names of all lengths
/// and scripts.
fn random_record(random: &mut Random) -> Value {
    let pieces = [
        "a",
        "ü",
        "\"",
        "\\",
        "\n",
        "\u{0}",
        "\u{202e}",
        "東",
        "😀",
        "'",
        " ",
        "x".repeat(60).leak(),
    ];
    let text = |random: &mut Random| {
        (0..random.below(7))
            .map(|_| pieces[random.below(pieces.len())])
            .collect::<String>()
    };
    let accounts = ["acme", "nova", "bakery", "new-0", "new-1"];
    let id = if random.below(2) == 0 {
        format!("new-{}", random.below(4))
    } else {
        text(random)
    };
    let email = match random.below(4) {
        0 => format!("{}@bücher.example", text(random)),
        _ => format!("Mail{}@x.example", random.below(50)),
    };
    let account = accounts[random.below(accounts.len())];
    let limit = [
        json!(random.below(1000)),
        json!("unlimited"),
        json!(9_007_199_254_740_991_i64),
    ][random.below(3)]
    .clone();
    let limits = json!({"emails": limit});
    match random.below(5) {
        0 => {
            json!({"type": "Account", "id": id, "email": email, "package": "agency", "confirmed": random.below(2) == 0, "limits": limits, "attributes": {"country": text(random)}})
        }
        1 => {
            json!({"type": "Account", "id": id, "email": email, "owner": account, "level": "basic", "closed": random.below(4) == 0, "anchor": "2026-01-31", "zone": "Europe/Vienna"})
        }
        2 => {
            json!({"type": "TeamMember", "id": id, "email": email, "account": account, "grants": ["campaigns"], "sub_limits": limits})
        }
        3 => {
            json!({"type": "AccessLevel", "id": id, "owner": account, "features": ["campaigns"], "limits": limits})
        }
        _ => {
            json!({"type": "Domain", "id": format!("{id}.example"), "kind": "whitelabel", "owner": account, "state": "verified"})
        }
    }
}

#[test]
fn exports_can_be_imported() {
    let mut random = Random::new(17);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..12 {
        let engine = agency_engine(shipped_files());
        for _ in 0..40 {
            match put_record(&engine, random_record(&mut random)) {
                Ok(_) => taken += 1,
                Err(_) => refused += 1,
            }
        }
        let lines = export_lines(&engine);
        let other = Engine::open(Options::default()).expect("the shipped bundle");
        other
            .import(lines.as_bytes(), None, None)
            .unwrap_or_else(|error| panic!("{error}\n{lines}"));
        assert_eq!(export_lines(&other), lines);
    }
    assert!(taken > 90 && refused > 90, "{taken} {refused}");
}

#[test]
fn records_beyond_a_line_are_refused() {
    let engine = agency_engine(shipped_files());
    let record = |bytes: usize| json!({"type": "Account", "id": "big", "email": "big@x.example", "package": "agency", "attributes": {"country": "x".repeat(bytes)}});
    let before = export_lines(&engine);
    assert_eq!(
        put_record(&engine, record(1 << 20)).map_err(|error| error.code()),
        Err("directory.record")
    );
    assert_eq!(export_lines(&engine), before);
    // A line that fits is refused too if its exported form would be too long.
    let filler = "x".repeat((1 << 20) - 130);
    let line = format!(
        r#"{{"type":"Account","id":"big","email":"big@x.example","package":"agency","attributes":{{"country":"{filler}"}}}}"#
    );
    assert!(line.len() < 1 << 20);
    match engine.import(format!("{before}{line}\n").as_bytes(), None, None) {
        Ok(_) => assert!(
            export_lines(&engine)
                .lines()
                .all(|line| line.len() < 1 << 20)
        ),
        Err(error) => assert_eq!(error.code(), "directory.record"),
    }
}

#[test]
fn negative_amount_fails_whoever_asks() {
    let engine = agency_engine(shipped_files());
    let kinds = [("sms.send", "TextMessage"), ("campaign.read", "Campaign")];
    for (principal, account) in [("acme", "acme"), ("gone", "acme"), ("acme", "gone")] {
        for (action, kind) in kinds {
            let resource = Resource::new(kind, "k").account(account);
            let mut request = Request::new(("Account", principal), action, resource);
            request.environment.amount = Some(-1);
            let codes = [
                engine.check(&request).map_err(|error| error.code()).err(),
                engine
                    .authorize(&request)
                    .map_err(|error| error.code())
                    .err(),
                engine.explain(&request).map_err(|error| error.code()).err(),
            ];
            assert_eq!(codes, [Some("input.amount"); 3], "{request:?}");
        }
    }
}
