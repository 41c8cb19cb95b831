//! Steps of the vectors that concern the owner's bill.

use std::collections::HashMap;

use serde_json::{Value, json};
use sublet::{Engine, Error, ExcessOrder, Payment, Statement, StatementStatus, verify_draw};

/// Values that earlier steps store for later ones.
#[derive(Default)]
pub(crate) struct StepValues {
    /// Payments by name.
    pub(crate) payments: HashMap<String, u64>,
    /// The values of `$name` in steps.
    names: HashMap<String, String>,
    last: Option<Statement>,
}

impl StepValues {
    /// Returns a step with its names replaced by values.
    pub(crate) fn named(&self, step: &Value) -> Value {
        let text = self
            .names
            .iter()
            .fold(step.to_string(), |text, (name, id)| {
                text.replace(&format!("${name}"), id)
            });
        serde_json::from_str(&text).expect("JSON")
    }
}

/// Returns the number of an owner's clients that are disabled for overage.
fn overage(engine: &Engine, owner: &str) -> usize {
    let mut lines = Vec::new();
    engine.export(&mut lines).expect("an export");
    let records = String::from_utf8(lines).expect("text");
    let records = records
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    records
        .filter(|record| {
            record["owner"] == owner
                && record["closed"] != true
                && record["disabled"].to_string().contains("\"overage\"")
        })
        .count()
}

fn paid(
    payment: Result<Payment, Error>,
    step: &Value,
    kept: &mut StepValues,
) -> Result<Statement, Error> {
    let payment = payment?;
    assert_eq!(
        payment.replayed,
        step["replayed"].as_bool().unwrap_or(false),
        "{step}"
    );
    if let Some(name) = step["as"].as_str() {
        kept.payments.insert(name.to_owned(), payment.payment);
    }
    Ok(payment.statement)
}

fn run_billing_step(
    engine: &Engine,
    step: &Value,
    kept: &mut StepValues,
) -> Option<Result<Statement, Error>> {
    let text = |verb: &str, at: usize| step[verb][at].as_str().expect("a text").to_owned();
    let key = step["idempotency_key"].as_str();
    Some(if step.get("statement").is_some() {
        engine.statement(&text("statement", 0), &text("statement", 1))
    } else if let Some(owner) = step["preview"].as_str() {
        engine.preview_statement(owner)
    } else if step.get("close_month").is_some() {
        engine.close_month(&text("close_month", 0), &text("close_month", 1))
    } else if step.get("settle").is_some() {
        let choice: Vec<String> = step["choice"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        engine.settle_overage(&text("settle", 0), &text("settle", 1), &choice)
    } else if let Some(cents) = step["pay"][2].as_i64() {
        let period = step["pay"][1].as_str();
        paid(
            engine.record_payment(&text("pay", 0), period, cents, key),
            step,
            kept,
        )
    } else {
        let payment = step.get("reverse")?;
        let payment = payment
            .as_u64()
            .or_else(|| kept.payments.get(payment.as_str()?).copied())
            .expect("a payment");
        paid(engine.reverse_payment(payment, key), step, kept)
    })
}

/// Returns the differences between the result of a step and the vector, or `None` if the step is
/// not about the bill.
pub(crate) fn step(engine: &Engine, step: &Value, kept: &mut StepValues) -> Option<Option<String>> {
    let statement = match run_billing_step(engine, step, kept)? {
        Ok(statement) if step.get("error").is_none() => statement,
        Ok(statement) => return Some(Some(format!("there was no error, but {statement:?}"))),
        Err(error) => {
            return Some(
                (step["error"] != error.code()).then(|| format!("{}: {error}", error.code())),
            );
        }
    };
    let found = serde_json::to_value(&statement).expect("JSON");
    let mut wrong: Vec<String> = Vec::new();
    for (name, value) in step["has"].as_object().into_iter().flatten() {
        if found[name] != *value {
            wrong.push(format!("`{name}` is {} and not {value}", found[name]));
        }
    }
    let mut same = |what: &str, found: usize| {
        if step
            .get(what)
            .and_then(Value::as_u64)
            .is_some_and(|wanted| wanted != found as u64)
        {
            wrong.push(format!("`{what}` is {found}"));
        }
    };
    same("at_risk", statement.at_risk.len());
    same("overage", overage(engine, &statement.owner));
    if step["same"] == true && kept.last.as_ref() != Some(&statement) {
        wrong.push("it is another than before".to_owned());
    }
    let drawn = match statement.status {
        StatementStatus::Settled => true,
        StatementStatus::Closed => statement.order != ExcessOrder::OwnersChoice,
        _ => false,
    };
    if verify_draw(&statement) != drawn
        || verify_draw(&Statement {
            unpaid: statement.unpaid + 1,
            ..statement.clone()
        })
    {
        wrong.push("the draw is not verified".to_owned());
    }
    if Statement::from_value(json!(statement)).as_ref() != Ok(&statement) {
        wrong.push("its JSON is another".to_owned());
    }
    if let (Some(name), Some(first)) = (step["first"].as_str(), statement.disabled.first()) {
        kept.names.insert(name.to_owned(), first.clone());
    }
    kept.last = Some(statement);
    Some((!wrong.is_empty()).then(|| wrong.join("; ")))
}
