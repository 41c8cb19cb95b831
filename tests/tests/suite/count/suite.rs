// Tests of quotas on every store. `open` returns an engine over a new store. `count.rs` includes
// this file once for each store.

#[test]
fn limit_is_inclusive() {
    let (engine, _) = open();
    set_limit(&engine, 10);
    let first = engine.consume(acme(), &ConsumeOptions::new(10)).expect("an answer");
    assert!(first.allowed, "{first:?}");
    assert_eq!(used(&first), (10, 0));
    assert_eq!(first.advice.iter().map(|word| &**word).collect::<Vec<_>>(), ["quota_100"]);
    let second = engine.consume(acme(), &ConsumeOptions::new(1)).expect("an answer");
    assert_eq!((&*second.code, used(&second)), ("quota_exceeded", (10, 0)));
    assert!(engine.consume(acme(), &ConsumeOptions::new(0)).expect("an answer").allowed);
    let quota = &engine.usage("acme", None, Some("emails")).expect("usage")[0];
    assert_eq!((quota.limit, quota.remaining, quota.used), (Limit::Number(10), Limit::Number(0), 10));
    assert!(engine.verify().expect("verified").faults.is_empty());
}

/// The account's counters include those of its members. A sub-limit applies to its member only.
#[test]
fn sub_limit_is_part_of_account_limit() {
    let (engine, _) = open();
    set_limit(&engine, 10);
    put_record(
        &engine,
        r#"{"type":"TeamMember","id":"ann","account":"acme","email":"ann@acme.example","confirmed":true,"grants":["campaigns"],"sub_limits":{"emails":4}}"#,
    );
    assert!(engine.consume(ann(), &ConsumeOptions::new(4)).expect("an answer").allowed);
    let over = engine.consume(ann(), &ConsumeOptions::new(1)).expect("an answer");
    assert_eq!(engine.carry_over("acme", Some("ann"), "emails", 0, None).expect("carried").quota[0].member.as_ref().map(|member| member.used), Some(4));
    assert_eq!(&*over.code, "member_quota_exceeded");
    assert_eq!(used(&engine.consume(acme(), &ConsumeOptions::new(6)).expect("an answer")), (10, 0));
    assert_eq!(&*engine.consume(acme(), &ConsumeOptions::new(1)).expect("an answer").code, "quota_exceeded");
}

/// Another request under the key is an error.
#[test]
fn idempotency_key_debits_once() {
    let (engine, _) = open();
    set_limit(&engine, 10);
    let take = ConsumeOptions::new(3).idempotency_key("k");
    let first = engine.consume(acme(), &take).expect("an answer");
    let second = engine.consume(acme(), &take).expect("an answer");
    assert!(second.counted.as_ref().expect("counted").replayed);
    assert_eq!(used(&second), used(&first));
    assert_eq!(first.counted.as_ref().map(|counted| counted.operation), second.counted.as_ref().map(|counted| counted.operation));
    assert_eq!(engine.consume(acme(), &ConsumeOptions::new(4).idempotency_key("k")).map_err(|error| error.code()), Err("quota.idempotency_mismatch"));
    // A denial is not stored under the key.
    assert!(!engine.consume(acme(), &ConsumeOptions::new(8).idempotency_key("later")).expect("an answer").allowed);
    engine.top_up("acme", "emails", 5, None).expect("topped up");
    assert!(engine.consume(acme(), &ConsumeOptions::new(8).idempotency_key("later")).expect("an answer").allowed);
}

/// The first consumes run the policies, the later ones are answered by a cached grant.
#[test]
fn retry_gets_the_whole_first_answer() {
    let (engine, _) = open();
    set_limit(&engine, 100);
    for at in 0..6 {
        let key = format!("key {at}");
        let take = ConsumeOptions::new(3).idempotency_key(&key);
        let first = engine.consume(acme(), &take).expect("an answer");
        assert!(engine.consume(acme(), &ConsumeOptions::new(3)).expect("an answer").allowed);
        let mut again = engine.consume(acme(), &take).expect("an answer");
        let counted = again.counted.as_mut().expect("counted");
        assert!(std::mem::take(&mut counted.replayed));
        assert_eq!(again, first);
    }
}

