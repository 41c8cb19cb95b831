"""The help desk. Sublet says whose desk a ticket goes to, and who sees and answers it; the tickets are kept here. (T1 to T4)"""

from typing import Annotated, Any

import sublet
from fastapi import APIRouter, Body

from .answers import Refused, allowed
from .database import database
from .policy import account_of, engine
from .visitors import Asking, Visitor

router = APIRouter()

Words = Annotated[str, Body(embed=True)]


def resource(ticket: int) -> dict[str, Any]:
    """A ticket as Sublet knows it: whose it is, and where it was."""
    row = database().execute("SELECT account, desk, desk_account, linked FROM tickets WHERE id = ?", (ticket,)).fetchone()
    if row is None:
        raise Refused("resource_unknown", 404)
    said = {name: row[name] for name in ("desk", "desk_account", "linked") if row[name] is not None}
    return {"type": "Ticket", "id": str(ticket), "account": row["account"], "attributes": said}


def add(ticket: int, visitor: Visitor, words: str) -> None:
    login = "/".join(visitor.around["actor"] or visitor.principal)
    database().execute("INSERT INTO messages (ticket, login, words) VALUES (?, ?, ?)", (ticket, login, words))


def told(ticket: int, route: sublet.TicketOutcome) -> dict[str, Any]:
    """A client is answered under its owner's name, whoever answers: `as`. (T2)"""
    return {"ticket": ticket, "desk": route.desk, "of": route.account, "as": route.on_behalf_of, "rerouted": route.rerouted, "linked": route.linked}


def kept(route: sublet.TicketOutcome, visitor: Visitor, words: str) -> dict[str, Any]:
    """A new ticket."""
    if not route:
        raise Refused(route.code)
    with database() as tables:
        row = (route.ticket_account, route.desk, route.account, route.linked)
        ticket = tables.execute("INSERT INTO tickets (account, desk, desk_account, linked) VALUES (?, ?, ?, ?)", row).lastrowid or 0
        add(ticket, visitor, words)
    return told(ticket, route)


@router.post("/tickets")
def open_ticket(words: Words, visitor: Asking) -> dict[str, Any]:
    """A ticket about the visitor's own account."""
    about = ("Account", account_of(visitor.principal))
    return kept(engine().open_ticket(visitor.principal, about, **visitor.around), visitor, words)


@router.post("/tickets/{ticket}/escalation")
def escalate(ticket: int, words: Words, visitor: Asking) -> dict[str, Any]:
    """An owner asks the platform about a client's ticket: by a ticket of its own, which names the other by its number only. (T4)"""
    return kept(engine().escalate_ticket(visitor.principal, resource(ticket), **visitor.around), visitor, words)


@router.post("/tickets/{ticket}/replies")
def reply(ticket: int, words: Words, visitor: Asking) -> dict[str, Any]:
    """The route is asked anew: the owner may be gone since. (T3)"""
    route = engine().reply_ticket(visitor.principal, resource(ticket), **visitor.around)
    if not route:
        raise Refused(route.code)
    with database() as tables:
        tables.execute("UPDATE tickets SET desk = ?, desk_account = ? WHERE id = ?", (route.desk, route.account, ticket))
        add(ticket, visitor, words)
    return told(ticket, route)


@router.get("/tickets/{ticket}")
def read(ticket: int, visitor: Asking) -> dict[str, Any]:
    """A ticket, for the account whose it is, and for the owner at whose desk it is."""
    return shown("ticket.read", ticket, visitor)


@router.get("/staff/tickets/{ticket}")
def read_at_the_platform(ticket: int, visitor: Asking) -> dict[str, Any]:
    """A ticket at the platform's desk, for its staff."""
    return shown("operator.read_ticket", ticket, visitor)


def shown(action: str, ticket: int, visitor: Visitor) -> dict[str, Any]:
    allowed(engine().authorize(visitor.principal, action, resource(ticket), **visitor.around))
    rows = database().execute("SELECT login, words FROM messages WHERE ticket = ? ORDER BY id", (ticket,)).fetchall()
    return {"ticket": ticket, "messages": [dict(row) for row in rows]}
