"""Passwords, hashed with scrypt. Sublet says whose password to check; it never sees one."""

import hashlib
import hmac
import os

from .database import database


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


def put(login: tuple[str, str], password: str) -> None:
    """Gives a login this password."""
    salt = os.urandom(16)
    with database() as tables:
        tables.execute("INSERT OR REPLACE INTO passwords VALUES (?, ?, ?)", ("/".join(login), salt, _hash(password, salt)))


def right(login: tuple[str, str] | None, password: str) -> bool:
    """Whether it is the login's. One hash is made whoever asks: a stranger learns nothing from the time it takes."""
    row = database().execute("SELECT salt, hash FROM passwords WHERE login = ?", ("/".join(login or ()),)).fetchone()
    salt, wanted = (row["salt"], row["hash"]) if row else (b"nobody's", b"")
    return hmac.compare_digest(_hash(password, salt), wanted)
