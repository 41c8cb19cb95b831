from collections.abc import Callable, Iterable, Mapping, Sequence
from logging import Logger
from os import PathLike
from types import TracebackType
from typing import Any, Literal, final

from .billing import Payment, Statement
from .commands import Command
from .records import Record, RecordPatch
from .types import Amount, At, Does, Event, EventKind, Quota, Ref, Resource, Stats, Validation, Value, Who

__all__ = [
    "Action",
    "BillingError",
    "BundleError",
    "Counted",
    "Decision",
    "Desk",
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
    "Route",
    "StoreError",
    "SubletError",
    "__version__",
    "_Call",
    "_Pulled",
    "_close_logs",
    "_show",
    "command",
    "error_codes",
    "normalise_host",
]

__version__: str

class SubletError(Exception):
    """There is no answer. `code` is stable, `help` says what to do, `faults` lists what is wrong in files."""

    code: str
    help: str | None
    faults: list[dict[str, Any]]

class InputError(SubletError, TypeError, ValueError):
    """What was passed is malformed: a `TypeError` and a `ValueError` too."""

class BundleError(SubletError): ...
class DirectoryError(SubletError): ...
class QuotaError(SubletError): ...
class BillingError(SubletError): ...
class StoreError(SubletError): ...
class InternalError(SubletError): ...

@final
class Principal:
    """A login, or the account that a resource belongs to, looked up once.

    It outlives changes, reloads and imports, goes with any engine, and is equal to another of the same name.
    """

    def __new__(cls, type: str, id: str, /) -> Principal: ...
    @property
    def type(self) -> str: ...
    @property
    def id(self) -> str: ...
    def __getnewargs__(self) -> tuple[str, str]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Action:
    """An action, looked up once: `Action("campaign.read")`, or `Action("App::Action", "view")`."""

    def __new__(cls, name_or_type: str, id: str | None = None, /) -> Action: ...
    @property
    def type(self) -> str: ...
    @property
    def id(self) -> str: ...
    def __getnewargs__(self) -> tuple[str, str]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class ResourceType:
    """A type of resource, looked up once."""

    def __new__(cls, name: str, /) -> ResourceType: ...
    @property
    def name(self) -> str: ...
    def __getnewargs__(self) -> tuple[str]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Host:
    """A host name as an HTTP header says it, looked up once."""

    def __new__(cls, name: str, /) -> Host: ...
    @property
    def name(self) -> str: ...
    def __getnewargs__(self) -> tuple[str]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class ManualClock:
    """A clock that stands until it is set: `Engine.open(clock=ManualClock("2026-01-31T12:00:00Z"))`, for tests.

    It is trusted: set far ahead, it gives no `store.clock_jump`. What was counted never goes back: set behind that, time stands, until
    `forget_counts`.
    """

    def __new__(cls, at: str) -> ManualClock: ...
    def set(self, at: str) -> None: ...
    def advance(self, milliseconds: int) -> None: ...
    def now(self) -> str: ...

@final
class Performed:
    """What became of a command; true if it was obeyed."""

    @property
    def decision(self) -> Decision: ...
    @property
    def token(self) -> str | None:
        """What is to be sent to the e-mail that waits to be confirmed: told once, kept as a hash. (I4)"""

    def __bool__(self) -> bool: ...

@final
class LogHandle:
    """A subscription to an engine's events. It goes on without this handle, until the engine is gone."""

    def flush(self, timeout: float = 5.0) -> bool:
        """Waits until what happened before is delivered, at most so many seconds; whether it is. Signals are handled meanwhile."""

    def close(self, timeout: float = 5.0) -> bool:
        """Ends the subscription, and waits at most so many seconds for what happened before; whether it is delivered."""

    @property
    def delivered(self) -> int:
        """How many events the sink took, in this process."""

    @property
    def dropped(self) -> int:
        """How many were lost, for the queue was full."""

    @property
    def failed(self) -> int:
        """How many the sink could not take: exceptions of a callback, a disk that is full."""

    def __enter__(self) -> LogHandle: ...
    def __exit__(self, *_error: type[BaseException] | BaseException | TracebackType | None) -> bool: ...

