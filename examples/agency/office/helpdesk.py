"""The help desk. Sublet says whose desk a ticket goes to; the tickets are kept here. (T1 to T4)"""

from typing import Annotated, Any

import sublet
from fastapi import APIRouter, Body

from .answers import Refused
from .database import database
from .policy import account_of, engine
from .visitors import Asking, Visitor

router = APIRouter(prefix="/tickets")

Words = Annotated[str, Body(embed=True)]


def add(ticket: int, visitor: Visitor, words: str) -> None:
    login = "/".join(visitor.around["actor"] or visitor.principal)
    database().execute("INSERT INTO messages (ticket, login, words) VALUES (?, ?, ?)", (ticket, login, words))


def routed(desk: sublet.Desk) -> sublet.Desk:
    if desk.desk is None:
        raise Refused(desk.code)
    return desk


@router.post("")
def open_ticket(words: Words, visitor: Asking) -> dict[str, Any]:
    """A ticket about the visitor's own account."""
    account = account_of(visitor.principal)
    desk = routed(engine().desk(visitor.principal, ("Account", account), **visitor.around))
    with database() as tables:
        ticket = tables.execute("INSERT INTO tickets (account, desk) VALUES (?, ?)", (account, desk.desk)).lastrowid or 0
        add(ticket, visitor, words)
    return {"ticket": ticket, "desk": desk.desk, "of": desk.account}


@router.post("/{ticket}/replies")
def reply(ticket: int, words: Words, visitor: Asking) -> dict[str, Any]:
    """The route is asked anew: the owner may be gone since. (T3)"""
    row = database().execute("SELECT account FROM tickets WHERE id = ?", (ticket,)).fetchone()
    if row is None:
        raise Refused("resource_unknown", 404)
    desk = routed(engine().desk(visitor.principal, {"type": "Ticket", "id": str(ticket), "account": row["account"]}, **visitor.around))
    with database() as tables:
        tables.execute("UPDATE tickets SET desk = ? WHERE id = ?", (desk.desk, ticket))
        add(ticket, visitor, words)
    return {"ticket": ticket, "desk": desk.desk, "of": desk.account}
