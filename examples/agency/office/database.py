"""The office's own tables: a file beside Sublet's, never Sublet's own file."""

import sqlite3
import threading

from .settings import STATE

SCHEMA = """
CREATE TABLE IF NOT EXISTS passwords (login TEXT PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, sender TEXT NOT NULL, recipient TEXT NOT NULL, about TEXT NOT NULL, token TEXT, words TEXT, key TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS tickets (id INTEGER PRIMARY KEY, account TEXT NOT NULL, desk TEXT NOT NULL, desk_account TEXT, linked TEXT);
CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, ticket INTEGER NOT NULL REFERENCES tickets, login TEXT NOT NULL, words TEXT NOT NULL);
"""

_of_thread = threading.local()


def database() -> sqlite3.Connection:
    """This thread's connection. Each statement is its own transaction; `with database():` joins several."""
    found: sqlite3.Connection | None = getattr(_of_thread, "connection", None)
    if found is None:
        found = sqlite3.connect(STATE / "office.db", timeout=10)
        found.row_factory = sqlite3.Row
        found.execute("PRAGMA journal_mode = WAL")
        _of_thread.connection = found
    return found
