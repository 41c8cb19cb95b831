//! An engine that executes JSON commands, in this process or in another.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sublet::{
    Change, Clock, Command, ConsumeOptions, CountReceipt, Decision, Engine, EntityRef, Environment,
    Error, ManualClock, Options, PolicySource, Record, RequestRef,
};

use crate::sample::priced_bundle;

const HOST: &str = "dash.marketingmaster.example";

/// An engine, and its manual clock if it has one.
#[derive(Debug)]
pub struct EngineServer {
    engine: Engine,
    clock: Option<ManualClock>,
}

impl EngineServer {
    /// Opens a store. With an instant the engine has a manual clock at that instant.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn open(store: &str, instant: Option<&str>) -> Result<Self, Error> {
        Self::open_priced(store, instant, None)
    }

    /// Opens a store with the shipped bundle at another price of a client over the package's number.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn open_priced(
        store: &str,
        instant: Option<&str>,
        cents: Option<u64>,
    ) -> Result<Self, Error> {
        let clock = instant.map(ManualClock::new).transpose()?;
        let options = Options {
            store: store.to_owned(),
            policies: cents.map_or(PolicySource::Shipped, priced_bundle),
            clock: clock.clone().map_or(Clock::System, Clock::Manual),
            ..Options::default()
        };
        Ok(Self {
            engine: Engine::open(options)?,
            clock,
        })
    }
}

fn receipt_json(counted: Option<&CountReceipt>) -> Value {
    let Some(counted) = counted else {
        return Value::Null;
    };
    let quotas = counted.quota.iter().map(|quota| {
        json!([
            &*quota.meter,
            quota.amount,
            quota.used,
            quota.held,
            quota.member.as_ref().map(|member| member.used)
        ])
    });
    json!({ "operation": counted.operation, "replayed": counted.replayed, "quota": quotas.collect::<Vec<_>>() })
}

fn decision_json(decision: &Decision) -> Value {
    json!({ "allowed": decision.allowed, "code": &*decision.code, "counted": receipt_json(decision.counted.as_deref()) })
}

impl EngineServer {
    /// Executes a command.
    ///
    /// # Errors
    /// Those of the method.
    ///
    /// # Panics
    /// If the JSON is not a command.
    pub fn answer(&self, asked: &Value) -> Result<Value, Error> {
        if let Some(answer) = crate::walk_requests::answer(&self.engine, asked) {
            return answer;
        }
        let text = |name: &str| asked[name].as_str();
        let (number, key) = (|name: &str| asked[name].as_i64(), text("key"));
        let operation = asked["operation"].as_u64().unwrap_or(0);
        let account = text("account").unwrap_or("acme");
        let take = ConsumeOptions {
            amount: number("amount").unwrap_or(1),
            idempotency_key: key,
            allow_partial: asked["allow_partial"] == true,
            ..ConsumeOptions::default()
        };
        let settled = |counted: CountReceipt| receipt_json(Some(&counted));
        match text("do").expect("a verb") {
            "import" => self
                .engine
                .import(text("lines").expect("lines").as_bytes(), None, None)
                .map(|revision| json!(revision)),
            "put" => self
                .engine
                .apply_changes(
                    vec![Change::Put(Record::from_value(asked["record"].clone())?)],
                    None,
                )
                .map(|revision| json!(revision)),
            "consume" => self
                .engine
                .consume(self.question(asked, account), &take)
                .map(|decision| decision_json(&decision)),
            "reserve" => self
                .engine
                .reserve(
                    self.question(asked, account),
                    &take,
                    Some(number("ttl").unwrap_or(60_000)),
                )
                .map(|decision| decision_json(&decision)),
            "set" => self
                .engine
                .set_stock(self.question(asked, account), &take)
                .map(|decision| decision_json(&decision)),
            "add" => self
                .engine
                .increase_stock(self.question(asked, account), &take)
                .map(|decision| decision_json(&decision)),
            "sub" => self
                .engine
                .decrease_stock(self.question(asked, account), &take)
                .map(|decision| decision_json(&decision)),
            "perform" => self
                .perform(&asked["by"], &asked["command"], key)
                .map(|decision| decision_json(&decision)),
            "statement" => self
                .engine
                .statement(account, text("period").expect("a month"))
                .map(|statement| json!(statement)),
            "settle" => self
                .engine
                .settle_overage(account, text("period").expect("a month"), &[])
                .map(|statement| json!(statement)),
            "pay" => {
                let (period, cents) = (
                    text("period").expect("a month"),
                    number("cents").unwrap_or(0),
                );
                self.engine
                    .record_payment(account, Some(period), cents, key)
                    .map(|payment| json!(payment))
            }
            "create_clients" => self.create_clients(
                text("prefix").expect("a prefix"),
                number("count").unwrap_or(0),
            ),
            "commit" => self
                .engine
                .commit(operation, number("amount"), key)
                .map(settled),
            "release" => self.engine.release(operation, key).map(settled),
            "refund" => self
                .engine
                .refund(operation, number("amount"), key)
                .map(settled),
            "top_up" => self
                .engine
                .top_up(
                    account,
                    text("meter").unwrap_or("emails"),
                    number("amount").unwrap_or(0),
                    key,
                )
                .map(settled),
            "usage" => Ok(receipt_json(Some(&CountReceipt {
                quota: self.engine.usage(account, text("member"), text("meter"))?,
                ..CountReceipt::default()
            }))),
            "history" => Ok(json!(self.engine.history(account, None, usize::MAX)?.len())),
            "check" => self
                .engine
                .check(self.question(asked, account))
                .map(|allowed| json!(allowed)),
            "revision" => Ok(json!(self.engine.revision())),
            "verify" => Ok(json!(self.engine.verify()?)),
            "clock" => {
                self.clock
                    .as_ref()
                    .expect("a clock that stands")
                    .advance(number("advance").unwrap_or(0));
                Ok(Value::Null)
            }
            "crash" => {
                self.engine._crash_at(text("at").expect("a step"));
                Ok(Value::Null)
            }
            "keys" => self.keys(number("from").unwrap_or(0)),
            "loop" => self.repeated(asked, account, &take),
            "race" => self.race(asked, account, &take),
            other => panic!("no verb {other}"),
        }
    }

