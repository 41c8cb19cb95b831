"""The nightly job: closes the months that are over, warns their owners, and draws when the days of grace are over. `python -m office.nightly`

It keeps no list of what it has yet to do: `close_due` tells the months that are neither paid nor settled, each time. So a night that was killed is
made up by the next, and two at once do no harm: a month is closed once and settled once, and a mail has a key.
"""

from datetime import datetime, timedelta

from sublet.billing import ClosingProgress, MonthClosing

from . import clock, outbox
from .policy import engine
from .settings import PLATFORM


def run() -> list[str]:
    """Does what is due, a hundred owners at a time, and says what that was."""
    said, after = [], None
    while True:
        page = engine().close_due(100, after=after)
        said += describe_closed(page) + [line for month in page["unsettled"] for line in follow_up(month)]
        after = page["next"]
        if after is None:
            return said


def describe_closed(page: ClosingProgress) -> list[str]:
    """The months that were closed just now. Nobody is disabled by that. (B8)"""
    return [f"{month['owner']} {month['period']}: closed, cents due: {month['due_cents']}" for month in page["closed"]]


def follow_up(month: MonthClosing) -> list[str]:
    """Counts the days of grace, and settles the month after them. The owner hears of both; the statement says which clients it concerns."""
    name, clients, days = f"{month['owner']} {month['period']}", month["at_risk"], days_until(month["settle_from"])
    if days > 0:
        words = f"Pay for {month['period']} by {month['settle_from']}. Else {clients} of your client accounts are disabled."
        mailed = ["owner warned"] if notify(month, "month_closed", words) else []
        return [f"{name}: " + ", ".join([f"days of grace: {days}", f"clients at risk: {clients}", *mailed])]
    # The mail comes first: if we are killed between the two, the month is still in the list of the next night.
    notify(month, "month_settled", f"{clients} of your client accounts are disabled until {month['period']} is paid.")
    settled = engine().settle_overage(month["owner"], month["period"])
    return [f"{name}: settled, clients disabled: {len(settled['disabled'])}"]


def days_until(instant: str) -> int:
    """The days until an instant, begun ones included; none if it has come."""
    until, now = (datetime.fromisoformat(text.replace("Z", "+00:00")) for text in (instant, clock.now()))
    return -((now - until) // timedelta(days=1))


def notify(month: MonthClosing, about: str, words: str) -> bool:
    """Mails an owner about a month, once. The clients hear of it from the owner, never from the platform. (B1)"""
    email = (engine().get_record(("Account", month["owner"])) or {})["email"]
    return outbox.notify(f"{about}/{month['owner']}/{month['period']}", PLATFORM[1], email, about, words)


if __name__ == "__main__":
    # A night without work prints nothing, because cron mails what a job prints.
    for line in run():
        print(line)
