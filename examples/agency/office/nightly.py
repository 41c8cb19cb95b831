"""The nightly job: closes the months that are over, warns their owners, and draws when the days of grace are over. `python -m office.nightly`

It keeps no list of what it has yet to do, but reads the statements each time. So a night that was killed is made up by the next, and two at once do
no harm: a month is closed once and settled once, and a mail has a key. `close_due` tells a closed month once only, and any command of an owner closes
its month too: whoever goes by that answer, or by the event `closing`, must not be killed. The statement is there for good.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import sublet
from sublet.billing import Statement

from . import clock, outbox
from .database import database
from .policy import engine
from .settings import PLATFORM

MONTHS = 3
"""How many months are looked at, beside the one that runs. No night may be left out for longer."""


def run() -> list[str]:
    """Does what is due, and says what that was."""
    owners = [row["id"] for row in database().execute("SELECT id FROM owners ORDER BY id")]
    return close() + [line for owner in owners for statement in statements(owner) for line in follow_up(statement)]


def close() -> list[str]:
    """Closes all months that are over, a hundred owners at a time. Nobody is disabled. (B8)"""
    said, after = [], None
    while True:
        page = engine().close_due(100, after=after)
        said += [f"{month['owner']} {month['period']}: closed, cents due: {month['due_cents']}" for month in page["closed"]]
        after = page["next"]
        if after is None:
            return said


def statements(owner: str) -> Iterator[Statement]:
    """An owner's latest months, the oldest first."""
    year, month = int(clock.now()[:4]), int(clock.now()[5:7])
    for back in range(MONTHS, -1, -1):
        count = year * 12 + month - 1 - back
        try:
            yield engine().statement(owner, f"{count // 12}-{count % 12 + 1:02}")
        except sublet.BillingError as error:
            # The owner was not here yet, or is gone.
            if error.code != "billing.period":
                raise


def follow_up(statement: Statement) -> list[str]:
    """Counts the days of grace, and settles the month after them. The owner hears of both, and of who is at risk from the statement."""
    owner, period, unpaid = statement["owner"], statement["period"], statement["unpaid"]
    if statement["status"] == "open" or unpaid == 0:
        return []
    name, cents = f"{owner} {period}", statement["due_cents"] - statement["received_cents"] - statement["credit_cents"]
    days = days_until(statement["settle_from"])
    if days > 0:
        words = f"{cents} cents are due for {period}. {unpaid} of your client accounts are disabled if they are not paid by {statement['settle_from']}."
        mailed = ["owner warned"] if notify(owner, period, "month_closed", words) else []
        return [f"{name}: " + ", ".join([f"days of grace: {days}", f"clients at risk: {unpaid}", *mailed])]
    said = []
    if statement["status"] != "settled":
        engine().settle_overage(owner, period)
        said.append(f"{name}: settled, clients disabled: {unpaid}")
    words = f"{cents} cents are not paid for {period}. {unpaid} of your client accounts are disabled until they are."
    notify(owner, period, "month_settled", words)
    return said


def days_until(instant: str) -> int:
    """The days until an instant, begun ones included; none if it has come."""
    until, now = (datetime.fromisoformat(text.replace("Z", "+00:00")) for text in (instant, clock.now()))
    return -((now - until) // timedelta(days=1))


def notify(owner: str, period: str, about: str, words: str) -> bool:
    """Mails an owner about a month, once. The clients hear of it from the owner, never from the platform. (B1)"""
    email = (engine().get_record(("Account", owner)) or {})["email"]
    return outbox.notify(f"{about}/{owner}/{period}", PLATFORM[1], email, about, words)


if __name__ == "__main__":
    print(*run(), sep="\n")