    fn question<'a>(&self, asked: &'a Value, account: &'a str) -> RequestRef<'a> {
        let principal = asked["member"]
            .as_str()
            .map_or(("Account", account), |member| ("TeamMember", member));
        let host = asked["host"].as_str().unwrap_or(HOST);
        RequestRef::new(
            principal,
            asked["action"].as_str().unwrap_or("campaign.send"),
            ("Campaign", "k"),
        )
        .account(account)
        .host(host)
    }

    fn perform(&self, by: &Value, command: &Value, key: Option<&str>) -> Result<Decision, Error> {
        let by = EntityRef::new(
            by[0].as_str().unwrap_or("Account"),
            by[1].as_str().unwrap_or("acme"),
        );
        let environment = Environment {
            host: Some(HOST.to_owned()),
            ..Environment::default()
        };
        self.engine
            .perform(
                &by,
                &Command::from_value(command.clone())?,
                &environment,
                key,
            )
            .map(|done| done.decision)
    }

    /// Creates this many clients of acme. Returns the number of allowed ones.
    fn create_clients(&self, prefix: &str, count: i64) -> Result<Value, Error> {
        let mut allowed = 0_i64;
        for at in 0..count {
            let id = format!("{prefix}-{at}");
            let command =
                json!({ "do": "create_client", "email": format!("o@{id}.example"), "id": id });
            allowed += i64::from(self.perform(&Value::Null, &command, None)?.allowed);
        }
        Ok(json!(allowed))
    }

    /// Consumes this many single units. Returns the number of granted ones.
    fn repeated(
        &self,
        asked: &Value,
        account: &str,
        take: &ConsumeOptions<'_>,
    ) -> Result<Value, Error> {
        let mut granted = 0_i64;
        for _ in 0..asked["count"].as_i64().unwrap_or(0) {
            granted += i64::from(
                self.engine
                    .consume(self.question(asked, account), take)?
                    .allowed,
            );
        }
        Ok(json!(granted))
    }

    /// Consumes until the time is over. Returns the number of calls and the longest one, in
    /// microseconds.
    fn race(
        &self,
        asked: &Value,
        account: &str,
        take: &ConsumeOptions<'_>,
    ) -> Result<Value, Error> {
        let time = Duration::from_millis(asked["milliseconds"].as_u64().unwrap_or(0));
        let (begun, mut count, mut longest) = (Instant::now(), 0_u64, Duration::ZERO);
        while begun.elapsed() < time {
            let one = Instant::now();
            self.engine.consume(self.question(asked, account), take)?;
            longest = longest.max(one.elapsed());
            count += 1;
        }
        Ok(json!([
            count,
            u64::try_from(longest.as_micros()).unwrap_or(u64::MAX)
        ]))
    }

    /// Consumes one unit under each key from this number on, until the process is killed. Prints a
    /// line before and after each call.
    fn keys(&self, from: i64) -> Result<Value, Error> {
        let mut out = std::io::stdout().lock();
        for number in from.. {
            writeln!(out, "> {number}")
                .and_then(|()| out.flush())
                .expect("a line");
            let key = format!("k{number}");
            let answer = self.engine.consume(
                self.question(&Value::Null, "acme"),
                &ConsumeOptions::new(1).idempotency_key(&key),
            )?;
            assert!(answer.allowed, "{answer:?}");
            let replayed = answer.counted.expect("counted").replayed;
            writeln!(out, "< {number} {replayed}")
                .and_then(|()| out.flush())
                .expect("a line");
        }
        Ok(Value::Null)
    }
}
