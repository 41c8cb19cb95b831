"""The entrance: everything that yields a session. Strangers come here, so whatever is wrong, they are told one thing. (D6, D7)"""

from typing import Annotated, Any

import sublet
from fastapi import APIRouter, Body
from sublet.commands import Command

from . import clock, outbox, passwords
from .answers import KnownButRefused, allowed, stranger
from .policy import account_of, engine
from .sessions import Session, sealed
from .settings import PLATFORM
from .visitors import Asking, HostRef

router = APIRouter()

Text = Annotated[str, Body()]


def realm_of(login: tuple[str, str]) -> tuple[str, str]:
    """The realm of a login: an owner's for its clients and their members, the platform's for all others. (I1)"""
    account = engine().get_record(("Account", account_of(login))) or {}
    return ("Account", account["owner"]) if "owner" in account else PLATFORM


def session(login: tuple[str, str]) -> dict[str, Any]:
    """What a log-in answers."""
    return {"login": login, "token": sealed(Session(login, realm_of(login), clock.now()))}


@router.post("/login")
def log_in(host: HostRef, email: Text, password: Text) -> dict[str, Any]:
    """Sublet says whose password it is, and whether the login may come in here; we check the password, whatever Sublet said.

    Whoever gave the right password is told the precise reason, and where the login comes in. (D7)
    """
    found = engine().login(host, email)
    if not passwords.right(found.principal, password) or found.principal is None:
        raise stranger(f"{found.log_code}, or a wrong password")
    if not found:
        where = engine().login_hosts(found.principal, host=host)
        raise KnownButRefused(where.code, where.hosts)
    return session(found.principal)


def with_token(host: str, login: tuple[str, str], command: Command, password: str) -> dict[str, Any]:
    """Whoever has the token that was mailed is the login, and chooses a password.

    If we are killed between the two steps the token is spent and there is no password yet: then it is set by a reset.
    """
    try:
        # The token is the proof, so the session begins here.
        done = engine().perform(login, command, host=host, session_start=clock.now())
    except sublet.SubletError as error:
        raise stranger(error.code) from error
    if not done:
        raise stranger(done.decision.code)
    passwords.put(login, password)
    return session(login)


@router.post("/confirm")
def confirm(host: HostRef, account: Text, token: Text, password: Text) -> dict[str, Any]:
    """An account's e-mail is its own. (C4, I4)"""
    return with_token(host, ("Account", account), {"do": "confirm_email", "account": account, "token": token}, password)


@router.post("/join")
def join(host: HostRef, member: Text, token: Text, password: Text) -> dict[str, Any]:
    """An invited member comes. (M8)"""
    return with_token(host, ("TeamMember", member), {"do": "accept_invitation", "member": member, "token": token}, password)


@router.post("/confirm/again", status_code=202)
def again(host: HostRef, account: Annotated[str, Body(embed=True)]) -> None:
    """Another mail; the token before is good no more. The answer is the same for everybody, sent or not. Yours lets nobody ask all day long."""
    login = ("Account", account)
    try:
        done = engine().perform(login, {"do": "resend_confirmation", "account": account}, host=host)
        if done.token:
            outbox.post(realm_of(login)[1], outbox.waiting(login), "resend_confirmation", done.token)
    except sublet.SubletError as error:
        stranger(error.code)


@router.post("/act-as/{client}")
def act_as(client: str, visitor: Asking) -> dict[str, Any]:
    """A session inside a client's account. It keeps the realm and the beginning of the session that asked: both are the actor's. (A1)"""
    allowed(engine().authorize(visitor.principal, "client.act_as", ("Account", client), **visitor.around))
    inside = Session(("Account", client), visitor.around["realm"], visitor.around["session_start"], visitor.principal)
    return {"login": inside.principal, "token": sealed(inside)}
