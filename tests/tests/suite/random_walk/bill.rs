//! The bill: months, settlements, payments, reversals, and the clients that are disabled for
//! overage.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sublet::{Statement, StatementStatus, parse_instant, verify_draw};
use sublet_tests::Random;

use super::Sides;
use super::world::{Words, World};

fn parse_statement(found: &Value) -> Statement {
    Statement::from_value(found.clone()).expect("a statement")
}

fn instant(text: &str) -> i64 {
    parse_instant(text).expect("an instant")
}

/// Checks that the statement of a month equals the model: bounds, price and sum never change after
/// the month (B8), and the selection follows from its seed (B5).
fn check_statement(world: &mut World, statement: &Statement) {
    let bill = &world.bills[&statement.owner];
    let received = bill.received(&statement.period);
    assert_eq!(statement.received_cents, received, "{statement:?}");
    let Some(month) = bill.month(&statement.period) else {
        assert_eq!(bill.running_name().as_ref(), Some(&statement.period));
        return;
    };
    let bounds = [&statement.from, &statement.until].map(|at| instant(at));
    assert_eq!(bounds, [month.start, month.end], "{statement:?} {month:?}");
    let found = (
        usize::try_from(statement.clients).expect("small"),
        statement.excess,
        statement.price_cents,
        statement.due_cents,
        statement.credit_cents,
        statement.unpaid,
    );
    let wanted = (
        month.clients.len(),
        month.excess(),
        month.price,
        month.due(),
        bill.credit(month.month),
        bill.unpaid(month),
    );
    assert_eq!(found, wanted, "{statement:?} {month:?}");
    let is_settled = statement.status == StatementStatus::Settled;
    assert_eq!(is_settled, month.settled, "{statement:?}");
    if is_settled {
        let disabled = i64::try_from(statement.disabled.len()).expect("small");
        assert_eq!(disabled, statement.unpaid, "{statement:?}");
    }
    assert_eq!(
        verify_draw(statement),
        statement.seed.is_some(),
        "{statement:?}"
    );
    let key = (statement.owner.clone(), statement.period.clone());
    let draw = (statement.seed.clone(), statement.draw.clone());
    if let Some(before) = world.draws.get(&key) {
        assert_eq!(*before, draw, "{statement:?}");
    } else if statement.seed.is_some() {
        world.draws.insert(key, draw);
    }
}

/// Returns a month of the owner that is over. Mostly it is one of the last three.
fn pick_month(world: &World, random: &mut Random, owner: &str) -> Option<String> {
    let over = &world.bills[owner].over;
    let from = if random.once_in(4) {
        0
    } else {
        over.len().saturating_sub(3)
    };
    let months = &over[from..];
    (!months.is_empty()).then(|| random.pick(months).name())
}

pub(crate) fn step(world: &mut World, random: &mut Random, sides: &mut Sides) {
    let owner = random.pick(&world.mains()).clone();
    let month = pick_month(world, random, &owner);
    match (random.below(9), month) {
        (0 | 1, month) => pay(world, random, sides, owner, month),
        (2, _) => reverse(world, random, sides),
        (3, _) => {
            let asked = json!({ "walk": "close_due" });
            sides.ask(random, &asked).expect("months");
            world.count("host close_due");
        }
        (4, _) => check_preview(world, sides, &owner),
        (5 | 6, Some(period)) => settle(world, random, sides, &owner, &period),
        (7, Some(period)) => {
            let asked = json!({ "walk": "close_month", "owner": owner, "period": period });
            let closed = sides.ask(random, &asked).expect("a statement");
            check_statement(world, &parse_statement(&closed));
            world.count("host close_month");
        }
        (_, Some(period)) => {
            let asked = json!({ "walk": "statement", "owner": owner, "period": period });
            let found = sides.ask(random, &asked).expect("a statement");
            check_statement(world, &parse_statement(&found));
        }
        _ => {}
    }
}

/// Checks the bounds of the month that runs. It begins where the last one ended, unless the owner
/// was closed between them (B10).
fn check_preview(world: &World, sides: &mut Sides, owner: &str) {
    let preview = sides.try_agree(&json!({ "walk": "preview", "owner": owner }));
    let found = preview.map(|found| {
        let found = parse_statement(&found);
        (instant(&found.from), instant(&found.until))
    });
    let running = world.bills[owner]
        .running
        .map(|(_, start, end)| (start, end));
    assert_eq!(found.ok(), running, "{owner}");
}

