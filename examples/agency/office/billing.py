"""The bill for client accounts over the package's number. Sublet counts and draws; the money is somebody else's. (B2 to B6)

What changes a bill is a command, as everything else: `record_payment`, `reverse_payment`, `settle_overage` ([`accounts.py`](accounts.py)). Sublet's
verbs that read one ask nobody. So we ask first: the account itself reads its bill, and so does the platform's staff.
"""

from typing import Any

from fastapi import APIRouter

from .answers import allowed
from .policy import engine
from .visitors import Asking, Visitor

router = APIRouter()


def may(action: str, account: str, visitor: Visitor) -> None:
    allowed(engine().authorize(visitor.principal, action, ("Account", account), **visitor.around))


@router.get("/accounts/{account}/statements/{period}")
def statement(account: str, period: str, visitor: Asking) -> Any:
    """What is owed for one of the owner's months, `2026-10`."""
    may("billing.read", account, visitor)
    return engine().statement(account, period)


@router.get("/staff/accounts/{account}/statements/{period}")
def any_statement(account: str, period: str, visitor: Asking) -> Any:
    """The same, for the platform's staff."""
    may("operator.read_account", account, visitor)
    return engine().statement(account, period)


@router.get("/accounts/{account}/preview")
def preview(account: str, visitor: Asking) -> Any:
    """What it comes to if the month ends as it stands, and who is at risk. (B6)"""
    may("billing.read", account, visitor)
    return engine().preview_statement(account)