/// A reservation ends by a commit, a release, or its expiry.
#[test]
fn reservation_is_held_until_settled() {
    let (engine, clock) = open();
    set_limit(&engine, 10);
    let reserve = |amount| engine.reserve(acme(), &ConsumeOptions::new(amount), Some(60_000)).expect("an answer");
    let operation = |decision: &Decision| decision.counted.as_ref().expect("counted").operation.expect("an operation");
    let first = reserve(6);
    assert_eq!(used(&first), (0, 6));
    assert_eq!(&*reserve(5).code, "quota_exceeded");
    let committed = engine.commit(operation(&first), Some(4), None).expect("committed");
    assert_eq!((committed.quota[0].used, committed.quota[0].held), (4, 0));
    let again = engine.commit(operation(&first), Some(4), None).expect("committed");
    assert!(again.replayed);
    assert_eq!((again.operation, again.quota[0].used), (committed.operation, 4));
    assert_eq!(engine.release(operation(&first), None).map_err(|error| error.code()), Err("quota.reservation_closed"));
    let second = reserve(6);
    assert_eq!(engine.commit(operation(&second), Some(7), None).map_err(|error| error.code()), Err("quota.commit_too_much"));
    assert_eq!(engine.release(operation(&second), None).expect("released").quota[0].held, 0);
    let third = reserve(6);
    clock.advance(60_000);
    assert_eq!(engine.commit(operation(&third), None, None).map_err(|error| error.code()), Err("quota.reservation_expired"));
    assert_eq!(used(&engine.consume(acme(), &ConsumeOptions::new(6)).expect("an answer")), (10, 0));
    assert!(engine.verify().expect("verified").faults.is_empty());
}

#[test]
fn refund_is_at_most_the_debit() {
    let (engine, _) = open();
    set_limit(&engine, 10);
    let taken = engine.consume(acme(), &ConsumeOptions::new(8)).expect("an answer");
    let operation = taken.counted.and_then(|counted| counted.operation).expect("an operation");
    assert_eq!(engine.refund(operation, Some(3), None).expect("refunded").quota[0].used, 5);
    assert_eq!(engine.refund(operation, Some(6), None).map_err(|error| error.code()), Err("quota.refund_too_much"));
    assert_eq!(engine.refund(operation, None, None).expect("refunded").quota[0].used, 0);
    assert_eq!(engine.refund(operation, Some(1), None).map_err(|error| error.code()), Err("quota.refund_too_much"));
    assert_eq!(engine.refund(u64::MAX, Some(1), None).map_err(|error| error.code()), Err("quota.unknown_operation"));
}

#[test]
fn only_a_reservation_can_be_committed() {
    let (engine, _) = open();
    let operation = |decision: Decision| decision.counted.and_then(|counted| counted.operation).expect("an operation");
    let taken = operation(engine.consume(acme(), &ConsumeOptions::new(1)).expect("an answer"));
    let held = operation(engine.reserve(acme(), &ConsumeOptions::new(1), Some(1_000)).expect("an answer"));
    assert_eq!(engine.commit(taken, None, None).map_err(|error| error.code()), Err("quota.not_a_reservation"));
    assert_eq!(engine.refund(held, None, None).map_err(|error| error.code()), Err("quota.not_refundable"));
    assert_eq!(engine.reserve(acme(), &ConsumeOptions::new(1), Some(0)).map_err(|error| error.code()), Err("input.ttl"));
}

/// A host that names no lifetime gets the same one in each language.
#[test]
fn reservation_lasts_15_minutes_by_default() {
    let (engine, clock) = open();
    let operation = |decision: Decision| decision.counted.and_then(|counted| counted.operation).expect("an operation");
    let reserve = || operation(engine.reserve(acme(), &ConsumeOptions::new(1), None).expect("an answer"));
    let first = reserve();
    clock.advance(15 * 60_000 - 1);
    engine.commit(first, None, None).expect("a reservation that holds");
    let second = reserve();
    clock.advance(15 * 60_000);
    assert_eq!(engine.commit(second, None, None).map_err(|error| error.code()), Err("quota.reservation_expired"));
}

