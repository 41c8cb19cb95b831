//! The bill: settlement, payment, reversal, and the clients that are disabled for overage.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sublet::{Statement, verify_draw};
use sublet_tests::Random;

use super::Sides;
use super::world::{Settled, Words, World};

const PRICE: i64 = 500;

/// Returns the model's figures of a past month: clients, excess, and the number of unpaid clients
/// now.
fn expected(world: &World, owner: &str, period: &str) -> Option<(usize, i64, i64)> {
    let key = (owner.to_owned(), period.to_owned());
    let (clients, included) = world.ends.get(&key)?;
    let over = |count: usize| excess(count, *included);
    let there = clients.intersection(&world.clients(owner)).count();
    let received = |key: &(String, String)| world.received.get(key).copied().unwrap_or(0);
    // Money above the sum due of a month is credit for the next one (B9).
    let before = world.ends.iter();
    let before = before.filter(|((of, month), _)| of == owner && month.as_str() < period);
    let credit = before.fold(0, |credit, (key, (clients, included))| {
        (credit + received(key) - excess(clients.len(), *included) * PRICE).max(0)
    });
    let paid = (received(&key) + credit) / PRICE;
    Some((
        clients.len(),
        over(clients.len()),
        (over(there) - paid).max(0),
    ))
}

/// Returns the number of clients over the included ones, if these are limited.
fn excess(clients: usize, included: Option<i64>) -> i64 {
    included.map_or(0, |included| {
        (i64::try_from(clients).expect("small") - included).max(0)
    })
}

fn parse_statement(found: &Value) -> Statement {
    Statement::from_value(found.clone()).expect("a statement")
}

/// Checks that a statement equals the model, and that its selection follows from its seed.
fn check_statement(world: &World, statement: &Statement) {
    if let Some(expected) = expected(world, &statement.owner, &statement.period) {
        let clients = usize::try_from(statement.clients).expect("small");
        assert_eq!(
            (clients, statement.excess, statement.unpaid),
            expected,
            "{statement:?}"
        );
        assert_eq!(statement.due_cents, statement.excess * PRICE);
    }
    if statement.seed.is_some() {
        assert!(verify_draw(statement), "{statement:?}");
    }
}

pub(crate) fn step(world: &mut World, random: &mut Random, sides: &mut Sides) {
    let mains = world.mains();
    let owner = random.pick(&mains).clone();
    let ended: Vec<String> = world
        .ends
        .keys()
        .filter(|(of, _)| *of == owner)
        .map(|(_, period)| period.clone())
        .collect();
    let Some(period) = ended
        .last()
        .filter(|_| !random.once_in(4))
        .or(ended.first())
        .cloned()
    else {
        return;
    };
    let period = if random.once_in(4) {
        random.pick(&ended).clone()
    } else {
        period
    };
    match random.below(4) {
        0 => settle(world, random, sides, owner, period),
        1 => pay(world, random, sides, owner, period),
        2 => reverse(world, random, sides),
        _ => {
            let asked = json!({ "walk": "statement", "owner": owner, "period": period });
            check_statement(
                world,
                &parse_statement(&sides.ask(random, &asked).expect("a statement")),
            );
        }
    }
}

fn settle(
    world: &mut World,
    random: &mut Random,
    sides: &mut Sides,
    owner: String,
    period: String,
) {
    let asked = json!({ "walk": "settle", "owner": owner, "period": period });
    let first = sides.ask(random, &asked).expect("a statement");
    let statement = parse_statement(&first);
    check_statement(world, &statement);
    assert_eq!(
        i64::try_from(statement.disabled.len()).expect("small"),
        statement.unpaid,
        "{statement:?}"
    );
    // A second settlement changes nothing, from either process.
    let before = sides.agree(&json!({ "do": "revision" }));
    assert_eq!(sides.ask(random, &asked), Ok(first));
    assert_eq!(sides.agree(&json!({ "do": "revision" })), before);
    if !world
        .settled
        .iter()
        .any(|settled| settled.owner == owner && settled.period == period)
    {
        world.settled.push(Settled { owner, period });
    }
    world.count("settle");
}

fn pay(world: &mut World, random: &mut Random, sides: &mut Sides, owner: String, period: String) {
    let cents = *random.pick(&[250, 500, 500, 1_000, 1_500]);
    world.next += 1;
    let key = format!("bank/{}", world.next);
    let asked =
        json!({ "walk": "pay", "owner": owner, "period": period, "cents": cents, "key": key });
    let paid = sides.ask(random, &asked).expect("a payment");
    *world
        .received
        .entry((owner.clone(), period.clone()))
        .or_default() += cents;
    let again = sides.ask(random, &asked).expect("the same");
    assert_eq!(
        (&again["replayed"], &again["payment"]),
        (&json!(true), &paid["payment"])
    );
    let statement = parse_statement(&paid["statement"]);
    assert_eq!(
        statement.received_cents,
        world.received[&(owner.clone(), period.clone())]
    );
    check_statement(world, &statement);
    world.payments.push((
        paid["payment"].as_u64().expect("a number"),
        owner,
        period,
        cents,
    ));
    world.count("pay");
}

fn reverse(world: &mut World, random: &mut Random, sides: &mut Sides) {
    if world.payments.is_empty() {
        return;
    }
    let at = random.below(world.payments.len());
    let (payment, owner, period, cents) = world.payments.swap_remove(at);
    let asked = json!({ "walk": "reverse", "payment": payment });
    let reversed = sides.ask(random, &asked).expect("a reversal");
    *world.received.entry((owner, period)).or_default() -= cents;
    check_statement(world, &parse_statement(&reversed["statement"]));
    assert_eq!(
        sides.ask(random, &asked),
        Err("billing.payment_reversed".to_owned())
    );
    world.count("reverse");
}

/// Checks that the clients disabled for overage are those of the settled months.
pub(crate) fn check_overage(world: &World, sides: &mut Sides, found: &BTreeMap<String, Words>) {
    let mut wanted: BTreeMap<String, Words> = BTreeMap::new();
    for Settled { owner, period } in &world.settled {
        let statement = parse_statement(
            &sides.agree(&json!({ "walk": "statement", "owner": owner, "period": period })),
        );
        check_statement(world, &statement);
        assert_eq!(statement.status, sublet::StatementStatus::Settled);
        assert_eq!(
            i64::try_from(statement.disabled.len()).expect("small"),
            statement.unpaid
        );
        if !statement.disabled.is_empty() {
            wanted
                .entry(owner.clone())
                .or_default()
                .extend(statement.disabled);
        }
    }
    assert_eq!(*found, wanted);
}
