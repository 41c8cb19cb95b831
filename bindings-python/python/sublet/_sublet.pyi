from collections.abc import Callable, Iterable, Mapping, Sequence
from logging import Logger
from os import PathLike
from types import TracebackType
from typing import Any, Literal, final

from .billing import ClosingProgress, Payment, Statement
from .codes import ErrorCode
from .commands import Command
from .records import Record, RecordPatch
from .types import (
    ActionRef,
    Amount,
    Channel,
    DeskName,
    EntityRef,
    Event,
    EventKind,
    HistoryEntry,
    HostRef,
    PrincipalRef,
    Quota,
    Resource,
    Stats,
    Validation,
    Value,
    Verification,
)

__all__ = [
    "AccountHosts",
    "Action",
    "BillingError",
    "BundleError",
    "CountReceipt",
    "Decision",
    "TicketRoute",
    "DirectoryError",
    "Engine",
    "Explanation",
    "Host",
    "InputError",
    "InternalError",
    "LogHandle",
    "Login",
    "LoginHosts",
    "ManualClock",
    "Performed",
    "Principal",
    "QuotaError",
    "ResourceType",
    "TicketOutcome",
    "StoreError",
    "SubletError",
    "__version__",
    "_Call",
    "_EventQueue",
    "_close_logs",
    "_keep_thread_state",
    "_show",
    "command",
    "error_codes",
    "normalise_host",
]

__version__: str

class SubletError(Exception):
    """The base class of errors: there is no answer. `code` is stable, `help` says what to do,
    `faults` lists what is wrong in files.
    """

    code: ErrorCode
    """The stable code, `family.name`."""
    help: str | None
    """The text that says what to do."""
    faults: list[dict[str, Any]]
    """The mistakes in files."""

class InputError(SubletError, TypeError, ValueError):
    """The error of a malformed argument. It is a `TypeError` and a `ValueError` too."""

class BundleError(SubletError):
    """The error of policies, schema or catalog."""

class DirectoryError(SubletError):
    """The error of a change that breaks an invariant of the directory."""

class QuotaError(SubletError):
    """The error of a call about counts that cannot be made."""

class BillingError(SubletError):
    """The error of a call about statements or payments that cannot be made."""

class StoreError(SubletError):
    """The error of the store or of a stream."""

class InternalError(SubletError):
    """The error of a fault inside the engine. The engine continues to work."""

@final
class Principal:
    """A principal that an engine looks up once: a login, or the account that a resource belongs
    to.

    Pass it in place of a type and an id. It outlives changes, reloads and imports, works
    with any engine, and equals another principal with the same type and id.
    """

    def __new__(cls, type: str, id: str, /) -> Principal: ...
    @property
    def type(self) -> str:
        """The type: `Account`, `TeamMember` or `Operator`."""

    @property
    def id(self) -> str:
        """The id."""

    def __getnewargs__(self) -> tuple[str, str]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Action:
    """An action that an engine looks up once."""

    def __new__(cls, name_or_type: str, id: str | None = None, /) -> Action: ...
    @property
    def type(self) -> str:
        """The type of the action, in most cases `Action`."""

    @property
    def id(self) -> str:
        """The name of the action."""

    def __getnewargs__(self) -> tuple[str, str]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class ResourceType:
    """A type of resources that an engine looks up once."""

    def __new__(cls, name: str, /) -> ResourceType: ...
    @property
    def name(self) -> str:
        """The name of the type."""

    def __getnewargs__(self) -> tuple[str]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Host:
    """A host name as in an HTTP header, which an engine looks up once."""

    def __new__(cls, name: str, /) -> Host: ...
    @property
    def name(self) -> str:
        """The host name as it was passed."""

    def __getnewargs__(self) -> tuple[str]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class ManualClock:
    """A clock that stands until it is set, for tests. Instants are RFC 3339.

    The engine trusts it: setting it far ahead causes no `store.clock_jump`. Counted time
    never goes back: if the clock is set back, the time of the engine stands until
    `reset_counts`.
    """

    def __new__(cls, at: str) -> ManualClock: ...
    def set(self, at: str) -> None:
        """Sets the clock, forward or back.

        Raises a `SubletError` with the code `input.instant`.
        """

    def advance(self, milliseconds: int) -> None:
        """Moves the clock by milliseconds, back if they are negative."""

    def now(self) -> str:
        """Returns the instant of the clock, RFC 3339."""

@final
class Performed:
    """The result of a command. It is true if the command was performed."""

    @property
    def decision(self) -> Decision:
        """The decision on the command."""

    @property
    def token(self) -> str | None:
        """The token to send to the e-mail that waits to be confirmed, or `None`. It is returned
        once, and the directory stores its hash (I4).
        """

    @property
    def entry(self) -> int | None:
        """The number of the payment, reversal, top-up or revocation that the command recorded, or
        `None`. Later commands name it, and a retry gets it again.
        """

    def __bool__(self) -> bool: ...

@final
class LogHandle:
    """A subscription to an engine's events. It lasts without this handle, until the engine is
    gone.
    """

    def flush(self, timeout: float = 5.0) -> bool:
        """Waits until earlier events are delivered, at most `timeout` seconds (5), and returns
        whether they are.
        """

    def close(self, timeout: float = 5.0) -> bool:
        """Ends the subscription, waits at most `timeout` seconds (5), and returns whether all
        events are delivered.
        """

    @property
    def delivered(self) -> int:
        """The number of events that the sink took in this process."""

    @property
    def dropped(self) -> int:
        """The number of events that were lost because the queue was full."""

    @property
    def failed(self) -> int:
        """The number of events that the sink could not take: a callback failed, or a disk is full."""

    def __enter__(self) -> LogHandle: ...
    def __exit__(self, *_error: type[BaseException] | BaseException | TracebackType | None) -> bool: ...