/// A key replays its answer until 35 days after its window. Then it is reported as pruned.
#[test]
fn idempotency_key_expires_after_35_days() {
    let (engine, clock) = open();
    let take = ConsumeOptions::new(3).idempotency_key("january");
    engine.consume(acme(), &take).expect("an answer");
    // The window ends with January, and its keys expire on 8 March.
    for _ in 0..35 {
        clock.advance(86_400_000);
        assert!(engine.consume(acme(), &take).expect("an answer").counted.expect("counted").replayed);
    }
    clock.advance(86_400_000);
    assert_eq!(engine.consume(acme(), &take).map_err(|error| error.code()), Err("quota.idempotency_key_pruned"));
    assert!(engine.verify().expect("verified").faults.is_empty());
}

#[test]
fn partial_consume_grants_the_rest() {
    let (engine, _) = open();
    set_limit(&engine, 10);
    engine.consume(acme(), &ConsumeOptions::new(7)).expect("an answer");
    let rest = engine.consume(acme(), &ConsumeOptions::new(5).allow_partial()).expect("an answer");
    assert_eq!((rest.allowed, rest.counted.as_ref().expect("counted").quota[0].amount, used(&rest)), (true, 3, (10, 0)));
    assert!(!engine.consume(acme(), &ConsumeOptions::new(5).allow_partial()).expect("an answer").allowed);
}

#[test]
fn stocks_persist_and_flows_restart() {
    let (engine, clock) = open();
    let contact = |action: &'static str| RequestRef::new(("Account", "acme"), action, ("Contact", "c")).account("acme").host("dash.marketingmaster.example");
    assert_eq!(used(&engine.consume(contact("contact.create"), &ConsumeOptions::new(5)).expect("an answer")), (5, 0));
    assert_eq!(used(&engine.consume(contact("contact.delete"), &ConsumeOptions::new(2)).expect("an answer")), (3, 0));
    assert_eq!(engine.consume(contact("contact.delete"), &ConsumeOptions::new(4)).map_err(|error| error.code()), Err("quota.below_zero"));
    assert_eq!(used(&engine.set_stock(contact("contact.create"), &ConsumeOptions::new(40)).expect("an answer")), (40, 0));
    assert_eq!(engine.set_stock(acme(), &ConsumeOptions::new(4)).map_err(|error| error.code()), Err("quota.not_a_stock"));
    engine.consume(acme(), &ConsumeOptions::new(100)).expect("an answer");
    // On the first of February a new window begins for e-mails. Contacts, a stock, persist.
    clock.advance(12 * 3_600_000);
    assert_eq!(used(&engine.consume(acme(), &ConsumeOptions::new(1)).expect("an answer")), (1, 0));
    assert_eq!(engine.usage("acme", None, Some("contacts")).expect("usage")[0].used, 40);
    // If the clock goes back to January, the time stays where it is.
    clock.advance(-3_600_000);
    assert_eq!(used(&engine.consume(acme(), &ConsumeOptions::new(1)).expect("an answer")), (2, 0));
    // A manual clock may jump.
    clock.advance(40 * 86_400_000);
    assert_eq!(used(&engine.consume(acme(), &ConsumeOptions::new(1)).expect("an answer")), (1, 0));
}

