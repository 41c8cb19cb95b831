//! Handles give the same answers as the names they stand for, through changes, imports and reloads,
//! in any engine and thread.

use std::collections::HashMap;

use sublet::{
    Action, Change, Engine, Host, Options, PolicySource, Principal, Record, Request, RequestRef,
    Resource, ResourceType,
};

const HOSTS: [&str; 5] = [
    "dash.marketingmaster.example",
    "app.acme.example",
    "APP.acme.example:443",
    "app.nova.example",
    "nowhere.example",
];
const LOGINS: [(&str, &str); 9] = [
    ("Account", "acme"),
    ("Account", "bakery"),
    ("Account", "edge"),
    ("TeamMember", "ann"),
    ("TeamMember", "dan"),
    ("TeamMember", "gus"),
    ("Operator", "olga"),
    ("Account", "late"),
    ("Nothing", "x"),
];
const ON: [(&str, &str, Option<&str>); 8] = [
    ("Campaign", "spring", Some("bakery")),
    ("Campaign", "spring", Some("acme")),
    ("Campaign", "spring", Some("late")),
    ("Campaign", "spring", None),
    ("Account", "bakery", None),
    ("Domain", "app.acme.example", None),
    ("TeamMember", "ann", None),
    ("Nothing", "x", None),
];
const ACTIONS: [&str; 6] = [
    "campaign.edit",
    "campaign.read",
    "login.password",
    "client.edit",
    "domain.read",
    "nothing.at_all",
];

fn policies() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies")
}

fn open_engine() -> Engine {
    let engine = Engine::open(Options {
        policies: PolicySource::Folder(policies()),
        ..Options::default()
    })
    .expect("the bundle");
    engine
        .import(&agency()[..], None, None)
        .expect("the agency");
    engine
}

fn agency() -> Vec<u8> {
    std::fs::read(policies().join("tests/agency.jsonl")).expect("the agency")
}

#[derive(Default)]
struct Handles {
    principals: HashMap<(&'static str, &'static str), Principal>,
    actions: HashMap<&'static str, Action>,
    kinds: HashMap<&'static str, ResourceType>,
    hosts: HashMap<&'static str, Host>,
}

impl Handles {
    fn all() -> Self {
        let mut all = Self::default();
        for (kind, id) in LOGINS.into_iter().chain(
            ON.iter()
                .filter_map(|(_, _, account)| account.map(|account| ("Account", account))),
        ) {
            all.principals.insert((kind, id), Principal::new(kind, id));
        }
        ACTIONS
            .iter()
            .for_each(|name| drop(all.actions.insert(name, Action::new("Action", *name))));
        ON.iter()
            .for_each(|(kind, ..)| drop(all.kinds.insert(kind, ResourceType::new(*kind))));
        HOSTS
            .iter()
            .for_each(|name| drop(all.hosts.insert(name, Host::new(*name))));
        all
    }

    /// Sends every request by names and by handles. Both give the same answer or the same error.
    fn agree(&self, engine: &Engine) -> usize {
        let mut allowed = 0;
        for (login, action, on, host) in LOGINS.iter().flat_map(|login| {
            ACTIONS.iter().flat_map(move |action| {
                ON.iter()
                    .flat_map(move |on| HOSTS.iter().map(move |host| (login, action, on, host)))
            })
        }) {
            let (kind, id, account) = *on;
            let mut resource = Resource::new(kind, id);
            resource.account = account.map(str::to_owned);
            let words = Request::new(*login, *action, resource).host(*host);
            let mut handles = RequestRef::new(
                &self.principals[login],
                &self.actions[action],
                (&self.kinds[kind], id),
            )
            .host(&self.hosts[host]);
            if let Some(account) = account {
                handles = handles.account(&self.principals[&("Account", account)]);
            }
            assert_eq!(handles.to_owned_request().expect("a request"), words);
            let (by_words, by_handles) = (engine.authorize(&words), engine.authorize(handles));
            assert_eq!(by_words, by_handles, "{words:?}");
            assert_eq!(engine.check(&words), engine.check(handles), "{words:?}");
            assert_eq!(
                engine.check(handles).ok(),
                by_words.as_ref().ok().map(|decision| decision.allowed),
                "{words:?}"
            );
            allowed += usize::from(by_words.is_ok_and(|decision| decision.allowed));
        }
        allowed
    }
}

fn put_record(engine: &Engine, record: &str) {
    engine
        .apply_changes(
            vec![Change::Put(Record::from_json(record).expect("a record"))],
            None,
        )
        .expect("a change");
}

#[test]
fn handles_agree_with_names_through_changes() {
    let (engine, handles) = (open_engine(), Handles::all());
    let first = handles.agree(&engine);
    assert!(first > 10, "{first}");
    put_record(
        &engine,
        r#"{"type":"Account","id":"late","email":"late@late.example","owner":"acme","level":"silver","confirmed":true}"#,
    );
    assert!(handles.agree(&engine) > first, "the new account may work");
    put_record(
        &engine,
        r#"{"type":"Account","id":"bakery","email":"hello@bakery.example","owner":"acme","level":"silver","confirmed":false}"#,
    );
    handles.agree(&engine);
    engine
        .apply_changes(vec![Change::Remove(("Account", "late").into())], None)
        .expect("a change");
    handles.agree(&engine);
    // In another order the records have other numbers.
    let mut lines: Vec<String> = String::from_utf8(agency())
        .expect("text")
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.clone()));
    engine
        .import(lines.join("\n").as_bytes(), None, None)
        .expect("the agency");
    assert_eq!(handles.agree(&engine), first);
    engine
        .reload(&PolicySource::Folder(policies()))
        .expect("the bundle");
    assert_eq!(handles.agree(&engine), first);
    // Uses another engine, and then the first one again.
    let other = open_engine();
    put_record(
        &other,
        r#"{"type":"Account","id":"late","email":"late@late.example","owner":"acme","level":"silver","confirmed":true}"#,
    );
    for _ in 0..2 {
        assert!(handles.agree(&other) > first);
        assert_eq!(handles.agree(&engine), first);
    }
}

#[test]
fn threads_share_handles_during_imports() {
    let (engine, handles) = (open_engine(), Handles::all());
    let lines = agency();
    let question = |host: &'static str| {
        RequestRef::new(
            &handles.principals[&("Account", "bakery")],
            &handles.actions["campaign.edit"],
            (&handles.kinds["Campaign"], "spring"),
        )
        .account(&handles.principals[&("Account", "bakery")])
        .host(&handles.hosts[host])
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        assert_eq!(engine.check(question("app.acme.example")), Ok(true));
                        assert_eq!(
                            engine.check(question("dash.marketingmaster.example")),
                            Ok(false)
                        );
                    }
                })
            })
            .collect();
        while readers.iter().any(|reader| !reader.is_finished()) {
            engine.import(&lines[..], None, None).expect("the agency");
        }
    });
}
