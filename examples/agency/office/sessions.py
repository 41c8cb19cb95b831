"""Sessions: a signed text that says who logged in, in which realm, when, and as whom they act. Both services read it.

A session proves who somebody is, and nothing else: whether the account is disabled, moved, closed or signed out since is asked of Sublet at each request.
"""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass

from .settings import SECRET

HOURS = 12


@dataclass(frozen=True)
class Session:
    principal: tuple[str, str]
    realm: tuple[str, str]
    began: str
    """When the login came in, by Sublet's clock. After a `sign_out` the sessions from before it are refused. (I7)"""
    actor: tuple[str, str] | None = None
    """Whose login it is, while somebody acts as the principal."""


def _signature(text: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(SECRET, text.encode(), hashlib.sha256)).decode().rstrip("=")


def sealed(session: Session) -> str:
    """The session as a bearer token."""
    said = {**vars(session), "until": int(time.time()) + HOURS * 3600}
    text = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
    return f"{text}.{_signature(text)}"


def opened(token: str) -> Session | None:
    """The session of a token; nothing if we did not sign it, or too long ago."""
    text, _, signature = token.partition(".")
    if not hmac.compare_digest(_signature(text).encode(), signature.encode()):
        return None
    said = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    if said["until"] < time.time():
        return None
    actor = said["actor"]
    return Session(tuple(said["principal"]), tuple(said["realm"]), said["began"], tuple(actor) if actor else None)
