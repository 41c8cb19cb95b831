//! Engines in other processes, which execute commands over pipes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// A process with an engine.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts `program` with an engine on this store. With an instant the engine has a manual
    /// clock.
    ///
    /// # Errors
    /// The code, if the store does not open.
    ///
    /// # Panics
    /// If the process cannot be started.
    pub fn start(program: &str, store: &str, instant: Option<&str>) -> Result<Self, String> {
        let arguments: Vec<&str> = std::iter::once(store).chain(instant).collect();
        Self::start_with(program, &arguments)
    }

    /// Starts `program` with these arguments.
    ///
    /// # Errors
    /// The code, if the store does not open.
    ///
    /// # Panics
    /// If the process cannot be started.
    pub fn start_with(program: &str, arguments: &[&str]) -> Result<Self, String> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("SUBLET_ALLOW_CRASH", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let (asks, answers) = (
            child.stdin.take().expect("a pipe"),
            child.stdout.take().expect("a pipe"),
        );
        let mut worker = Self {
            child,
            asks,
            answers: BufReader::new(answers),
        };
        worker.read().expect("an answer").map(|_| worker)
    }

    /// Sends a command without waiting for the answer. A process that has ended ignores it.
    pub fn send(&mut self, asked: &Value) {
        let _ = writeln!(self.asks, "{asked}");
    }

    /// Reads one line of output. Returns `None` if the process has ended.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .ok()
            .filter(|bytes| *bytes > 0 && line.ends_with('\n'))
            .map(|_| line)
    }

    /// Reads an answer or the code of an error. Returns `None` if the process has ended.
    pub fn read(&mut self) -> Option<Result<Value, String>> {
        let mut answer: Value = serde_json::from_str(&self.line()?).ok()?;
        Some(match answer["error"].as_str() {
            Some(code) => Err(code.to_owned()),
            None => Ok(answer["ok"].take()),
        })
    }

    /// Sends a command and waits for the answer or the code of an error.
    pub fn try_ask(&mut self, asked: &Value) -> Option<Result<Value, String>> {
        self.send(asked);
        self.read()
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Panics
    /// If the command fails.
    pub fn ask(&mut self, asked: &Value) -> Value {
        match self.try_ask(asked) {
            Some(Ok(answer)) => answer,
            other => panic!("{asked}: {other:?}"),
        }
    }

    /// Kills the process and returns its unread output.
    pub fn kill(&mut self) -> Vec<String> {
        let _ = self.child.kill();
        let said = std::iter::from_fn(|| self.line()).collect();
        let _ = self.child.wait();
        said
    }

    /// Imports the sample agency with this e-mail limit.
    pub fn agency(&mut self, limit: i64) {
        self.ask(
            &json!({ "do": "import", "lines": include_str!("../../policies/tests/agency.jsonl") }),
        );
        self.limit("acme", limit);
    }

    /// Sets the e-mail limit of a main account.
    pub fn limit(&mut self, account: &str, limit: i64) {
        self.ask(&json!({ "do": "put", "record": { "type": "Account", "id": account, "email": format!("owner@{account}.example"),
            "package": "agency", "confirmed": true, "limits": { "emails": limit } } }));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