@final
class Counted:
    """What was counted by a verb that asks no policy."""

    @property
    def quota(self) -> tuple[Quota, ...]: ...
    @property
    def operation(self) -> int | None: ...
    @property
    def replayed(self) -> bool: ...
    def to_dict(self) -> dict[str, Any]: ...

@final
class Decision:
    """One answer. `bool(decision)` is the allow bit."""

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
    def actor(self) -> Ref | None:
        """Who acts as the principal, if somebody does. (A1)"""

    @property
    def subject(self) -> Ref | None:
        """The principal, where somebody acts as it. (A1)"""

    @property
    def revision(self) -> int: ...
    @property
    def bundle(self) -> str: ...
    @property
    def quota(self) -> tuple[Quota, ...]:
        """Each meter of the action, after the answer; empty where nothing is metered or no amount was asked for. (Q11)"""

    @property
    def operation(self) -> int | None:
        """What was recorded: for `refund`, `commit`, `release`. Nothing where nothing was taken."""

    @property
    def replayed(self) -> bool:
        """Whether it is the answer of an earlier call with the same key. (Q7)"""

    @property
    def expires_at(self) -> str | None:
        """When what is reserved expires, RFC 3339."""

    def to_dict(self) -> dict[str, Any]: ...
    def __bool__(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Login:
    """May this login come in at this host?"""

    @property
    def allowed(self) -> bool: ...
    @property
    def public_code(self) -> str:
        """What the outside may be told: `ok`, or `login_refused` whatever the reason."""
    @property
    def log_code(self) -> str:
        """The precise code, for your log only."""
    @property
    def principal(self) -> Ref | None:
        """Whom to check the password of, also where the login is refused. Never one of a realm that this host does not serve."""
    @property
    def decision(self) -> Decision | None: ...
    def to_dict(self) -> dict[str, Any]: ...
    def __bool__(self) -> bool: ...

@final
class LoginHosts:
    """At which hosts may this login come in?"""

    @property
    def code(self) -> str:
        """`ok`, or precisely why this login may not come in at the host that was named."""
    @property
    def hosts(self) -> tuple[str, ...]:
        """Verified domains at which this login may come in, in the order of their names. Those of one page."""
    @property
    def next(self) -> str | None:
        """The `after` of the next page, if there is one. A page may have fewer hosts than the next, or none."""
    @property
    def decision(self) -> Decision:
        """The decision behind the code."""
    def to_dict(self) -> dict[str, Any]: ...

@final
class Desk:
    """Who resolves a support ticket."""

    @property
    def desk(self) -> str | None:
        """Who resolves a ticket of `principal` about `about`."""

    @property
    def account(self) -> str | None: ...
    @property
    def code(self) -> str: ...
    @property
    def decision(self) -> Decision: ...
    def to_dict(self) -> dict[str, Any]: ...

@final
class Route:
    """Where a support ticket goes; true if a desk takes it. No address is in it. (T1 to T4, B1)"""

    @property
    def desk(self) -> str | None:
        """`owner`, `platform`, or nobody: then `code` says why."""

    @property
    def account(self) -> str | None:
        """The account whose desk it is, when it is an owner's."""

    @property
    def of(self) -> str | None:
        """The account whose ticket it is."""

    @property
    def on_behalf_of(self) -> str | None:
        """Under whose name a client is answered: its owner's, whoever resolves the ticket. (T2)"""

    @property
    def linked(self) -> str | None:
        """The client's ticket that this one was escalated from."""

    @property
    def rerouted(self) -> bool:
        """Whether the ticket said another desk than this one. (T3)"""

    @property
    def code(self) -> str: ...
    @property
    def decision(self) -> Decision: ...
    def to_dict(self) -> dict[str, Any]: ...
    def __bool__(self) -> bool: ...

@final
class Explanation:
    """Why an answer is what it is: `str()` for people, `policies` as data."""

    @property
    def decision(self) -> Decision: ...
    @property
    def policies(self) -> list[dict[str, Any]]: ...
    def to_dict(self) -> dict[str, Any]: ...

@final
class Engine:
    """A policy engine inside this process. Safe to share between threads, and across a fork."""

    @staticmethod
    def open(
        policies: str | PathLike[str] | Mapping[str, str] | None = None,
        *,
        store: str = "memory:",
        validation: Validation = "strict",
        caps: Mapping[str, int] | None = None,
        clock: ManualClock | None = None,
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
        principal: Who,
        action: Does,
        resource: Resource,
        *,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        amount: int | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """Whether `principal` may do `action` on `resource` now, under which code, and by which policies."""

    def check(
        self,
        principal: Who,
        action: Does,
        resource: Resource,
        *,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        amount: int | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> bool:
        """The allow bit of `authorize`."""

    def authorize_many(
        self,
        requests: Iterable[Mapping[str, Any]] | None = None,
        *,
        principals: list[Any] | Who | None = None,
        actions: list[Any] | Does | None = None,
        resources: list[Any] | Resource | None = None,
        actors: list[Any] | Who | None = None,
        hosts: list[Any] | At | None = None,
        channels: list[Any] | str | None = None,
        realms: list[Any] | Who | None = None,
        amounts: list[Any] | int | None = None,
        contexts: list[Any] | Mapping[str, Value] | None = None,
    ) -> list[Decision]:
        """The decisions on many requests, in their order.

        Either `requests`, records with the arguments of `authorize`, or columns: each a list with one entry a row, or one
        value for all rows. All are answered from one version of policies and directory, without the GIL.
        """

    def check_many(
        self,
        requests: Iterable[Mapping[str, Any]] | None = None,
        *,
        principals: list[Any] | Who | None = None,
        actions: list[Any] | Does | None = None,
        resources: list[Any] | Resource | None = None,
        actors: list[Any] | Who | None = None,
        hosts: list[Any] | At | None = None,
        channels: list[Any] | str | None = None,
        realms: list[Any] | Who | None = None,
        amounts: list[Any] | int | None = None,
        contexts: list[Any] | Mapping[str, Value] | None = None,
    ) -> list[bool]:
        """The allow bits of `authorize_many`.

        Either `requests`, records with the arguments of `check`, or columns: each a list with one entry a row, or one
        value for all rows. All are answered from one version of policies and directory, without the GIL.
        """

    def explain(
        self,
        principal: Who,
        action: Does,
        resource: Resource,
        *,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        amount: int | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Explanation:
        """Why the answer is what it is: each policy, the facts that it read, the clause that failed."""

    def actions(
        self,
        principal: Who,
        resource: Resource,
        *,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        amount: int | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> list[str]:
        """The actions that `principal` may do on `resource` now, sorted."""

    def consume(
        self,
        principal: Who,
        action: Does,
        resource: Resource,
        amount: Amount | None = None,
        *,
        key: str | None = None,
        up_to: bool = False,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """Asks, and if it is allowed takes, in one step; an action with `@frees` gives back. Without an amount, 1.

        What is denied takes nothing (Q13). A retry with the same `key` gives the first granted answer (Q7). With
        `up_to` what is left is granted (Q5). Raises `QuotaError` for an action without a meter, and for misused keys.
        """

    def reserve(
        self,
        principal: Who,
        action: Does,
        resource: Resource,
        amount: Amount,
        *,
        ttl: int | None = None,
        key: str | None = None,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """Asks, and if it is allowed holds the amount for `ttl` milliseconds; without one, 15 minutes. (Q8)"""

    def set(
        self,
        principal: Who,
        action: Does,
        resource: Resource,
        amount: Amount,
        *,
        key: str | None = None,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """Makes the amount the count of the action's stocks: more only as far as the policies allow it, less always."""

    def add(
        self,
        principal: Who,
        action: Does,
        resource: Resource,
        amount: Amount,
        *,
        key: str | None = None,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """Adds to the action's stocks, as far as the policies allow it: `consume`, which refuses what is no stock."""

    def sub(
        self,
        principal: Who,
        action: Does,
        resource: Resource,
        amount: Amount,
        *,
        key: str | None = None,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """Takes from the action's stocks what is there no more, never below zero. The policies are asked of no amount."""

    def perform(
        self,
        principal: Who,
        command: Command,
        *,
        key: str | None = None,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Performed:
        """Asks whether `principal` may, and if so obeys the command: permission, debit and change are one transaction."""

    def statement(self, owner: str, period: str) -> Statement:
        """What an owner owes for one of his months, `YYYY-MM`. (B2, B4)"""

    def preview(self, owner: str) -> Statement:
        """The statement of the month that runs: what will be owed if nothing changes, and who is at risk. (B6)"""

    def record_payment(self, owner: str, period: str, cents: int, *, key: str | None = None) -> Payment:
        """Records cents received for a month; in a settled one each full price enables one client. (B4, B5)"""

    def reverse_payment(self, payment: int, *, key: str | None = None) -> Payment:
        """Takes a payment back, whole."""

    def settle(self, owner: str, period: str, *, choice: Sequence[str] | None = None) -> Statement:
        """Closes a month that is over, and puts its draw in force: once. (B3, B4, B5)"""

    @staticmethod
    def verify_draw(statement: Statement) -> bool:
        """Whether a statement's sums and draw are right: from the statement alone. (B5)"""

    def commit(self, operation: int, amount: int | None = None, *, key: str | None = None) -> Counted:
        """Takes what a reservation holds, or so much of each meter, and gives back the rest. (Q8)"""

    def release(self, operation: int, *, key: str | None = None) -> Counted:
        """Gives back what a reservation holds. (Q8)"""

    def refund(self, operation: int, amount: int | None = None, *, key: str | None = None) -> Counted:
        """Gives back what an operation took, or so much of each meter; never more than it took. Of a top-up, what it added."""

    def top_up(self, account: str, meter: str, amount: int, *, key: str | None = None) -> Counted:
        """Adds to the limit of an account's meter for its present window; of a stock, for good."""

    def revoke_top_up(self, account: str, key: str) -> Counted:
        """Takes back what the top-up of that key added: a payment was charged back, say.

        The limit falls at once, and what was used stays used. A second call changes nothing, and is `replayed`. A top-up without a
        key is taken back by `refund` of its operation. Raises `quota.unknown_top_up`, `quota.key_pruned`. (B14)
        """

    def carry_over(
        self, account: str, meter: str, amount: int, *, member: str | None = None, key: str | None = None
    ) -> Counted:
        """Counts what was used in this window before Sublet counted. No limit is asked."""

    def batch(self, items: Iterable[Mapping[str, Any]]) -> list[Decision]:
        """Takes all, or nothing: each item has the arguments of `consume`. Nothing was taken if one of them refuses."""

    def usage(self, account: str, *, member: str | None = None, meter: str | None = None) -> list[Quota]:
        """How an account stands: every meter, or one; with the part of the member who is named. (Q11)"""

    def history(self, account: str, *, before: int | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """What was done to an account's counts, the newest first; older than the operation `before`."""

    def verify(self) -> dict[str, Any]:
        """Compares every count with the sum of its operations: `buckets`, `operations`, and `faults`, which should be empty."""

    def forget_counts(self) -> None:
        """Forgets every count and key of a store in memory, and which instant it has seen: for tests, between one case and the next."""

    def accept_clock(self) -> None:
        """Takes the clock's word for it after `store.clock_jump`: so much time has passed."""

    def log(
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
        keep: int | None = None,
    ) -> LogHandle:
        """Tells a sink of each answer, each debit, each change of the directory and of the policies, from now on.

        The sink is a file of JSON lines (`path`, set aside at `rotate_bytes`, 64 MiB; 0 never; `keep` of them are kept,
        5), a `callback` that gets one event at a time on a thread of the log's own, or a `logger` of the standard
        library (its name, or `True` for `sublet`): refusals are told at WARNING, all else at INFO, and the event is
        `record.sublet`. Any number of logs may be open.

        `events` are those of `decision`, `debit`, `change`, `reload` that are wanted; `sample_allowed` is the part of the
        allowed decisions that is told; the fields of `redact` are hidden; of the context what `context_fields` names is
        told. No verb waits: what finds `queue` events waiting (8192) is dropped and counted.
        """

    def measure(self, on: bool = True) -> None:
        """Counts answers, and how long they take, from now on; or no more."""

    def stats(self) -> Stats:
        """What was counted since `measure`, of this engine in this process; the numbers only grow."""

    def login(self, host: At, email: str, action: Does | None = None) -> Login:
        """Whether this e-mail may log in at this host, and as whom. `action` is the credential flow: by default the password. (D6)

        Every refusal has the same `public_code`, and takes the same time whether or not the e-mail is known. Once you have
        checked the password, `login_hosts` says the precise code, and where the login comes in instead. (D7)
        """

    def login_hosts(self, principal: Who, *, host: At | None = None, action: Does | None = None, after: str | None = None) -> LoginHosts:
        """At which hosts this login comes in, and the precise code of its login at `host`. (D7, D9)

        It is for after you have checked the password, and for links in mails. One call asks the policies about at most 50
        domains; give the `next` of its answer as `after` to go on.
        """

    def desk(
        self,
        principal: Who,
        about: Resource,
        *,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Desk: ...
    def open_ticket(
        self,
        principal: Who,
        about: Resource,
        *,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Route:
        """Where a ticket goes that `principal` opens about `about`: its account, or the owner's client. (T1, T2, T4)"""

    def reply_ticket(
        self,
        principal: Who,
        ticket: Resource,
        *,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Route:
        """Whether `principal` may reply to `ticket`, and where it goes now; the ticket's `desk` says where it was. (T3)"""

    def escalate_ticket(
        self,
        principal: Who,
        ticket: Resource,
        *,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Route:
        """Where a ticket of its own goes that `principal` opens because it cannot resolve its client's `ticket`. (T4)"""

    def change(
        self,
        put: Iterable[Record | Mapping[str, Any]] | None = None,
        *,
        merge: Iterable[RecordPatch | Mapping[str, Any]] | None = None,
        remove: Iterable[Who] | None = None,
        expected_revision: int | None = None,
        resumed: bool = False,
    ) -> int:
        """Makes all changes in one transaction, or none; gives the new revision.

        `put` creates records, or replaces those of the same type and id: one that leaves out a field which the present record has
        set raises `directory.would_reset`. `merge` changes the fields that it names and leaves the rest; `None` takes an optional
        one away. `remove` takes records out. Raises `directory.revision` if the directory is not at `expected_revision`, and the
        `directory.*` code of what the change would break.

        An account or member whose id another one had is refused, `directory.id_used`: counts, history and keys belong to the
        id. With `resumed` what is put has come back, and goes on where it was.
        """

    def import_lines(
        self,
        lines: str | bytes | PathLike[str],
        progress: Callable[[int, int], bool | None] | None = None,
        *,
        expected_revision: int | None = None,
    ) -> int:
        """Replaces the directory by JSON lines, or by those of a file: what is not among them is gone.

        It replaces what this engine saw last, or the directory of `expected_revision`: if that has moved on it raises
        `directory.revision`, and nothing that others wrote is lost. At a first start call `seed`.
        """

    def seed(self, lines: str | bytes | PathLike[str]) -> bool:
        """Imports JSON lines if nothing was ever written to the directory; whether it did. Of processes that start at once one does."""

    def export_lines(self) -> str: ...
    def domain_proof(self, domain: str) -> str:
        """The TXT record that the DNS of an owner's domain must have before `verify_domain`. (D4)"""

    def record(self, reference: Who) -> dict[str, Any] | None: ...
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
        amount: object = None,
        context: object = None,
    ) -> bool: ...
    def _panic(self) -> None: ...
    def __enter__(self) -> Engine: ...
    def __exit__(
        self, *_error: type[BaseException] | BaseException | TracebackType | None
    ) -> bool: ...

def _close_logs() -> bool: ...
def _show(error: BaseException, callback: object) -> None: ...

@final
class _Pulled:
    """A log from the side of the thread that delivers."""

    def pull(self) -> list[dict[str, Any]] | None: ...
    def done(self, failed: int) -> None: ...


@final
class _Call:
    """A call of an `AsyncEngine` on a thread, which another thread can cancel."""

    def __new__(cls) -> _Call: ...
    def cancel(self) -> None: ...
    def hurry(self) -> None: ...
    def run(self, verb: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any: ...

def error_codes() -> dict[str, str]: ...
def normalise_host(host: str) -> tuple[str | None, str | None]: ...
def command(arguments: list[str]) -> int: ...
