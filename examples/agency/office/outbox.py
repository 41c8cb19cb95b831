"""Mails. Here they lie in a table, for you and the tests to read; yours sends them."""

from .database import database
from .policy import engine


def post(sender: str, recipient: str, about: str, token: str) -> None:
    """Queues a mail. `sender` is whose name it goes out under."""
    with database() as tables:
        tables.execute("INSERT INTO outbox (sender, recipient, about, token) VALUES (?, ?, ?, ?)", (sender, recipient, about, token))


def waiting(account: str) -> str:
    """The e-mail of an account that waits to be confirmed."""
    record = engine().get_record(("Account", account)) or {}
    return str(record["pending"]["email"])


def latest(recipient: str) -> dict[str, str] | None:
    """The last mail to an address."""
    row = database().execute("SELECT sender, about, token FROM outbox WHERE recipient = ? ORDER BY id DESC", (recipient,)).fetchone()
    return dict(row) if row else None
