"""Only for trying out and for tests: mails are read over HTTP, and the time is set by hand. `app.py` leaves this away in production."""

from typing import Annotated

from fastapi import APIRouter, Body
from sublet.types import Verification

from . import clock, nightly, outbox
from .policy import engine

router = APIRouter(prefix="/trying")


@router.get("/mail/{recipient}")
def mail(recipient: str) -> dict[str, str | None] | None:
    """The last mail to an address."""
    return outbox.latest(recipient)


@router.post("/clock")
def set_clock(at: Annotated[str, Body(embed=True)]) -> dict[str, str]:
    """Sets the clock of both services."""
    clock.put(at, engine())
    return {"at": at}


@router.post("/night")
def night() -> list[str]:
    """Runs the nightly job. Yours is started by cron: `python -m office.nightly`."""
    return nightly.run()


@router.get("/verify", response_model=None)
def verify() -> Verification:
    """Whether every count is the sum of its operations."""
    return engine().verify()