#[test]
fn stocks_increase_and_decrease() {
    let (engine, _) = open();
    put_record(&engine, r#"{"type":"Account","id":"acme","email":"o@acme.example","package":"agency","confirmed":true,"limits":{"contacts":10}}"#);
    let contact = |action: &'static str| RequestRef::new(("Account", "acme"), action, ("Contact", "c")).account("acme").host("dash.marketingmaster.example");
    let code = |answer: Result<sublet::Decision, sublet::Error>| answer.map_err(|error| error.code()).map(|decision| decision.code.to_string());
    assert_eq!(used(&engine.increase_stock(contact("contact.create"), &ConsumeOptions::new(8).idempotency_key("a")).expect("an answer")), (8, 0));
    assert_eq!(code(engine.increase_stock(contact("contact.create"), &ConsumeOptions::new(3))), Ok("quota_exceeded".to_owned()));
    assert!(engine.increase_stock(contact("contact.create"), &ConsumeOptions::new(8).idempotency_key("a")).expect("an answer").counted.expect("counted").replayed);
    // A stock can be decreased with the action that increases it, and with the one that frees.
    assert_eq!(used(&engine.decrease_stock(contact("contact.create"), &ConsumeOptions::new(2)).expect("an answer")), (6, 0));
    assert_eq!(used(&engine.decrease_stock(contact("contact.delete"), &ConsumeOptions::new(1)).expect("an answer")), (5, 0));
    assert_eq!(code(engine.decrease_stock(contact("contact.create"), &ConsumeOptions::new(6))), Err("quota.below_zero"));
    assert_eq!(code(engine.decrease_stock(contact("contact.create"), &ConsumeOptions::new(i64::MAX))), Err("quota.below_zero"));
    assert_eq!(code(engine.decrease_stock(contact("contact.create"), &ConsumeOptions::new(-1))), Err("input.amount"));
    assert_eq!(code(engine.increase_stock(contact("contact.delete"), &ConsumeOptions::new(1))), Err("quota.not_metered"));
    assert_eq!(code(engine.increase_stock(acme(), &ConsumeOptions::new(1))), Err("quota.not_a_stock"));
    assert_eq!(code(engine.decrease_stock(acme(), &ConsumeOptions::new(1))), Err("quota.not_a_stock"));
    // The limit was lowered below the stock, so the stock can only fall.
    put_record(&engine, r#"{"type":"Account","id":"acme","email":"o@acme.example","package":"agency","confirmed":true,"limits":{"contacts":3}}"#);
    assert_eq!(code(engine.increase_stock(contact("contact.create"), &ConsumeOptions::new(1))), Ok("quota_exceeded".to_owned()));
    assert_eq!(used(&engine.decrease_stock(contact("contact.create"), &ConsumeOptions::new(1)).expect("an answer")), (4, 0));
    // An account that may not do the action decreases nothing either.
    put_record(&engine, r#"{"type":"Account","id":"acme","email":"o@acme.example","package":"agency","confirmed":false,"limits":{"contacts":3}}"#);
    assert_eq!(code(engine.decrease_stock(contact("contact.create"), &ConsumeOptions::new(1))), Ok("email_unconfirmed".to_owned()));
    let history = engine.history("acme", None, 10).expect("history");
    assert_eq!(history.iter().map(|entry| entry.kind.as_str()).collect::<Vec<_>>(), ["free", "free", "free", "consume"]);
    assert_eq!(engine.usage("acme", None, Some("contacts")).expect("usage")[0].used, 4);
    assert!(engine.verify().expect("verified").faults.is_empty());
}

#[test]
fn batch_is_all_or_nothing() {
    let (engine, _) = open();
    set_limit(&engine, 10);
    let batch = |amounts: [i64; 3]| engine.batch(&amounts.map(|amount| (acme(), ConsumeOptions::new(amount)))).expect("answers");
    let refused = batch([4, 5, 2]);
    assert_eq!(refused.iter().map(|decision| decision.allowed).collect::<Vec<_>>(), [true, true, false]);
    assert!(refused.iter().all(|decision| decision.counted.as_ref().is_some_and(|counted| counted.operation.is_none())));
    assert_eq!(engine.usage("acme", None, Some("emails")).expect("usage")[0].used, 0);
    assert!(batch([4, 5, 1]).iter().all(|decision| decision.allowed));
    assert_eq!(engine.usage("acme", None, Some("emails")).expect("usage")[0].used, 10);
    assert_eq!(engine.history("acme", None, 10).expect("history").len(), 3);
    assert!(engine.verify().expect("verified").faults.is_empty());
}

/// The answer shows the quota as it would be.
#[test]
fn check_debits_nothing() {
    let (engine, _) = open();
    set_limit(&engine, 10);
    let request = |amount| {
        let mut request = acme().to_owned_request().expect("a request");
        request.environment.amount = Some(amount);
        request
    };
    assert!(engine.check(&request(10)).expect("an answer"));
    assert!(!engine.check(&request(11)).expect("an answer"));
    let asked = engine.authorize(&request(11)).expect("an answer");
    assert_eq!((&*asked.code, used(&asked)), ("quota_exceeded", (0, 0)));
    assert!(engine.history("acme", None, 10).expect("history").is_empty());
}

#[test]
fn explanation_names_the_limit_policy() {
    let (engine, _) = open();
    set_limit(&engine, 10);
    let mut request = acme().to_owned_request().expect("a request");
    request.environment.amount = Some(11);
    let explanation = engine.explain(&request).expect("an explanation");
    assert_eq!(&*explanation.decision.code, "quota_exceeded");
    let rule = explanation.policies.iter().find(|policy| &*policy.policy == "quota-exceeded").expect("the rule");
    assert_eq!(rule.outcome, sublet::PolicyStatus::Applied);
    assert!(rule.facts.iter().any(|fact| fact.path == "context.facts.quota.account.limit" && fact.value.as_deref() == Some("10")), "{rule:?}");
}

#[test]
fn overflowing_amount_is_refused() {
    let (engine, _) = open();
    put_record(&engine, r#"{"type":"Account","id":"acme","email":"owner@acme.example","package":"agency","confirmed":true,"limits":{"emails":"unlimited"}}"#);
    assert!(engine.consume(acme(), &ConsumeOptions::new(1)).expect("an answer").allowed);
    let wrapped = engine.consume(acme(), &ConsumeOptions::new(i64::MAX)).expect("an answer");
    assert_eq!((&*wrapped.code, used(&wrapped)), ("quota_exceeded", (1, 0)));
    set_limit(&engine, 10);
    let over = engine.consume(acme(), &ConsumeOptions::new(i64::MAX)).expect("an answer");
    assert_eq!((&*over.code, over.errors.len()), ("quota_exceeded", 0));
    assert_eq!(engine.consume(acme(), &ConsumeOptions::new(-1)).map_err(|error| error.code()), Err("input.amount"));
}

#[test]
fn hundred_threads_with_one_key_debit_once() {
    let (engine, _) = open();
    set_limit(&engine, 10);
    let answers: Vec<Decision> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..100).map(|_| scope.spawn(|| engine.consume(acme(), &ConsumeOptions::new(3).idempotency_key("one")).expect("an answer"))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).collect()
    });
    let fresh = answers.iter().filter(|decision| !decision.counted.as_ref().expect("counted").replayed).count();
    let same: std::collections::HashSet<_> = answers.iter().map(|decision| (decision.counted.as_ref().expect("counted").operation, used(decision))).collect();
    assert_eq!((fresh, same.len()), (1, 1));
    assert_eq!(engine.usage("acme", None, Some("emails")).expect("usage")[0].used, 3);
}

#[test]
fn threads_consume_exactly_the_limit() {
    let (engine, _) = open();
    set_limit(&engine, 1_000);
    let granted: i64 = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| (0..300).filter(|_| engine.consume(acme(), &ConsumeOptions::new(1)).expect("an answer").allowed).count())).collect();
        threads.into_iter().map(|thread| i64::try_from(thread.join().expect("a thread")).expect("few")).sum()
    });
    assert_eq!(granted, 1_000);
    assert_eq!(engine.usage("acme", None, Some("emails")).expect("usage")[0].used, 1_000);
    assert!(engine.verify().expect("verified").faults.is_empty());
}

