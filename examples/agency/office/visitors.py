"""Who asks: from the bearer token and the `Host` header, what every question to Sublet needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, TypedDict

from fastapi import Depends, Header

from .answers import Refused
from .sessions import opened


class Around(TypedDict):
    """What surrounds a question."""

    host: str
    realm: tuple[str, str]
    session_start: str
    actor: tuple[str, str] | None
    context: Mapping[str, str] | None


@dataclass(frozen=True)
class Visitor:
    principal: tuple[str, str]
    around: Around


def _visitor(
    host: Annotated[str, Header()],
    authorization: Annotated[str, Header()] = "",
    x_reason: Annotated[str | None, Header()] = None,
) -> Visitor:
    session = opened(authorization.removeprefix("Bearer "))
    if session is None:
        raise Refused("session_missing", 401)
    # The platform's staff say why they act; the policies ask for it.
    context = {"reason": x_reason} if x_reason else None
    return Visitor(session.principal, {"host": host, "realm": session.realm, "session_start": session.began, "actor": session.actor, "context": context})


Asking = Annotated[Visitor, Depends(_visitor)]
"""A request with a session."""

HostRef = Annotated[str, Header(alias="host")]
"""The host name that a request came to."""

Key = Annotated[str | None, Header(alias="idempotency-key")]
"""Whoever did not hear an answer asks again with the same key: it is done once."""
