"""Mails. Here they lie in a table, for you and the tests to read; yours sends them."""

from .database import database
from .policy import engine


def notify(key: str, sender: str, recipient: str, about: str, words: str) -> bool:
    """Queues a mail, once for its key. Returns whether it is new."""
    with database() as tables:
        row = (sender, recipient, about, words, key)
        added = tables.execute("INSERT OR IGNORE INTO outbox (sender, recipient, about, words, key) VALUES (?, ?, ?, ?, ?)", row)
    return added.rowcount == 1


def post(sender: str, recipient: str, about: str, token: str) -> None:
    """Queues a mail. `sender` is whose name it goes out under."""
    with database() as tables:
        tables.execute("INSERT INTO outbox (sender, recipient, about, token) VALUES (?, ?, ?, ?)", (sender, recipient, about, token))


def waiting(login: tuple[str, str]) -> str:
    """The e-mail of a login that waits to be confirmed."""
    record = engine().get_record(login) or {}
    return str(record["pending"]["email"])


def latest(recipient: str) -> dict[str, str | None] | None:
    """The last mail to an address."""
    row = database().execute("SELECT sender, about, token, words FROM outbox WHERE recipient = ? ORDER BY id DESC", (recipient,)).fetchone()
    return dict(row) if row else None
