# Written by `bindings-python/stubs.py` from `_sublet.pyi`: change that file, not this one.
from collections.abc import Callable, Iterable, Mapping, Sequence
from logging import Logger
from os import PathLike
from typing import Any, Literal
from .billing import Payment, Statement
from .commands import Command
from .records import Record, RecordPatch
from .types import Amount, At, Does, Event, EventKind, Quota, Resource, Stats, Validation, Value, Who
from ._sublet import Counted, Decision, Desk, Engine, Explanation, LogHandle, Login, LoginHosts, ManualClock, Performed, Route

__all__ = ["AsyncEngine"]

class AsyncEngine:
    """An engine whose verbs are awaited. `engine` is the same engine for code that waits."""
    engine: Engine

    def __init__(self, engine: Engine) -> None:
        ...

    async def __aenter__(self) -> AsyncEngine:
        ...

    async def __aexit__(self, *_error: object) -> bool:
        ...

    @staticmethod
    async def open(policies: str | PathLike[str] | Mapping[str, str] | None=None, *, store: str='memory:', validation: Validation='strict', caps: Mapping[str, int] | None=None, clock: ManualClock | None=None) -> AsyncEngine:
        ...

    @staticmethod
    async def cedar(policies: str | Mapping[str, Any], schema: str | Mapping[str, Any] | None=None, *, links: str | list[Any] | None=None, entities: str | list[Any] | None=None, validation: Validation='strict', validate_requests: bool | None=None, caps: Mapping[str, int] | None=None) -> AsyncEngine:
        ...

    async def reload(self, policies: str | PathLike[str] | Mapping[str, str] | None=None) -> str:
        ...

    async def reload_cedar(self, policies: str | Mapping[str, Any], schema: str | Mapping[str, Any] | None=None, *, links: str | list[Any] | None=None, entities: str | list[Any] | None=None, validate_requests: bool | None=None) -> str:
        ...

    async def bundle(self) -> dict[str, Any]:
        ...

    async def revision(self) -> int:
        ...

    async def authorize(self, principal: Who, action: Does, resource: Resource, *, actor: Who | None=None, host: At | None=None, channel: str | None=None, realm: Who | None=None, amount: int | None=None, context: Mapping[str, Value] | None=None) -> Decision:
        """Whether `principal` may do `action` on `resource` now, under which code, and by which policies."""

    async def check(self, principal: Who, action: Does, resource: Resource, *, actor: Who | None=None, host: At | None=None, channel: str | None=None, realm: Who | None=None, amount: int | None=None, context: Mapping[str, Value] | None=None) -> bool:
        """The allow bit of `authorize`."""

    async def authorize_many(self, requests: Iterable[Mapping[str, Any]] | None=None, *, principals: list[Any] | Who | None=None, actions: list[Any] | Does | None=None, resources: list[Any] | Resource | None=None, actors: list[Any] | Who | None=None, hosts: list[Any] | At | None=None, channels: list[Any] | str | None=None, realms: list[Any] | Who | None=None, amounts: list[Any] | int | None=None, contexts: list[Any] | Mapping[str, Value] | None=None) -> list[Decision]:
        """The decisions on many requests, in their order.

        Either `requests`, records with the arguments of `authorize`, or columns: each a list with one entry a row, or one
        value for all rows. All are answered from one version of policies and directory, without the GIL.
        """

    async def check_many(self, requests: Iterable[Mapping[str, Any]] | None=None, *, principals: list[Any] | Who | None=None, actions: list[Any] | Does | None=None, resources: list[Any] | Resource | None=None, actors: list[Any] | Who | None=None, hosts: list[Any] | At | None=None, channels: list[Any] | str | None=None, realms: list[Any] | Who | None=None, amounts: list[Any] | int | None=None, contexts: list[Any] | Mapping[str, Value] | None=None) -> list[bool]:
        """The allow bits of `authorize_many`.

        Either `requests`, records with the arguments of `check`, or columns: each a list with one entry a row, or one
        value for all rows. All are answered from one version of policies and directory, without the GIL.
        """

    async def explain(self, principal: Who, action: Does, resource: Resource, *, actor: Who | None=None, host: At | None=None, channel: str | None=None, realm: Who | None=None, amount: int | None=None, context: Mapping[str, Value] | None=None) -> Explanation:
        """Why the answer is what it is: each policy, the facts that it read, the clause that failed."""

    async def actions(self, principal: Who, resource: Resource, *, actor: Who | None=None, host: At | None=None, channel: str | None=None, realm: Who | None=None, amount: int | None=None, context: Mapping[str, Value] | None=None) -> list[str]:
        """The actions that `principal` may do on `resource` now, sorted."""

    async def consume(self, principal: Who, action: Does, resource: Resource, amount: Amount | None=None, *, key: str | None=None, up_to: bool=False, actor: Who | None=None, host: At | None=None, channel: str | None=None, realm: Who | None=None, context: Mapping[str, Value] | None=None) -> Decision:
        """Asks, and if it is allowed takes, in one step; an action with `@frees` gives back. Without an amount, 1.

        What is denied takes nothing (Q13). A retry with the same `key` gives the first granted answer (Q7). With
        `up_to` what is left is granted (Q5). Raises `QuotaError` for an action without a meter, and for misused keys.
        """

    async def reserve(self, principal: Who, action: Does, resource: Resource, amount: Amount, *, ttl: int | None=None, key: str | None=None, actor: Who | None=None, host: At | None=None, channel: str | None=None, realm: Who | None=None, context: Mapping[str, Value] | None=None) -> Decision:
        """Asks, and if it is allowed holds the amount for `ttl` milliseconds; without one, 15 minutes. (Q8)"""

    async def set(self, principal: Who, action: Does, resource: Resource, amount: Amount, *, key: str | None=None, actor: Who | None=None, host: At | None=None, channel: str | None=None, realm: Who | None=None, context: Mapping[str, Value] | None=None) -> Decision:
        """Makes the amount the count of the action's stocks: more only as far as the policies allow it, less always."""

    async def add(self, principal: Who, action: Does, resource: Resource, amount: Amount, *, key: str | None=None, actor: Who | None=None, host: At | None=None, channel: str | None=None, realm: Who | None=None, context: Mapping[str, Value] | None=None) -> Decision:
        """Adds to the action's stocks, as far as the policies allow it: `consume`, which refuses what is no stock."""

    async def sub(self, principal: Who, action: Does, resource: Resource, amount: Amount, *, key: str | None=None, actor: Who | None=None, host: At | None=None, channel: str | None=None, realm: Who | None=None, context: Mapping[str, Value] | None=None) -> Decision:
        """Takes from the action's stocks what is there no more, never below zero. The policies are asked of no amount."""

    async def perform(self, principal: Who, command: Command, *, key: str | None=None, actor: Who | None=None, host: At | None=None, channel: str | None=None, realm: Who | None=None, context: Mapping[str, Value] | None=None) -> Performed:
        """Asks whether `principal` may, and if so obeys the command: permission, debit and change are one transaction."""

    async def statement(self, owner: str, period: str) -> Statement:
        """What an owner owes for one of his months, `YYYY-MM`. (B2, B4)"""

    async def preview(self, owner: str) -> Statement:
        """The statement of the month that runs: what will be owed if nothing changes, and who is at risk. (B6)"""

    async def record_payment(self, owner: str, period: str, cents: int, *, key: str | None=None) -> Payment:
        """Records cents received for a month; in a settled one each full price enables one client. (B4, B5)"""

    async def reverse_payment(self, payment: int, *, key: str | None=None) -> Payment:
        """Takes a payment back, whole."""

    async def settle(self, owner: str, period: str, *, choice: Sequence[str] | None=None) -> Statement:
        """Closes a month that is over, and puts its draw in force: once. (B3, B4, B5)"""

    @staticmethod
    async def verify_draw(statement: Statement) -> bool:
        """Whether a statement's sums and draw are right: from the statement alone. (B5)"""

    async def commit(self, operation: int, amount: int | None=None, *, key: str | None=None) -> Counted:
        """Takes what a reservation holds, or so much of each meter, and gives back the rest. (Q8)"""

    async def release(self, operation: int, *, key: str | None=None) -> Counted:
        """Gives back what a reservation holds. (Q8)"""

    async def refund(self, operation: int, amount: int | None=None, *, key: str | None=None) -> Counted:
        """Gives back what an operation took, or so much of each meter; never more than it took. Of a top-up, what it added."""

    async def top_up(self, account: str, meter: str, amount: int, *, key: str | None=None) -> Counted:
        """Adds to the limit of an account's meter for its present window; of a stock, for good."""

    async def revoke_top_up(self, account: str, key: str) -> Counted:
        """Takes back what the top-up of that key added: a payment was charged back, say.

        The limit falls at once, and what was used stays used. A second call changes nothing, and is `replayed`. A top-up without a
        key is taken back by `refund` of its operation. Raises `quota.unknown_top_up`, `quota.key_pruned`. (B14)
        """

    async def carry_over(self, account: str, meter: str, amount: int, *, member: str | None=None, key: str | None=None) -> Counted:
        """Counts what was used in this window before Sublet counted. No limit is asked."""

    async def batch(self, items: Iterable[Mapping[str, Any]]) -> list[Decision]:
        """Takes all, or nothing: each item has the arguments of `consume`. Nothing was taken if one of them refuses."""

    async def usage(self, account: str, *, member: str | None=None, meter: str | None=None) -> list[Quota]:
        """How an account stands: every meter, or one; with the part of the member who is named. (Q11)"""

    async def history(self, account: str, *, before: int | None=None, limit: int=100) -> list[dict[str, Any]]:
        """What was done to an account's counts, the newest first; older than the operation `before`."""

    async def verify(self) -> dict[str, Any]:
        """Compares every count with the sum of its operations: `buckets`, `operations`, and `faults`, which should be empty."""

    async def forget_counts(self) -> None:
        """Forgets every count and key of a store in memory, and which instant it has seen: for tests, between one case and the next."""

    async def accept_clock(self) -> None:
        """Takes the clock's word for it after `store.clock_jump`: so much time has passed."""

    async def log(self, path: str | PathLike[str] | None=None, *, callback: Callable[[Event], object] | None=None, logger: Logger | str | Literal[True] | None=None, events: Iterable[EventKind] | None=None, sample_allowed: float | None=None, redact: Iterable[str] | None=None, context_fields: Iterable[str] | None=None, queue: int | None=None, rotate_bytes: int | None=None, keep: int | None=None) -> LogHandle:
        """Tells a sink of each answer, each debit, each change of the directory and of the policies, from now on.

        The sink is a file of JSON lines (`path`, set aside at `rotate_bytes`, 64 MiB; 0 never; `keep` of them are kept,
        5), a `callback` that gets one event at a time on a thread of the log's own, or a `logger` of the standard
        library (its name, or `True` for `sublet`): refusals are told at WARNING, all else at INFO, and the event is
        `record.sublet`. Any number of logs may be open.

        `events` are those of `decision`, `debit`, `change`, `reload` that are wanted; `sample_allowed` is the part of the
        allowed decisions that is told; the fields of `redact` are hidden; of the context what `context_fields` names is
        told. No verb waits: what finds `queue` events waiting (8192) is dropped and counted.
        """

    async def measure(self, on: bool=True) -> None:
        """Counts answers, and how long they take, from now on; or no more."""

    async def stats(self) -> Stats:
        """What was counted since `measure`, of this engine in this process; the numbers only grow."""

    async def login(self, host: At, email: str, action: Does | None=None) -> Login:
        """Whether this e-mail may log in at this host, and as whom. `action` is the credential flow: by default the password. (D6)

        Every refusal has the same `public_code`, and takes the same time whether or not the e-mail is known. Once you have
        checked the password, `login_hosts` says the precise code, and where the login comes in instead. (D7)
        """

    async def login_hosts(self, principal: Who, *, host: At | None=None, action: Does | None=None, after: str | None=None) -> LoginHosts:
        """At which hosts this login comes in, and the precise code of its login at `host`. (D7, D9)

        It is for after you have checked the password, and for links in mails. One call asks the policies about at most 50
        domains; give the `next` of its answer as `after` to go on.
        """

    async def desk(self, principal: Who, about: Resource, *, actor: Who | None=None, host: At | None=None, channel: str | None=None, realm: Who | None=None, context: Mapping[str, Value] | None=None) -> Desk:
        ...

    async def open_ticket(self, principal: Who, about: Resource, *, actor: Who | None=None, host: At | None=None, channel: str | None=None, realm: Who | None=None, context: Mapping[str, Value] | None=None) -> Route:
        """Where a ticket goes that `principal` opens about `about`: its account, or the owner's client. (T1, T2, T4)"""

    async def reply_ticket(self, principal: Who, ticket: Resource, *, actor: Who | None=None, host: At | None=None, channel: str | None=None, realm: Who | None=None, context: Mapping[str, Value] | None=None) -> Route:
        """Whether `principal` may reply to `ticket`, and where it goes now; the ticket's `desk` says where it was. (T3)"""

    async def escalate_ticket(self, principal: Who, ticket: Resource, *, actor: Who | None=None, host: At | None=None, channel: str | None=None, realm: Who | None=None, context: Mapping[str, Value] | None=None) -> Route:
        """Where a ticket of its own goes that `principal` opens because it cannot resolve its client's `ticket`. (T4)"""

    async def change(self, put: Iterable[Record | Mapping[str, Any]] | None=None, *, merge: Iterable[RecordPatch | Mapping[str, Any]] | None=None, remove: Iterable[Who] | None=None, expected_revision: int | None=None, resumed: bool=False) -> int:
        """Makes all changes in one transaction, or none; gives the new revision.

        `put` creates records, or replaces those of the same type and id: one that leaves out a field which the present record has
        set raises `directory.would_reset`. `merge` changes the fields that it names and leaves the rest; `None` takes an optional
        one away. `remove` takes records out. Raises `directory.revision` if the directory is not at `expected_revision`, and the
        `directory.*` code of what the change would break.

        An account or member whose id another one had is refused, `directory.id_used`: counts, history and keys belong to the
        id. With `resumed` what is put has come back, and goes on where it was.
        """

    async def import_lines(self, lines: str | bytes | PathLike[str], progress: Callable[[int, int], bool | None] | None=None, *, expected_revision: int | None=None) -> int:
        """Replaces the directory by JSON lines, or by those of a file: what is not among them is gone.

        It replaces what this engine saw last, or the directory of `expected_revision`: if that has moved on it raises
        `directory.revision`, and nothing that others wrote is lost. At a first start call `seed`.
        """

    async def seed(self, lines: str | bytes | PathLike[str]) -> bool:
        """Imports JSON lines if nothing was ever written to the directory; whether it did. Of processes that start at once one does."""

    async def export_lines(self) -> str:
        ...

    async def domain_proof(self, domain: str) -> str:
        """The TXT record that the DNS of an owner's domain must have before `verify_domain`. (D4)"""

    async def record(self, reference: Who) -> dict[str, Any] | None:
        ...