fn settle(world: &mut World, random: &mut Random, sides: &mut Sides, owner: &str, period: &str) {
    let asked = json!({ "walk": "settle", "owner": owner, "period": period });
    let first = sides.ask(random, &asked).expect("a statement");
    world.settle(owner, period);
    check_statement(world, &parse_statement(&first));
    // A second settlement changes nothing, from either process.
    let before = sides.agree(&json!({ "do": "revision" }));
    assert_eq!(sides.ask(random, &asked), Ok(first));
    assert_eq!(sides.agree(&json!({ "do": "revision" })), before);
    world.count("host settle");
}

/// Pays a month that is over, or the one that a payment without a month belongs to.
fn pay(
    world: &mut World,
    random: &mut Random,
    sides: &mut Sides,
    owner: String,
    month: Option<String>,
) {
    let cents = *random.pick(&[250, 500, 500, 1_000, 1_500]);
    world.next += 1;
    let key = format!("bank/{}", world.next);
    let named = month.filter(|_| random.once_in(2));
    let asked =
        json!({ "walk": "pay", "owner": owner, "period": named, "cents": cents, "key": key });
    let paid = sides.ask(random, &asked).expect("a payment");
    let period = named.unwrap_or_else(|| world.bills[&owner].payable());
    world.receive(&owner, &period, cents);
    let again = sides.ask(random, &asked).expect("the same");
    assert_eq!(
        (&again["replayed"], &again["payment"]),
        (&json!(true), &paid["payment"])
    );
    let statement = parse_statement(&paid["statement"]);
    assert_eq!(statement.period, period, "{asked}");
    check_statement(world, &statement);
    let payment = paid["payment"].as_u64().expect("a number");
    world.payments.push((payment, owner, period, cents));
    world.count("host pay");
}

fn reverse(world: &mut World, random: &mut Random, sides: &mut Sides) {
    if world.payments.is_empty() {
        return;
    }
    let at = random.below(world.payments.len());
    let (payment, owner, period, cents) = world.payments.swap_remove(at);
    let asked = json!({ "walk": "reverse", "payment": payment });
    let reversed = sides.ask(random, &asked).expect("a reversal");
    world.receive(&owner, &period, -cents);
    check_statement(world, &parse_statement(&reversed["statement"]));
    assert_eq!(
        sides.ask(random, &asked),
        Err("billing.payment_reversed".to_owned())
    );
    world.count("host reverse");
}

/// Checks every month of every owner, and that the clients disabled for overage are those of the
/// settled months (B4, B11).
pub(crate) fn check_bills(
    world: &mut World,
    sides: &mut Sides,
    found: &BTreeMap<String, Words>,
) -> usize {
    let mut wanted: BTreeMap<String, Words> = BTreeMap::new();
    let mut months = 0;
    for owner in world.mains() {
        check_tiling(world, &owner);
        check_preview(world, sides, &owner);
        let names = world.bills[&owner].over.iter();
        for period in names.map(|month| month.name()).collect::<Vec<_>>() {
            let asked = json!({ "walk": "statement", "owner": owner, "period": period });
            let statement = parse_statement(&sides.agree(&asked));
            check_statement(world, &statement);
            months += 1;
            if !statement.disabled.is_empty() {
                let all = wanted.entry(owner.clone()).or_default();
                all.extend(statement.disabled);
            }
        }
    }
    assert_eq!(*found, wanted);
    months
}

/// Checks that the months of the model, which equal the engine's, tile the time: each begins where
/// the one before ends, save where the owner was closed.
fn check_tiling(world: &World, owner: &str) {
    let bill = &world.bills[owner];
    let over = bill.over.iter().map(|month| (month.start, month.end));
    let running = bill.running.map(|(_, start, end)| (start, end));
    let all: Vec<(i64, i64)> = over.chain(running).collect();
    for (before, after) in all.iter().zip(all.iter().skip(1)) {
        let reopened = world.reopenings.get(owner);
        let is_reopened = reopened.is_some_and(|reopened| reopened.contains(&after.0));
        assert!(
            before.0 < before.1 && (before.1 == after.0 || before.1 < after.0 && is_reopened),
            "{owner}: {before:?} {after:?}"
        );
    }
}
