"""The shapes of what is asked."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, TypedDict

Ref: TypeAlias = tuple[str, str]
"""A type and an id: `("Account", "acme")`."""

Value: TypeAlias = Any
"""bool, int (64 bits), str, list, tuple, set or dict of those."""

Validation: TypeAlias = Literal["strict", "errors", "off"]
"""How strictly policies are validated: `strict` refuses warnings too."""


class _Required(TypedDict):
    type: str
    id: str


class InlineResource(_Required, total=False):
    """A resource of the host's own, with the account that it belongs to."""

    account: str | None
    attributes: Mapping[str, Value]
    parents: Iterable[Ref]
    tags: Mapping[str, Value]


Resource: TypeAlias = Ref | InlineResource | Mapping[str, Any]
"""A record of the directory by type and id, or one of the host's own inline."""