@final
class CountReceipt:
    """The receipt of a method that checks no policy."""

    @property
    def quota(self) -> tuple[Quota, ...]:
        """Each changed meter after the call."""

    @property
    def operation(self) -> int | None:
        """The recorded operation, or `None`."""

    @property
    def replayed(self) -> bool:
        """Whether it is the receipt of an earlier call with the same key (Q7)."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a `dict`, with the names of the other languages."""

@final
class Decision:
    """A decision. `bool(decision)` is the allow bit."""

    @property
    def allowed(self) -> bool:
        """Whether the request is allowed."""

    @property
    def code(self) -> str:
        """The decision code: `ok`, or the stable code of the first gate that refused."""

    @property
    def policies(self) -> tuple[str, ...]:
        """The ids of the determining policies, in gate order."""

    @property
    def advice(self) -> tuple[str, ...]:
        """The words of advice of the determining policies, and the warnings of an allowed decision."""

    @property
    def errors(self) -> tuple[dict[str, str], ...]:
        """The policies that failed, each with its message. If there is one, the request is denied."""

    @property
    def actor(self) -> EntityRef | None:
        """The login that acts as the principal, or `None` (A1)."""

    @property
    def subject(self) -> EntityRef | None:
        """The principal, if an actor acts as the principal, or `None` (A1)."""

    @property
    def revision(self) -> int:
        """The revision of the directory that the decision used."""

    @property
    def bundle(self) -> str:
        """The fingerprint of the policies."""

    @property
    def quota(self) -> tuple[Quota, ...]:
        """Each meter of the action after the decision. Empty without a meter or an amount (Q11)."""

    @property
    def operation(self) -> int | None:
        """The recorded operation, for `refund`, `commit` and `release`, or `None`."""

    @property
    def replayed(self) -> bool:
        """Whether it is the decision of an earlier call with the same key (Q7)."""

    @property
    def expires_at(self) -> str | None:
        """The instant at which the reservation expires, RFC 3339, or `None`."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a `dict`, with the names of the other languages."""

    def __bool__(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Login:
    """The answer to a login. It is true if the login is allowed."""

    @property
    def allowed(self) -> bool:
        """Whether the login is allowed."""

    @property
    def public_code(self) -> Literal["ok", "login_refused"]:
        """The code for the outside: `ok`, or `login_refused` for every refusal (D7)."""

    @property
    def log_code(self) -> str:
        """The precise code, for your log only."""

    @property
    def principal(self) -> EntityRef | None:
        """The login whose password to check, even if it is refused. Never a login of a realm that
        this host does not serve.
        """

    @property
    def decision(self) -> Decision | None:
        """The decision behind the answer, or `None` if no login was found."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a `dict`, with the names of the other languages."""

    def __bool__(self) -> bool: ...

@final
class LoginHosts:
    """The hosts at which a login is admitted."""

    @property
    def code(self) -> str:
        """The decision code: `ok`, or the precise reason why the named host refuses the login."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The verified domains of this page at which the login is admitted, sorted by name."""

    @property
    def next(self) -> str | None:
        """The `after` of the next page, or `None` after the last. A page may be short, or empty."""

    @property
    def decision(self) -> Decision:
        """The decision behind the code."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a `dict`, with the names of the other languages."""

@final
class AccountHosts:
    """One page of the hosts at which the logins of an account come in."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The domains in use of this page, sorted by name."""

    @property
    def next(self) -> str | None:
        """The `after` of the next page, or `None` after the last."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a `dict`, with the names of the other languages."""

@final
class TicketRoute:
    """The desk that resolves a support ticket."""

    @property
    def desk(self) -> DeskName | None:
        """The desk, or `None` if no desk takes the ticket: then `code` says why."""

    @property
    def account(self) -> str | None:
        """The owner's account, if the desk is an owner's."""

    @property
    def code(self) -> str:
        """The decision code."""

    @property
    def decision(self) -> Decision:
        """The decision behind the route."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a `dict`, with the names of the other languages."""

@final
class TicketOutcome:
    """The route of a support ticket, at opening and at each reply. It is true if a desk takes
    the ticket. It holds no address (T1 to T4, B1).
    """

    @property
    def desk(self) -> DeskName | None:
        """The desk, or `None` if no desk takes the ticket: then `code` says why."""

    @property
    def account(self) -> str | None:
        """The owner's account, if the desk is an owner's."""

    @property
    def ticket_account(self) -> str | None:
        """The account of the ticket."""

    @property
    def on_behalf_of(self) -> str | None:
        """The account in whose name a client is answered: the client's owner (T2)."""

    @property
    def linked(self) -> str | None:
        """The client's ticket from which this one was escalated."""

    @property
    def rerouted(self) -> bool:
        """Whether the attribute of the ticket names another desk (T3)."""

    @property
    def code(self) -> str:
        """The decision code."""

    @property
    def decision(self) -> Decision:
        """The decision behind the route."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a `dict`, with the names of the other languages."""

    def __bool__(self) -> bool: ...

@final
class Explanation:
    """The explanation of a decision: `str()` is its text for people, of at most 25 lines (E8)."""

    @property
    def decision(self) -> Decision:
        """The explained decision."""

    @property
    def words(self) -> str:
        """The decision code in words: those of the catalog, else the comment of the policy that
        decided.
        """

    @property
    def detail(self) -> str | None:
        """Details of this request in English: the login or account that is not known, or the meter
        about which the package is silent. Else `None`.
        """

    @property
    def advice_words(self) -> list[str]:
        """The advice of the decision in words."""

    @property
    def because(self) -> dict[str, Any] | None:
        """The policy that decided, with its comment, its facts and what would have to change. Else
        `None`.
        """

    @property
    def also(self) -> list[dict[str, Any]]:
        """The other policies that give the same answer, in gate order."""

    @property
    def nearest(self) -> list[dict[str, Any]]:
        """The permits that came nearest, if the code is `not_permitted`."""

    @property
    def policies(self) -> list[dict[str, Any]]:
        """Each policy with its outcome, its clauses and the facts that it read."""

    def verbose(self) -> str:
        """Returns the text with every policy that can apply, its outcome and its facts."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a `dict`, with the names of the other languages."""

@final
class Engine:
    """A policy engine inside this process. Threads can share it, and it survives a fork.

    Every method fails with an `input.*` code if an argument is malformed, and with a
    `store.*` code if the store fails. A refusal is a value and not an error.
    """

    @staticmethod
    def open(
        policies: str | PathLike[str] | Mapping[str, str] | None = None,
        *,
        store: str = "memory:",
        validation: Validation = "strict",
        caps: Mapping[str, int] | None = None,
        clock: ManualClock | None = None,
    ) -> Engine:
        """Opens an engine with a bundle of policies, and returns it. The bundle loads whole or not
        at all.

        `policies` is a folder, or the texts of the files by name; without it the shipped bundle
        is used. `store` is `memory:` or `sqlite:PATH`. `validation` is `strict`, which also
        refuses warnings, `errors` or `off`. `caps` limits texts and values. `clock` replaces the
        clock of the system.

        Raises a `SubletError` with the code `bundle.not_found`, `bundle.syntax`,
        `bundle.validation`, `bundle.warning`, `input.option`, `store.io` or `store.version`.

        Example:

            >>> import sublet
            >>> engine = sublet.Engine.open(store="memory:")
            >>> engine.revision
            0
        """

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
    ) -> Engine:
        """Opens an engine with a plain Cedar program, without the tenancy kernel, and returns it.

        Each part is text in Cedar's syntax, or its JSON form. `entities` are the entities that
        every request sees. `validate_requests` says if requests are checked against the schema.

        Raises a `SubletError` with the code `bundle.syntax`, `bundle.schema`,
        `bundle.validation`, `bundle.entities`, `bundle.link` or `input.option`.
        """

    def reload(self, policies: str | PathLike[str] | Mapping[str, str] | None = None) -> str:
        """Replaces the policies, whole or not at all, and returns the new fingerprint. It takes
        tens of milliseconds or more; until it is done, the old policies are used.

        Raises a `SubletError` with the code `bundle.not_found`, `bundle.syntax`,
        `bundle.validation`, `bundle.in_use` or `input.not_tenancy`.
        """

    def reload_cedar(
        self,
        policies: str | Mapping[str, Any],
        schema: str | Mapping[str, Any] | None = None,
        *,
        links: str | list[Any] | None = None,
        entities: str | list[Any] | None = None,
        validate_requests: bool | None = None,
    ) -> str:
        """Replaces the program of an engine that `cedar` opened, and returns the new fingerprint.

        Raises a `SubletError` with the code `bundle.syntax`, `bundle.schema`,
        `bundle.validation`, `bundle.entities` or `input.not_tenancy`.
        """

    def bundle(self) -> dict[str, Any]:
        """Returns the loaded bundle: fingerprint, policies, actions, features, codes, warnings, and
        the policies that are not compiled.
        """

    @property
    def revision(self) -> int:
        """The revision of the directory. It grows by one with each change."""

    def authorize(
        self,
        principal: PrincipalRef,
        action: ActionRef,
        resource: Resource,
        *,
        amount: int | None = None,
        host: HostRef | None = None,
        actor: PrincipalRef | None = None,
        channel: Channel | None = None,
        realm: PrincipalRef | None = None,
        session_start: str | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """Decides whether `principal` may do `action` on `resource` now, and returns the decision
        with its code and policies. With an `amount` of a metered action, also decides whether
        the amount fits, and returns the quota; nothing is consumed.

        Raises a `SubletError` with the code `input.unknown_action`, `input.action_resource`,
        `input.amount`, `input.attribute_required` or `input.context`.

        Example:

            >>> import sublet
            >>> engine = sublet.Engine.open()
            >>> spring = ("Campaign", "spring", "acme")
            >>> decision = engine.authorize(("Account", "acme"), "campaign.read", spring)
            >>> decision.allowed, decision.code
            (False, 'principal_unknown')
        """

    def check(
        self,
        principal: PrincipalRef,
        action: ActionRef,
        resource: Resource,
        *,
        amount: int | None = None,
        host: HostRef | None = None,
        actor: PrincipalRef | None = None,
        channel: Channel | None = None,
        realm: PrincipalRef | None = None,
        session_start: str | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> bool:
        """Returns the allow bit of `authorize`. It is fastest with handles, and with a type, an id
        and an account for a resource of your own.

        Raises a `SubletError` with the code `input.unknown_action`, `input.action_resource`,
        `input.amount`, `input.attribute_required` or `input.context`.

        Example:

            >>> import sublet
            >>> engine = sublet.Engine.open()
            >>> engine.check(("Account", "acme"), "campaign.read", ("Campaign", "spring", "acme"))
            False
        """

    def authorize_many(
        self,
        requests: Iterable[Mapping[str, Any]] | None = None,
        *,
        principals: list[Any] | PrincipalRef | None = None,
        actions: list[Any] | ActionRef | None = None,
        resources: list[Any] | Resource | None = None,
        actors: list[Any] | PrincipalRef | None = None,
        hosts: list[Any] | HostRef | None = None,
        channels: list[Any] | Channel | None = None,
        realms: list[Any] | PrincipalRef | None = None,
        session_starts: list[Any] | str | None = None,
        amounts: list[Any] | int | None = None,
        contexts: list[Any] | Mapping[str, Value] | None = None,
    ) -> list[Decision]:
        """Decides many requests, and returns the decisions in their order.

        Takes `requests`, mappings with the arguments of `authorize`, or columns: each a list
        with one entry for each row, or one value for all rows. All requests see one version of
        policies and directory. The GIL is released.

        Raises a `SubletError` with the code `input.item` or `input.columns`.
        """

    def check_many(
        self,
        requests: Iterable[Mapping[str, Any]] | None = None,
        *,
        principals: list[Any] | PrincipalRef | None = None,
        actions: list[Any] | ActionRef | None = None,
        resources: list[Any] | Resource | None = None,
        actors: list[Any] | PrincipalRef | None = None,
        hosts: list[Any] | HostRef | None = None,
        channels: list[Any] | Channel | None = None,
        realms: list[Any] | PrincipalRef | None = None,
        session_starts: list[Any] | str | None = None,
        amounts: list[Any] | int | None = None,
        contexts: list[Any] | Mapping[str, Value] | None = None,
    ) -> list[bool]:
        """Returns the allow bits of `authorize_many`.

        Takes `requests`, mappings with the arguments of `check`, or columns: each a list with
        one entry for each row, or one value for all rows. All requests see one version of
        policies and directory. The GIL is released.

        Raises a `SubletError` with the code `input.item` or `input.columns`.
        """

    def explain(
        self,
        principal: PrincipalRef,
        action: ActionRef,
        resource: Resource,
        *,
        amount: int | None = None,
        language: str | None = None,
        host: HostRef | None = None,
        actor: PrincipalRef | None = None,
        channel: Channel | None = None,
        realm: PrincipalRef | None = None,
        session_start: str | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Explanation:
        """Returns why a decision is as it is: the code in words, the policy that decided, the facts
        that it read and what would have to change. Then what else gives the same answer, and
        every policy (E8). The words are in `language`, such as `de`, or in the bundle's default
        one.

        Raises a `SubletError` with the code `input.unknown_action` or `input.action_resource`.
        """

    def permitted_actions(
        self,
        principal: PrincipalRef,
        resource: Resource,
        *,
        amount: int | None = None,
        host: HostRef | None = None,
        actor: PrincipalRef | None = None,
        channel: Channel | None = None,
        realm: PrincipalRef | None = None,
        session_start: str | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> list[str]:
        """Returns the actions that `principal` may do on `resource` now, sorted. Each action gets
        the fields of `context` that it declares. It is left out if it requires a field that is
        missing.

        Raises a `SubletError` with the code `input.context` or `input.not_tenancy`.
        """

    def consume(
        self,
        principal: PrincipalRef,
        action: ActionRef,
        resource: Resource,
        amount: Amount | None = None,
        *,
        idempotency_key: str | None = None,
        allow_partial: bool = False,
        host: HostRef | None = None,
        actor: PrincipalRef | None = None,
        channel: Channel | None = None,
        realm: PrincipalRef | None = None,
        session_start: str | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """Checks a request and, if it is allowed, consumes `amount` in the same transaction;
        returns the decision with the quota. Without an amount, consumes 1. An action with
        `@frees` gives back.

        A denied request consumes nothing (Q13): `quota_exceeded` is a code of the decision, and
        not an error. A retry with the same `idempotency_key` returns the first granted decision,
        marked `replayed` (Q7). With `allow_partial` the call grants what is left if the whole
        amount does not fit (Q5).

        Raises a `SubletError` with the code `input.amount`, `input.idempotency_key`,
        `quota.not_metered`, `quota.unknown_meter`, `quota.below_zero`,
        `quota.idempotency_mismatch`, `quota.idempotency_key_pruned` or `store.clock_jump`.

        Example:

            >>> import sublet
            >>> engine = sublet.Engine.open()
            >>> spring = ("Campaign", "spring", "acme")
            >>> acme = ("Account", "acme")
            >>> sent = engine.consume(acme, "campaign.send", spring, 200, idempotency_key="spring/1")
            >>> sent.code, sent.operation
            ('principal_unknown', None)
        """

    def reserve(
        self,
        principal: PrincipalRef,
        action: ActionRef,
        resource: Resource,
        amount: Amount,
        *,
        ttl: int | None = None,
        idempotency_key: str | None = None,
        host: HostRef | None = None,
        actor: PrincipalRef | None = None,
        channel: Channel | None = None,
        realm: PrincipalRef | None = None,
        session_start: str | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """Checks a request and, if it is allowed, holds `amount` for `ttl` milliseconds; returns
        the decision. Until then `commit` or `release` its `operation`. Without `ttl`, the amount
        is held for 15 minutes (Q8).

        Raises a `SubletError` with the code `input.amount`, `input.idempotency_key`,
        `input.ttl`, `quota.not_metered`, `quota.unknown_meter`, `quota.idempotency_mismatch`,
        `quota.idempotency_key_pruned` or `store.clock_jump`.

        Example:

            >>> import sublet
            >>> engine = sublet.Engine.open()
            >>> spring = ("Campaign", "spring", "acme")
            >>> held = engine.reserve(("Account", "acme"), "campaign.send", spring, 200, ttl=60_000)
            >>> if held.operation is not None:
            ...     receipt = engine.commit(held.operation, 150)
        """

    def set_stock(
        self,
        principal: PrincipalRef,
        action: ActionRef,
        resource: Resource,
        amount: Amount,
        *,
        idempotency_key: str | None = None,
        host: HostRef | None = None,
        actor: PrincipalRef | None = None,
        channel: Channel | None = None,
        realm: PrincipalRef | None = None,
        session_start: str | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """Sets the count of the action's stocks to `amount`, and returns the decision. A higher
        count needs the permission of the policies; a lower count is always set.

        Raises a `SubletError` with the code `input.amount`, `input.idempotency_key`,
        `quota.not_a_stock`, `quota.unknown_meter`, `quota.idempotency_mismatch` or
        `quota.idempotency_key_pruned`.
        """

    def increase_stock(
        self,
        principal: PrincipalRef,
        action: ActionRef,
        resource: Resource,
        amount: Amount,
        *,
        idempotency_key: str | None = None,
        host: HostRef | None = None,
        actor: PrincipalRef | None = None,
        channel: Channel | None = None,
        realm: PrincipalRef | None = None,
        session_start: str | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """Adds to the action's stocks as far as the policies allow it, and returns the decision. It
        works as `consume`, and refuses actions whose meter is no stock.

        Raises a `SubletError` with the code `input.amount`, `input.idempotency_key`,
        `quota.not_a_stock`, `quota.unknown_meter`, `quota.idempotency_mismatch` or
        `quota.idempotency_key_pruned`.
        """

    def decrease_stock(
        self,
        principal: PrincipalRef,
        action: ActionRef,
        resource: Resource,
        amount: Amount,
        *,
        idempotency_key: str | None = None,
        host: HostRef | None = None,
        actor: PrincipalRef | None = None,
        channel: Channel | None = None,
        realm: PrincipalRef | None = None,
        session_start: str | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """Subtracts from the action's stocks what no longer exists, and returns the decision. The
        policies do not see the amount.

        Raises a `SubletError` with the code `input.amount`, `input.idempotency_key`,
        `quota.not_a_stock`, `quota.below_zero`, `quota.unknown_meter`,
        `quota.idempotency_mismatch` or `quota.idempotency_key_pruned`.
        """

    def perform(
        self,
        principal: PrincipalRef,
        command: Command,
        *,
        idempotency_key: str | None = None,
        host: HostRef | None = None,
        actor: PrincipalRef | None = None,
        channel: Channel | None = None,
        realm: PrincipalRef | None = None,
        session_start: str | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Performed:
        """Checks whether `principal` may perform a command and, if so, performs it; returns the
        decision and a token, if one was made. Permission, debit and change of the directory are
        one transaction. A retry with the same `idempotency_key` changes nothing again.

        Raises a `SubletError` with the code `input.command`, `input.command_unasked`,
        `input.idempotency_key`, `directory.unknown_account`, `directory.duplicate_login`,
        `directory.id_used` or `quota.idempotency_mismatch`.

        Example:

            >>> import sublet
            >>> engine = sublet.Engine.open()
            >>> dash = {"type": "Domain", "id": "dash.mmio.example", "kind": "platform"}
            >>> acme = {"type": "Account", "id": "acme", "email": "owner@acme.example"}
            >>> revision = engine.apply_changes([
            ...     {"type": "Platform", "id": "mmio"},
            ...     {**dash, "state": "verified"},
            ...     {**acme, "package": "agency", "confirmed": True},
            ... ])
            >>> florist = {"do": "create_client", "id": "florist", "email": "hello@florist.example"}
            >>> called = {"idempotency_key": "signup/17", "host": "dash.mmio.example"}
            >>> made = engine.perform(("Account", "acme"), florist, **called)
            >>> made.decision.code, made.token is not None  # the token goes into an e-mail
            ('ok', True)
        """

    def statement(self, owner: str, period: str) -> Statement:
        """Returns the statement of an owner's month `YYYY-MM`: what the owner owes for excess
        clients (B2, B4).

        Raises a `SubletError` with the code `billing.period`, `billing.client` or
        `directory.unknown_account`.

        Example:

            >>> import sublet
            >>> engine = sublet.Engine.open(clock=sublet.ManualClock("2026-02-15T00:00:00Z"))
            >>> acme = {"type": "Account", "id": "acme", "email": "owner@acme.example"}
            >>> put = [{"type": "Platform", "id": "mmio"}, {**acme, "package": "agency"}]
            >>> revision = engine.apply_changes(put)
            >>> statement = engine.statement("acme", "2026-02")
            >>> statement["status"], statement["due_cents"]
            ('open', 0)
        """

    def preview_statement(self, owner: str) -> Statement:
        """Returns the statement of the current month: what will be owed if nothing changes, and
        which clients are at risk (B6).

        Raises a `SubletError` with the code `billing.client`, `billing.no_month` or
        `directory.unknown_account`.
        """

    def record_payment(self, owner: str, period: str | None, cents: int, *, idempotency_key: str | None = None) -> Payment:
        """Records cents that were received for a month, and returns the payment with the statement
        after it. Without a month they are for the oldest month that is not paid. Cents above the
        sum due are credit for the next month (B9). In a settled month each full price enables
        one client (B4, B5).

        Raises a `SubletError` with the code `billing.period`, `billing.client`, `input.amount`,
        `input.idempotency_key` or `quota.idempotency_mismatch`.
        """

    def reverse_payment(self, payment: int, *, idempotency_key: str | None = None) -> Payment:
        """Reverses a whole payment, and returns the reversal with the statement after it.

        Raises a `SubletError` with the code `billing.unknown_payment` or
        `billing.payment_reversed`.
        """

    def close_month(self, owner: str, period: str) -> Statement:
        """Closes a month that is over, disables no client, and returns the statement (B8). From
        then on it says exactly which clients are disabled for what is not paid.

        Raises a `SubletError` with the code `billing.period`, `billing.period_open`,
        `billing.client` or `directory.unknown_account`.
        """

    def close_due(self, limit: int, *, after: str | None = None) -> ClosingProgress:
        """Closes the months that are over of the next `limit` owners by id, at most 1,000 of them.
        Returns the closed months (B8), and all months of these owners that are neither paid nor
        settled. The `next` of the answer is the `after` of the next call, until it is absent.
        Each call is one transaction, so it may be repeated.

        Example:

            >>> import sublet
            >>> engine = sublet.Engine.open()
            >>> engine.close_due(100)
            {'closed': [], 'unsettled': [], 'next': None}
        """

    def settle_overage(self, owner: str, period: str, *, choice: Sequence[str] | None = None) -> Statement:
        """Closes a month that is over, enforces its draw once, and returns the statement (B3, B4,
        B5). This is possible after the days of grace. `choice` names the clients that are
        disabled first, if the catalog leaves that to the owner.

        Raises a `SubletError` with the code `billing.period`, `billing.period_open`,
        `billing.grace`, `billing.choice` or `billing.client`.
        """

    @staticmethod
    def verify_draw(statement: Statement) -> bool:
        """Returns whether the sums and the draw of a statement are right, from the statement alone
        (B5).
        """

    def commit(self, operation: int, amount: int | None = None, *, idempotency_key: str | None = None) -> CountReceipt:
        """Consumes what a reservation holds, or `amount` of each of its meters, and gives back the
        rest; returns the receipt. A second call returns the first receipt (Q8).

        Raises a `SubletError` with the code `quota.unknown_operation`,
        `quota.not_a_reservation`, `quota.reservation_expired`, `quota.reservation_closed` or
        `quota.commit_too_much`.
        """

    def release(self, operation: int, *, idempotency_key: str | None = None) -> CountReceipt:
        """Gives back what a reservation holds, and returns the receipt (Q8).

        Raises a `SubletError` with the code `quota.unknown_operation`, `quota.not_a_reservation`
        or `quota.reservation_closed`.
        """

    def refund(self, operation: int, amount: int | None = None, *, idempotency_key: str | None = None) -> CountReceipt:
        """Gives back what an operation consumed, or `amount` of each meter, in the window of the
        operation; returns the receipt. Never gives back more than was consumed. For a top-up,
        takes back what it added.

        Raises a `SubletError` with the code `quota.unknown_operation`, `quota.not_refundable` or
        `quota.refund_too_much`.
        """

    def top_up(self, account: str, meter: str, amount: int, *, idempotency_key: str | None = None) -> CountReceipt:
        """Adds to the limit of an account's meter for the current window, or without end for a
        stock; returns the receipt.

        Raises a `SubletError` with the code `directory.unknown_account`, `quota.unknown_meter`,
        `input.amount` or `input.idempotency_key`.
        """

    def revoke_top_up(self, account: str, idempotency_key: str) -> CountReceipt:
        """Takes back what the top-up with this key added, for example after a chargeback; returns
        the receipt.

        The limit falls at once, and the usage stays. A second call changes nothing and is
        `replayed`. A top-up without a key is taken back with `refund` of its operation (B14).

        Raises a `SubletError` with the code `quota.unknown_top_up`,
        `quota.idempotency_key_pruned` or `directory.unknown_account`.
        """

    def carry_over(
        self, account: str, meter: str, amount: int, *, member: str | None = None, idempotency_key: str | None = None
    ) -> CountReceipt:
        """Adds the usage of this window from before Sublet counted, of an account or of a member;
        returns the receipt. No limit is checked.

        Raises a `SubletError` with the code `directory.unknown_account`, `quota.unknown_meter`,
        `input.amount` or `input.idempotency_key`.
        """

    def batch(self, items: Iterable[Mapping[str, Any]]) -> list[Decision]:
        """Consumes all items or none in one transaction, and returns the decisions in their order.
        Each item has the arguments of `consume`. If one item is denied, no decision has an
        `operation`.

        Raises a `SubletError` with the code `input.item`, `input.amount`, `quota.not_metered`,
        `quota.unknown_meter` or `quota.idempotency_mismatch`.
        """

    def usage(self, account: str, *, member: str | None = None, meter: str | None = None) -> list[Quota]:
        """Returns the quota of every meter of an account, or of one meter; with the part of a named
        member (Q11).

        Raises a `SubletError` with the code `directory.unknown_account`,
        `directory.unknown_record` or `quota.unknown_meter`.
        """

    def history(self, account: str, *, before: int | None = None, limit: int = 100) -> list[HistoryEntry]:
        """Returns the operations on an account's counts, the newest first: at most `limit` (100),
        older than the operation `before`.
        """

    def verify(self) -> Verification:
        """Compares every count with the sum of its operations, and returns the result. Its `faults`
        are empty if all agree.
        """

    def reset_counts(self) -> None:
        """Clears every count and key of a store in memory, and the latest recorded instant. It is
        for tests, between two cases.
        """

    def accept_clock(self) -> None:
        """Accepts the clock after `store.clock_jump`: as much time has passed as the clock says."""

    def subscribe(
        self,
        path: str | PathLike[str] | None = None,
        *,
        callback: Callable[[Event], object] | None = None,
        logger: Logger | str | Literal[True] | None = None,
        events: Iterable[EventKind] | None = None,
        sample_allowed: float | None = None,
        redact: Iterable[str] | None = None,
        context_fields: Iterable[str] | None = None,
        queue: int | None = None,
        rotate_bytes: int | None = None,
        max_old_files: int | None = None,
    ) -> LogHandle:
        """Subscribes a sink to the events of every decision, debit, directory change and reload;
        returns the handle of the subscription. Any number of logs may be open.

        The sink is one of three. `path` is a file of JSON lines, which is rotated at
        `rotate_bytes` (64 MiB; 0 never), with `max_old_files` (5) old files. `callback` gets one
        event at a time on a thread of the log. `logger` is a logger of the standard library, its
        name, or `True` for `sublet`: refusals are at WARNING, other events at INFO, and the
        event is `record.sublet`.

        `events` names the wanted kinds. `sample_allowed` is the part of the allowed decisions
        that is reported. Fields of `redact` are hidden, and only `context_fields` of the context
        are reported. No method waits for a sink: if `queue` events (8192) wait, further events
        are dropped and counted.

        Raises a `SubletError` with the code `input.option` or `store.stream`.

        Example:

            >>> import sublet
            >>> engine, events = sublet.Engine.open(), []
            >>> nobody = ("Account", "nobody")
            >>> with engine.subscribe(callback=events.append, events=["decision"]):
            ...     allowed = engine.check(nobody, "account.read", nobody)
            >>> events[0]["event"], events[0]["code"]
            ('decision', 'principal_unknown')
        """

    def enable_metrics(self, on: bool = True) -> None:
        """Starts to count decisions and their durations, or stops it."""

    def metrics(self) -> Stats:
        """Returns the statistics of this engine in this process since `enable_metrics`. The numbers
        only grow.
        """

    def login(self, host: HostRef, email: str, action: ActionRef | None = None) -> Login:
        """Decides whether an e-mail may log in at a host, and as which principal; returns the
        answer. `action` is the credential flow, by default the password (D6).

        Every refusal has the same `public_code`, and takes the same time whether or not the
        e-mail is known. After you have checked the password, `login_hosts` returns the precise
        code and the hosts at which the login is admitted (D7).

        Raises a `SubletError` with the code `input.not_a_login`, `input.unknown_action` or
        `input.not_tenancy`.

        Example:

            >>> import sublet
            >>> engine = sublet.Engine.open()
            >>> login = engine.login("app.acme.example", "hello@bakery.example")
            >>> login.allowed, login.public_code  # log_code is for your log alone
            (False, 'login_refused')
        """

    def login_by_key(self, host: HostRef, key: str) -> Login:
        """Decides whether a program with this key may log in at a host, and as which service
        account; returns the answer (I7).

        Every refusal has the same `public_code`, and takes the same time whether or not the key
        is known. The event of the call has the principal and the instant, so that you can show
        the last use of a key. Call it for each request of a program, or exchange the key for a
        session that ends no later than the key.

        Raises a `SubletError` with the code `input.unknown_action` or `input.not_tenancy`.

        Example:

            >>> import sublet
            >>> engine = sublet.Engine.open()
            >>> login = engine.login_by_key("app.acme.example", "0123456789abcdef")
            >>> login.allowed, login.public_code
            (False, 'login_refused')
        """

    def login_hosts(self, principal: PrincipalRef, *, host: HostRef | None = None, action: ActionRef | None = None, after: str | None = None) -> LoginHosts:
        """Returns the hosts at which a login is admitted, and the precise code of its login at
        `host` (D7, D9).

        Call it after you have checked the password, and for links in e-mails. One call checks at
        most 50 domains; pass the `next` of its answer as `after` to go on.

        Raises a `SubletError` with the code `input.not_a_login`, `input.unknown_action` or
        `input.not_tenancy`.
        """

    def hosts_of(self, account: str, *, after: str | None = None, limit: int = 50) -> AccountHosts:
        """Returns the hosts at which the logins of an account come in, for links in e-mails (D9). A
        client has the domains of its owner, a main account those of the platform and its own.

        No policy is asked: `login_hosts` says where a login is admitted. One call returns at
        most 1,000 hosts; pass the `next` of its answer as `after` to go on.

        Raises a `SubletError` with the code `directory.unknown_account` or `input.not_tenancy`.
        """

    def route_ticket(
        self,
        principal: PrincipalRef,
        about: Resource,
        *,
        host: HostRef | None = None,
        actor: PrincipalRef | None = None,
        channel: Channel | None = None,
        realm: PrincipalRef | None = None,
        session_start: str | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> TicketRoute:
        """Returns which desk resolves a support ticket of `principal` about `about`.

        Raises a `SubletError` with the code `input.not_tenancy`.
        """

    def open_ticket(
        self,
        principal: PrincipalRef,
        about: Resource,
        *,
        host: HostRef | None = None,
        actor: PrincipalRef | None = None,
        channel: Channel | None = None,
        realm: PrincipalRef | None = None,
        session_start: str | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> TicketOutcome:
        """Returns where a ticket goes that `principal` opens about `about`: an account, or a client
        of the owner (T1, T2, T4).

        Raises a `SubletError` with the code `input.not_tenancy`.
        """

    def reply_ticket(
        self,
        principal: PrincipalRef,
        ticket: Resource,
        *,
        host: HostRef | None = None,
        actor: PrincipalRef | None = None,
        channel: Channel | None = None,
        realm: PrincipalRef | None = None,
        session_start: str | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> TicketOutcome:
        """Returns whether `principal` may reply to `ticket`, and where the ticket goes now. The
        attribute `desk` of the ticket says where it was (T3).

        Raises a `SubletError` with the code `input.not_tenancy` or `input.attribute_required`.
        """

    def escalate_ticket(
        self,
        principal: PrincipalRef,
        ticket: Resource,
        *,
        host: HostRef | None = None,
        actor: PrincipalRef | None = None,
        channel: Channel | None = None,
        realm: PrincipalRef | None = None,
        session_start: str | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> TicketOutcome:
        """Returns where the ticket goes that `principal` opens because it cannot resolve the
        `ticket` of its client (T4).

        Raises a `SubletError` with the code `input.not_tenancy` or `input.attribute_required`.
        """

    def apply_changes(
        self,
        put: Iterable[Record | Mapping[str, Any]] | None = None,
        *,
        merge: Iterable[RecordPatch | Mapping[str, Any]] | None = None,
        remove: Iterable[PrincipalRef] | None = None,
        expected_revision: int | None = None,
        resumed: bool = False,
    ) -> int:
        """Makes all changes in one transaction or none, and returns the new revision.

        `put` creates records, or replaces those with the same type and id. `merge` changes the
        fields that it names and keeps the others; `None` removes an optional field. `remove`
        removes records.

        The id of a former account or member is refused, because counts, history and keys belong
        to the id. With `resumed` the same account or member has come back and goes on with them
        (I5).

        Raises a `SubletError` with the code `directory.revision`, `directory.would_reset`,
        `directory.id_used`, `directory.in_use`, `directory.record` or
        `directory.duplicate_login`.

        Example:

            >>> import sublet
            >>> engine = sublet.Engine.open()
            >>> put = [{"type": "Platform", "id": "mmio"}]
            >>> engine.apply_changes(put, expected_revision=engine.revision)
            1
        """

    def import_lines(
        self,
        lines: str | bytes | PathLike[str],
        progress: Callable[[int, int], bool | None] | None = None,
        *,
        expected_revision: int | None = None,
    ) -> int:
        """Replaces the whole directory by JSON lines, or by those of a file, and returns the new
        revision.

        Replaces the directory as this engine saw it last, or the one of `expected_revision`. If
        it has changed since, the call fails, so that no change of others is lost. `progress` is
        called with records and bytes, and stops the import if it returns `False`. At a first
        start call `seed`.

        Raises a `SubletError` with the code `directory.revision`, `directory.cancelled`,
        `directory.record`, `directory.duplicate_id` or `store.stream`.
        """

    def seed(self, lines: str | bytes | PathLike[str]) -> bool:
        """Imports JSON lines if nothing was ever written to the directory, and returns whether it
        did. If several processes start at once, one of them imports.

        Raises a `SubletError` with the code `directory.record`, `directory.duplicate_id` or
        `store.stream`.
        """

    def export_lines(self) -> str:
        """Returns the records of the directory as JSON lines."""

    def domain_proof(self, domain: str, *, owner: str | None = None) -> str:
        """Returns the TXT record that the DNS of an owner's domain needs before `verify_domain`
        (D4). If several owners claim the name, `owner` says whose record is returned.

        Raises a `SubletError` with the code `directory.unknown_record` or
        `directory.domain_claims`.
        """

    def get_record(self, reference: PrincipalRef) -> dict[str, Any] | None:
        """Returns the record with this type and id, of the directory or the catalog, or `None`."""

    def list_records(self, kind: Literal["clients", "members", "service_accounts", "levels", "domains"], account: str, *, principal: PrincipalRef | None = None, after: str | None = None, limit: int | None = None, host: HostRef | None = None, actor: PrincipalRef | None = None, channel: Channel | None = None, realm: PrincipalRef | None = None, session_start: str | None = None, context: Mapping[str, Value] | None = None) -> dict[str, Any]:
        """Returns one page of the `clients`, `members`, `service_accounts`, `levels` or `domains`
        of an account, by id: a dictionary with the `records` and the `next` id, or `None` after
        the last page.

        With a `principal`, the page has the records that this login may read (C13). One call
        examines at most `limit` (100) records, and at most 1,000; pass `next` as `after` to go
        on.

        Raises a `SubletError` with the code `directory.unknown_account`, `input.list_kind` or
        `input.command_unasked`.
        """

    def export_account(self, account: str) -> str:
        """Returns everything that belongs to an account as JSON lines: its record, members, service
        accounts, access levels and domains, then its statements and its history (C14).

        Asks no policy: authorize `account.export` first if the account itself exports.

        Raises a `SubletError` with the code `directory.unknown_account`.
        """

    def _empty(
        self,
        principal: object,
        action: object,
        resource: object,
        *,
        actor: object = None,
        host: object = None,
        channel: object = None,
        realm: object = None,
        session_start: object = None,
        amount: object = None,
        context: object = None,
    ) -> bool: ...
    def _panic(self) -> None: ...
    def __enter__(self) -> Engine: ...
    def __exit__(
        self, *_error: type[BaseException] | BaseException | TracebackType | None
    ) -> bool: ...

def _close_logs() -> bool: ...
def _keep_thread_state() -> None: ...
def _show(error: BaseException, callback: object) -> None: ...

@final
class _EventQueue:
    """The events of a log for the thread that delivers them."""

    def pull(self) -> list[dict[str, Any]] | None: ...
    def acknowledge(self, failed: int) -> None: ...

@final
class _Call:
    """A call of an `AsyncEngine` on a thread. Another thread can cancel it."""

    def __new__(cls) -> _Call: ...
    def cancel(self) -> None: ...
    def skip_waits(self) -> None: ...
    def run(
        self, method: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any: ...

def error_codes() -> dict[str, str]:
    """Returns every error code with its help."""

def normalise_host(host: str) -> tuple[str | None, str | None]:
    """Returns the normal form of a host name and `None`, or `None` and the reason why it has
    none.
    """

def command(arguments: list[str]) -> int:
    """Runs the `sublet` command with its arguments, and returns its exit code."""

