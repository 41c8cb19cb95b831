//! Lapsed domains and claims on each path of a request (D4). The scenes of
//! `tests/vectors/scenes/domains.json` cover the commands.

use sublet::{
    Clock, Command, Engine, EntityRef, Environment, Host, HostRef, ManualClock, Options, Record,
    Request, RequestRef,
};

const DASH: &str = "dash.marketingmaster.example";
const APP: &str = "app.acme.example";

fn open_at(store: &str, clock: &ManualClock) -> Engine {
    let options = Options {
        store: store.to_owned(),
        clock: Clock::Manual(clock.clone()),
        ..Options::default()
    };
    let engine = Engine::open(options).expect("an engine");
    let agency = include_bytes!("../../../policies/tests/agency.jsonl");
    engine.seed(agency.as_slice()).expect("the sample agency");
    engine
}

fn perform(engine: &Engine, by: (&str, &str), command: &str) -> bool {
    let mut environment = Environment {
        host: Some(DASH.to_owned()),
        ..Environment::default()
    };
    if by.0 == "Operator" {
        let reason = "re-check".into();
        environment.context.insert("reason".to_owned(), reason);
    }
    let command = Command::from_json(command).expect("a command");
    let done = engine.perform(&by.into(), &command, &environment, None);
    done.expect("an answer").decision.allowed
}

fn lapse(engine: &Engine) {
    let command = r#"{"do": "recheck_domain", "domain": "app.acme.example", "txt": []}"#;
    assert!(perform(engine, ("Operator", "olga"), command));
}

fn read_at(host: &str) -> Request {
    let client = ("Account", "bakery");
    Request::new(client, "account.read", client).host(host)
}

fn code_at(engine: &Engine, host: &str) -> String {
    let decision = engine.authorize(&read_at(host)).expect("a decision");
    assert_eq!(engine.check(&read_at(host)), Ok(decision.allowed));
    decision.code.to_string()
}

#[test]
fn every_path_sees_that_a_lapse_ended() {
    let clock = ManualClock::new("2026-03-01T12:00:00Z").expect("an instant");
    let (engine, handle) = (open_at("memory:", &clock), Host::new(APP));
    let request = read_at(DASH);
    let mut by_handle = RequestRef::from(&request);
    by_handle.host = Some(HostRef::Handle(&handle));
    lapse(&engine);
    let both = |expected: bool| {
        assert_eq!(engine.check(by_handle), Ok(expected));
        assert_eq!(engine.check(&read_at(APP)), Ok(expected));
        let login = engine.login(APP, "hello@bakery.example", None);
        assert_eq!(login.expect("an answer").allowed, expected);
        let hosts = engine.hosts_of("bakery", None, 9).expect("a page").hosts;
        assert_eq!(hosts.len(), usize::from(expected));
    };
    both(true);
    clock.advance(14 * 86_400_000 - 1);
    both(true);
    clock.advance(1);
    both(false);
    // A clock that goes back opens nothing again.
    clock.advance(-86_400_000);
    both(false);
}

#[test]
fn lapse_ends_while_no_process_runs() {
    let clock = ManualClock::new("2026-03-01T12:00:00Z").expect("an instant");
    let store = format!("sqlite:{}", sublet_tests::folder().join("d.db").display());
    lapse(&open_at(&store, &clock));
    assert_eq!(code_at(&open_at(&store, &clock), APP), "ok");
    clock.advance(14 * 86_400_000);
    let engine = open_at(&store, &clock);
    let proof = engine.domain_proof(APP, None).expect("a proof");
    let verify = format!(r#"{{"do": "verify_domain", "domain": "{APP}", "txt": ["{proof}"]}}"#);
    assert!(!perform(&engine, ("Account", "acme"), &verify));
    assert_eq!(code_at(&engine, APP), "domain_unverified");
    let record = engine.get_record(&EntityRef::new("Domain", APP));
    let Ok(Some(Record::Domain(domain))) = record else {
        panic!("{record:?}");
    };
    assert_eq!(domain.state().as_str(), "quarantined");
}

#[test]
fn id_of_a_claim_is_no_host() {
    let clock = ManualClock::new("2026-03-01T12:00:00Z").expect("an instant");
    let engine = open_at("memory:", &clock);
    let claim = r#"{"do": "add_domain", "domain": "shop.bigbrand.example"}"#;
    assert!(perform(&engine, ("Account", "nova"), claim));
    let code = |host: &str| code_at(&engine, host);
    assert_eq!(code("shop.bigbrand.example"), "domain_unverified");
    assert_eq!(code("shop.bigbrand.example:443"), "domain_unverified");
    assert_eq!(code("shop.bigbrand.example/nova"), "host_malformed");
}
