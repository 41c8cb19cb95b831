"""The bill for client accounts over the package's number. Sublet counts and draws; the money is somebody else's. (B2 to B6)

Sublet's verbs about bills ask nobody. So we ask first: the account itself reads its bill, the platform's staff keep the books.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Body

from .answers import allowed
from .policy import engine
from .visitors import Asking, Key, Visitor

router = APIRouter(prefix="/accounts/{account}")


def may(action: str, account: str, visitor: Visitor) -> None:
    allowed(engine().authorize(visitor.principal, action, ("Account", account), **visitor.around))


@router.get("/statements/{period}")
def statement(account: str, period: str, visitor: Asking) -> Any:
    """What is owed for one of the owner's months, `2026-10`."""
    may("billing.read", account, visitor)
    return engine().statement(account, period)


@router.get("/preview")
def preview(account: str, visitor: Asking) -> Any:
    """What it comes to if the month ends as it stands, and who is at risk. (B6)"""
    may("billing.read", account, visitor)
    return engine().preview_statement(account)


@router.post("/statements/{period}/payments")
def pay(account: str, period: str, cents: Annotated[int, Body(embed=True, strict=True)], visitor: Asking, key: Key = None) -> Any:
    """Money that came in: the key is the bank's reference, so a statement of the bank that is read twice pays once."""
    may("billing.charge", account, visitor)
    return engine().record_payment(account, period, cents, idempotency_key=key)


@router.post("/payments/{payment}/reversal")
def reverse(account: str, payment: int, visitor: Asking, key: Key = None) -> Any:
    """Money that the bank took back."""
    may("billing.charge", account, visitor)
    return engine().reverse_payment(payment, idempotency_key=key)


@router.post("/statements/{period}/settlement")
def settle(account: str, period: str, visitor: Asking) -> Any:
    """Puts the draw in force. Yours is a job that runs when the days of grace are over; a second run changes nothing."""
    may("billing.charge", account, visitor)
    return engine().settle_overage(account, period)
