//! A connection that holds its prepared statements.
//!
//! The statement cache of `rusqlite` hashes the text of each statement and moves it in and out of
//! a list, which took 4% of a consume. Here a statement is found by the address of its text.

use std::cell::RefCell;
use std::ops::Deref;

use rusqlite::{Connection, OptionalExtension, Params, PrepFlags, Row, Statement};
use self_cell::self_cell;

/// The statements of a connection in the order of their first use. A running statement is absent.
/// There is at most one for each SQL text of this program.
#[derive(Debug, Default)]
struct Statements<'c>(RefCell<Vec<(&'static str, Option<Statement<'c>>)>>);

self_cell!(
    struct ConnectionCell {
        owner: Connection,
        #[not_covariant]
        dependent: Statements,
    }

    impl {Debug}
);

/// A connection and its prepared statements.
#[derive(Debug)]
pub(super) struct PreparedConnection(ConnectionCell);

// SAFETY: the statements borrow only the connection beside them, and both move together. The type
// is not `Sync`, so one thread at a time uses them, which is what SQLite requires.
#[expect(unsafe_code, reason = "statements are not `Send` by themselves")]
unsafe impl Send for PreparedConnection {}

impl Deref for PreparedConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0.borrow_owner()
    }
}

impl PreparedConnection {
    pub(super) fn new(connection: Connection) -> Self {
        Self(ConnectionCell::new(connection, |_| Statements::default()))
    }

    /// Runs `work` with the statement of this text, which is prepared at its first use.
    pub(super) fn with_statement<T>(
        &self,
        sql: &'static str,
        work: impl FnOnce(&mut Statement<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.0.with_dependent(|connection, statements| {
            let (at, held) = statements.take(sql);
            let mut statement = match held {
                Some(held) => held,
                None => connection.prepare_with_flags(sql, PrepFlags::SQLITE_PREPARE_PERSISTENT)?,
            };
            let result = work(&mut statement);
            statements.put_back(at, statement);
            result
        })
    }

    /// Returns the first row, or `None` if there is none.
    pub(super) fn query_one<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.with_statement(sql, |statement| {
            statement.query_row(params, read).optional()
        })
    }

    /// Returns all rows.
    pub(super) fn query_all<T, C: FromIterator<T>>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<C> {
        self.with_statement(sql, |statement| {
            statement.query_map(params, read)?.collect()
        })
    }

    /// Runs a statement without rows. Returns the number of changed rows.
    pub(super) fn execute(
        &self,
        sql: &'static str,
        params: impl Params,
    ) -> rusqlite::Result<usize> {
        self.with_statement(sql, |statement| statement.execute(params))
    }
}

impl<'c> Statements<'c> {
    /// Takes the statement of this text. Returns its place too.
    fn take(&self, sql: &'static str) -> (usize, Option<Statement<'c>>) {
        let mut held = self.0.borrow_mut();
        let found = held
            .iter_mut()
            .enumerate()
            .find(|(_, (text, _))| std::ptr::eq(*text, sql));
        if let Some((at, (_, statement))) = found {
            return (at, statement.take());
        }
        held.push((sql, None));
        (held.len().saturating_sub(1), None)
    }

    fn put_back(&self, at: usize, statement: Statement<'c>) {
        if let Some((_, place)) = self.0.borrow_mut().get_mut(at) {
            *place = Some(statement);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQL: &str = "SELECT count(*), ?1 FROM sqlite_schema";

    fn ask(connection: &PreparedConnection, number: i64) -> rusqlite::Result<Option<i64>> {
        connection.query_one(SQL, [number], |row| row.get(1))
    }

    #[test]
    fn statement_is_prepared_once() -> rusqlite::Result<()> {
        let connection = PreparedConnection::new(Connection::open_in_memory()?);
        for number in 0..100 {
            assert_eq!(ask(&connection, number)?, Some(number));
        }
        let rows = |statement: &Statement<'_>| statement.get_status(rusqlite::StatementStatus::Run);
        let runs = connection.with_statement(SQL, |statement| Ok(rows(statement)))?;
        assert_eq!(runs, 100, "all runs were of one statement");
        Ok(())
    }

    #[test]
    fn running_statement_is_prepared_again() -> rusqlite::Result<()> {
        let connection = PreparedConnection::new(Connection::open_in_memory()?);
        let inner = connection.query_one(SQL, [1], |_| ask(&connection, 2))?;
        assert_eq!(inner, Some(Some(2)));
        assert_eq!(ask(&connection, 3)?, Some(3));
        Ok(())
    }

    #[test]
    fn failed_statement_can_run_again() -> rusqlite::Result<()> {
        let connection = PreparedConnection::new(Connection::open_in_memory()?);
        let insert = |number: i64| connection.execute("INSERT INTO one VALUES (?1)", [number]);
        assert!(insert(1).is_err(), "there is no such table");
        connection.execute_batch("CREATE TABLE one (id INTEGER PRIMARY KEY)")?;
        assert_eq!(insert(1)?, 1);
        assert!(insert(1).is_err(), "the id exists");
        assert_eq!(insert(2)?, 1);
        Ok(())
    }
}
