"""The shapes of what is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, TypedDict, Union

from ._sublet import Action, Host, Principal, ResourceType

Ref: TypeAlias = tuple[str, str]
"""A type and an id: `("Account", "acme")`."""

Who: TypeAlias = Union[Ref, Principal]
"""A login by type and id, or its handle."""

Does: TypeAlias = Union[str, Ref, Action]
"""An action by name, by type and id, or its handle."""

At: TypeAlias = Union[str, Host]
"""A host name, or its handle."""

Value: TypeAlias = Any
"""bool, int (64 bits), str, list, tuple, set or dict of those."""

Validation: TypeAlias = Literal["strict", "errors", "off"]
"""How strictly policies are validated: `strict` refuses warnings too."""


class _Required(TypedDict):
    type: str | ResourceType
    id: str


class InlineResource(_Required, total=False):
    """A resource of the host's own, with the account that it belongs to."""

    account: str | Principal | None
    attributes: Mapping[str, Value]
    parents: Iterable[Who]
    tags: Mapping[str, Value]


Resource: TypeAlias = Union[
    tuple[Union[str, ResourceType], str],
    tuple[Union[str, ResourceType], str, Union[str, Principal, None]],
    Principal,
    InlineResource,
    Mapping[str, Any],
]
"""A record of the directory by type and id, or one of the host's own: with its account, or inline."""