/// Owners and clients share no counters, and a client counts in its owner's stock of clients.
#[test]
fn clients_have_their_own_counters() {
    let (engine, _) = open();
    let client = RequestRef::new(("Account", "bakery"), "campaign.send", ("Campaign", "k")).account("bakery").host("app.acme.example");
    assert!(engine.consume(client, &ConsumeOptions::new(9)).expect("an answer").allowed);
    assert_eq!(engine.usage("acme", None, Some("emails")).expect("usage")[0].used, 0);
    let create = RequestRef::new(("Account", "acme"), "client.create", ("Account", "acme")).host("dash.marketingmaster.example");
    let environment = sublet::Environment { amount: Some(11), ..sublet::Environment::default() };
    let eleven = engine.authorize(RequestRef { environment: Some(&environment), ..create }).expect("an answer");
    assert!(eleven.allowed);
    assert_eq!(eleven.advice.iter().map(|word| &**word).collect::<Vec<_>>(), ["quota_100", "quota_overage"]);
}

#[test]
fn top_ups_are_reversed_by_key() {
    let (engine, clock) = open();
    set_limit(&engine, 10);
    let row = |meter: &str| engine.usage("acme", None, Some(meter)).expect("usage")[0].clone();
    let paid = engine.top_up("acme", "emails", 5, Some("charge/1")).expect("topped up").operation;
    assert!(engine.consume(acme(), &ConsumeOptions::new(12)).expect("an answer").allowed);
    let back = engine.revoke_top_up("acme", "charge/1").expect("taken back");
    assert_eq!((back.quota[0].top_up, back.quota[0].used, back.quota[0].limit, back.quota[0].remaining), (0, 12, Limit::Number(10), Limit::Number(0)));
    assert_eq!(&*engine.consume(acme(), &ConsumeOptions::new(1)).expect("an answer").code, "quota_exceeded");
    // A retry returns the answer of the first call.
    let again = engine.revoke_top_up("acme", "charge/1").expect("taken back before");
    assert_eq!((again.replayed, again.operation, row("emails").top_up), (true, back.operation, 0));
    let entry = engine.history("acme", None, 1).expect("a history").remove(0);
    assert_eq!((entry.kind.as_str(), entry.parent, entry.parts[0].top_up), ("revoke_top_up", paid, -5));
    // A retry of the top-up returns its old answer and adds nothing.
    assert!(engine.top_up("acme", "emails", 5, Some("charge/1")).expect("topped up before").replayed);
    assert_eq!(row("emails").top_up, 0);
    let code = |result: Result<sublet::CountReceipt, sublet::Error>| result.map(drop).map_err(|error| error.code());
    assert_eq!(code(engine.revoke_top_up("acme", "charge/2")), Err("quota.unknown_top_up"));
    assert!(engine.consume(ann(), &ConsumeOptions::new(0).idempotency_key("other")).is_ok());
    engine.carry_over("acme", None, "emails", 1, Some("carried")).expect("carried");
    assert_eq!(code(engine.revoke_top_up("acme", "carried")), Err("quota.unknown_top_up"));
    assert_eq!(code(engine.revoke_top_up("nova", "charge/1")), Err("quota.unknown_top_up"));
    assert_eq!(code(engine.revoke_top_up("nobody", "charge/1")), Err("directory.unknown_account"));
    // A top-up of a stock can be reversed after any time. Without a key it is refunded by its
    // operation, in parts.
    engine.top_up("acme", "contacts", 100, Some("charge/3")).expect("topped up");
    let other = engine.top_up("acme", "contacts", 10, None).expect("topped up").operation.expect("an operation");
    for _ in 0..3 {
        clock.advance(150 * 86_400_000);
        engine.consume(acme(), &ConsumeOptions::new(1)).expect("an answer");
    }
    assert_eq!(row("contacts").top_up, 110);
    assert_eq!(engine.revoke_top_up("acme", "charge/3").expect("taken back").quota[0].top_up, 10);
    assert_eq!(engine.refund(other, Some(4), Some("part")).expect("taken back").quota[0].top_up, 6);
    assert!(engine.refund(other, Some(4), Some("part")).expect("taken back before").replayed);
    assert_eq!(code(engine.refund(other, Some(7), None)), Err("quota.refund_too_much"));
    assert_eq!(engine.refund(other, None, None).expect("taken back").quota[0].top_up, 0);
    assert_eq!((row("contacts").top_up, engine.verify().expect("verified").faults), (0, Vec::new()));
}

#[test]
fn random_operations_agree_with_model() {
    let steps: u64 = std::env::var("SUBLET_STEPS").ok().and_then(|steps| steps.parse().ok()).unwrap_or(100_000);
    for seed in 1..=3 {
        println!("seed {seed}, {steps} steps");
        walk(&mut InProcess::new(&store()), seed, steps, false);
    }
}
