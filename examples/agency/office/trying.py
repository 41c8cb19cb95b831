"""Only for trying out and for tests: mails are read over HTTP, and the time is set by hand. `app.py` leaves this away in production."""

from typing import Annotated, Any

from fastapi import APIRouter, Body

from . import clock, outbox
from .policy import engine

router = APIRouter(prefix="/trying")


@router.get("/mail/{recipient}")
def mail(recipient: str) -> dict[str, str] | None:
    """The last mail to an address."""
    return outbox.latest(recipient)


@router.post("/clock")
def set_clock(at: Annotated[str, Body(embed=True)]) -> dict[str, str]:
    """Sets the clock of both services."""
    clock.put(at, engine())
    return {"at": at}


@router.get("/verify")
def verify() -> dict[str, Any]:
    """Whether every count is the sum of its operations."""
    return engine().verify()
