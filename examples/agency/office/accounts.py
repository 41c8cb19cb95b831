"""Accounts, members, levels and domains: commands, which Sublet asks its policies about and obeys in one step."""

from typing import Annotated, Any

from fastapi import APIRouter, Body

from . import dns, outbox
from .answers import allowed
from .policy import account_of, engine
from .visitors import Asking, Key, Visitor

router = APIRouter()

KEYS = ("create_service_account", "rotate_key")
"""The commands whose token is the key of a program. All other tokens are for the e-mail that they confirm."""

SHOWN = ("id", "email", "package", "owner", "level", "confirmed", "closed", "disabled")


@router.post("/commands")
def command(order: Annotated[dict[str, Any], Body()], visitor: Asking, key: Key = None) -> dict[str, Any]:
    """Obeys a command. No route of its own for each: who may what is said by the policies, and a malformed one is an error with a code."""
    if order.get("do") == "verify_domain":
        # What stands in the DNS is looked up, never believed.
        order = {**order, "txt": dns.txt(str(order.get("domain")))}
    done = engine().perform(visitor.principal, order, idempotency_key=key, **visitor.around)  # type: ignore[arg-type]  # Sublet checks its shape
    allowed(done.decision)
    said = {"code": done.decision.code, "advice": done.decision.advice, "replayed": done.decision.replayed}
    if done.entry is not None:
        # The number of a payment, by which it can be reversed.
        said["entry"] = done.entry
    if done.token and order["do"] in KEYS:
        # Whoever asked sees the key now, and nobody again.
        said["key"] = done.token
    elif done.token:
        # If we are killed before this line nobody gets the mail: that is what `/confirm/again` is for, and inviting anew.
        # It goes out in the name of whoever asked: a client hears from its owner, never from the platform. (B1)
        address = order.get("email") or outbox.waiting(find_login(order) or visitor.principal)
        outbox.post(account_of(visitor.principal), address, order["do"], done.token)
    return said


def find_login(order: dict[str, Any]) -> tuple[str, str] | None:
    """The login that a command names."""
    for field, kind in (("member", "TeamMember"), ("account", "Account")):
        if field in order:
            return kind, str(order[field])
    return None


@router.get("/domains/{domain}/proof")
def proof(domain: str, visitor: Asking) -> dict[str, str]:
    """The TXT record by which an owner proves its domain, or its claim of one. (D4)"""
    owner = account_of(visitor.principal)
    record = domain if engine().get_record(("Domain", domain)) else f"{domain}/{owner}"
    allowed(engine().authorize(visitor.principal, "domain.read", ("Domain", record), **visitor.around))
    return {"txt": engine().domain_proof(domain, owner=owner)}


@router.get("/accounts/{account}")
def own_account(account: str, visitor: Asking) -> dict[str, Any]:
    """An account, for itself and its members."""
    return shown("account.read", account, visitor)


@router.get("/clients/{client}")
def client_account(client: str, visitor: Asking) -> dict[str, Any]:
    """A client, for its owner."""
    return shown("client.read", client, visitor)


@router.get("/staff/accounts/{account}")
def any_account(account: str, visitor: Asking) -> dict[str, Any]:
    """An account, for the platform's staff."""
    return shown("operator.read_account", account, visitor)


def shown(action: str, account: str, visitor: Visitor) -> dict[str, Any]:
    allowed(engine().authorize(visitor.principal, action, ("Account", account), **visitor.around))
    record = engine().get_record(("Account", account)) or {}
    usage = {meter["meter"]: {name: meter[name] for name in ("used", "limit")} for meter in engine().usage(account)}  # type: ignore[literal-required]
    return {**{name: record[name] for name in SHOWN if name in record}, "usage": usage}


@router.get("/menu")
def menu(visitor: Asking) -> dict[str, Any]:
    """What to show buttons for: the actions that this login may do on its own account now."""
    home = ("Account", account_of(visitor.principal))
    return {"login": visitor.principal, "actor": visitor.around["actor"], "actions": engine().permitted_actions(visitor.principal, home, **visitor.around)}
