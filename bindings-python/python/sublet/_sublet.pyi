from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from types import TracebackType
from typing import Any, final

from .types import Ref, Resource, Validation, Value

__all__ = [
    "BundleError",
    "Decision",
    "Desk",
    "DirectoryError",
    "Engine",
    "Explanation",
    "InputError",
    "InternalError",
    "Login",
    "QuotaError",
    "StoreError",
    "SubletError",
    "__version__",
    "command",
    "error_codes",
    "normalise_host",
]

__version__: str

class SubletError(Exception):
    code: str
    help: str | None
    faults: list[dict[str, Any]]

class InputError(SubletError): ...
class BundleError(SubletError): ...
class DirectoryError(SubletError): ...
class QuotaError(SubletError): ...
class StoreError(SubletError): ...
class InternalError(SubletError): ...

@final
class Decision:
    @property
    def allowed(self) -> bool: ...
    @property
    def code(self) -> str: ...
    @property
    def policies(self) -> tuple[str, ...]: ...
    @property
    def advice(self) -> tuple[str, ...]: ...
    @property
    def errors(self) -> tuple[dict[str, str], ...]: ...
    @property
    def actor(self) -> Ref | None: ...
    @property
    def revision(self) -> int: ...
    @property
    def bundle(self) -> str: ...
    def to_dict(self) -> dict[str, Any]: ...
    def __bool__(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Login:
    @property
    def allowed(self) -> bool: ...
    @property
    def public_code(self) -> str: ...
    @property
    def log_code(self) -> str: ...
    @property
    def principal(self) -> Ref | None: ...
    @property
    def elsewhere(self) -> tuple[str, ...]: ...
    @property
    def decision(self) -> Decision | None: ...
    def to_dict(self) -> dict[str, Any]: ...
    def __bool__(self) -> bool: ...

@final
class Desk:
    @property
    def desk(self) -> str | None: ...
    @property
    def account(self) -> str | None: ...
    @property
    def code(self) -> str: ...
    @property
    def decision(self) -> Decision: ...
    def to_dict(self) -> dict[str, Any]: ...

@final
class Explanation:
    @property
    def decision(self) -> Decision: ...
    @property
    def policies(self) -> list[dict[str, Any]]: ...
    def to_dict(self) -> dict[str, Any]: ...

@final
class Engine:
    @staticmethod
    def open(
        policies: str | PathLike[str] | Mapping[str, str] | None = None,
        *,
        store: str = "memory:",
        validation: Validation = "strict",
        caps: Mapping[str, int] | None = None,
    ) -> Engine: ...
    @staticmethod
    def cedar(
        policies: str | Mapping[str, Any],
        schema: str | Mapping[str, Any] | None = None,
        *,
        links: str | list[Any] | None = None,
        entities: str | list[Any] | None = None,
        validation: Validation = "strict",
        validate_requests: bool | None = None,
        caps: Mapping[str, int] | None = None,
    ) -> Engine: ...
    def reload(self, policies: str | PathLike[str] | Mapping[str, str] | None = None) -> str: ...
    def reload_cedar(
        self,
        policies: str | Mapping[str, Any],
        schema: str | Mapping[str, Any] | None = None,
        *,
        links: str | list[Any] | None = None,
        entities: str | list[Any] | None = None,
        validate_requests: bool | None = None,
    ) -> str: ...
    def bundle(self) -> dict[str, Any]: ...
    @property
    def revision(self) -> int: ...
    def authorize(
        self,
        principal: Ref,
        action: str | Ref,
        resource: Resource,
        *,
        actor: Ref | None = None,
        host: str | None = None,
        channel: str | None = None,
        realm: Ref | None = None,
        amount: int | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision: ...
    def check(
        self,
        principal: Ref,
        action: str | Ref,
        resource: Resource,
        *,
        actor: Ref | None = None,
        host: str | None = None,
        channel: str | None = None,
        realm: Ref | None = None,
        amount: int | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> bool: ...
    def authorize_many(self, requests: Iterable[Mapping[str, Any]]) -> list[Decision]: ...
    def check_many(self, requests: Iterable[Mapping[str, Any]]) -> list[bool]: ...
    def explain(
        self,
        principal: Ref,
        action: str | Ref,
        resource: Resource,
        *,
        actor: Ref | None = None,
        host: str | None = None,
        channel: str | None = None,
        realm: Ref | None = None,
        amount: int | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Explanation: ...
    def actions(
        self,
        principal: Ref,
        resource: Resource,
        *,
        actor: Ref | None = None,
        host: str | None = None,
        channel: str | None = None,
        realm: Ref | None = None,
        amount: int | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> list[str]: ...
    def login(self, host: str, email: str) -> Login: ...
    def desk(
        self,
        principal: Ref,
        about: Resource,
        *,
        actor: Ref | None = None,
        host: str | None = None,
        channel: str | None = None,
        realm: Ref | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Desk: ...
    def change(
        self,
        put: Iterable[Mapping[str, Any]] | None = None,
        *,
        remove: Iterable[Ref] | None = None,
        expected_revision: int | None = None,
    ) -> int: ...
    def import_lines(
        self, lines: str | bytes | PathLike[str], progress: Callable[[int, int], bool | None] | None = None
    ) -> int: ...
    def export_lines(self) -> str: ...
    def record(self, reference: Ref) -> dict[str, Any] | None: ...
    def _panic(self) -> None: ...
    def __enter__(self) -> Engine: ...
    def __exit__(
        self, *_error: type[BaseException] | BaseException | TracebackType | None
    ) -> bool: ...

def error_codes() -> dict[str, str]: ...
def normalise_host(host: str) -> tuple[str | None, str | None]: ...
def command(arguments: list[str]) -> int: ...
