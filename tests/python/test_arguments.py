"""Invalid arguments raise errors of one family: an `InputError`, which is a `TypeError` and a
`ValueError` too. The tests find each parameter of each method by its signature. They pass bad
values to one parameter at a time, and valid values to the others."""

from __future__ import annotations

import asyncio
import enum
import inspect
import logging
import pprint
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sublet

AGENCY = Path(__file__).parents[2] / "policies/tests/agency.jsonl"
MAIN = "dash.marketingmaster.example"
ACME = ("Account", "acme")


class Small(enum.IntEnum):
    ONE = 1


class Lying(int):
    def __index__(self) -> int:
        raise RuntimeError("asked")


def deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"x": [value]}
    return value


BAD: list[Any] = [
    *(True, False, 0, 1, -1, 2**31, 2**63, 2**64, 10**5_000, 1.0, 0.5, -0.5, float("nan"), float("inf"), 1j),
    *("", "x", "\ud800", "\0", "a\nb", b"", b"x", bytearray(b"x"), Small.ONE, Lying(3), object(), ...),
    *((), ("Account",), ("Account", 1), ("Account", "a", "b", "c"), [], [1], ["x"], [None], [[]], {}, {"x": 1}, {1: 2}, {"type": 5}),
    *({"x"}, frozenset(), range(3), iter([1]), deep(3), deep(2_000), {"\ud800": 1}, [{"principal": 1}], [{"type": "Account"}]),
]

# Valid values by the name of the parameter.
GOOD: dict[str, Any] = {
    **{"principal": ACME, "action": "campaign.send", "resource": ("Campaign", "k", "acme"), "about": ACME, "ticket": ("Ticket", "t", "acme")},
    **{"operation": 1, "payment": 1, "account": "acme", "meter": "emails", "amount": 1, "owner": "acme", "period": "2026-01", "cents": 1},
    **{"items": [], "email": "owner@acme.example", "host": MAIN, "domain": "shop.example", "reference": ACME, "lines": AGENCY},
    **{"command": {"do": "create_client"}, "statement": {}, "policies": None, "at": "2026-01-31T12:00:00Z", "milliseconds": 1},
    **{"type": "Account", "id": "acme", "name": "x", "name_or_type": "campaign.read", "timeout": 0.01, "idempotency_key": "k", "limit": 1, "kind": "clients", "key": "k"},
}
GOOD_CEDAR = {"policies": "permit (principal, action, resource);"}


def parameters(verb: Callable[..., Any]) -> list[inspect.Parameter]:
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each for each in inspect.signature(verb).parameters.values() if each.kind not in kinds and each.name != "self"]


def fill_arguments(verb: Callable[..., Any], good: dict[str, Any], name: str, bad: Any) -> tuple[list[Any], dict[str, Any]]:
    """Returns the arguments of a call: the bad value under its name, and valid values for the other
    required parameters."""
    places: list[Any] = []
    named: dict[str, Any] = {}
    for each in parameters(verb):
        if each.name == name:
            value = bad
        elif each.default is inspect.Parameter.empty:
            value = good[each.name]
        else:
            continue
        if each.kind is inspect.Parameter.POSITIONAL_ONLY:
            places.append(value)
        else:
            named[each.name] = value
    return places, named


@pytest.fixture(scope="module")
def engine() -> sublet.Engine:
    engine = sublet.Engine.open(clock=sublet.ManualClock("2026-01-31T12:00:00Z"))
    engine.import_lines(AGENCY)
    return engine


def public_callables(of: Any) -> Iterator[tuple[str, Any]]:
    for name in dir(of):
        if not name.startswith("_") and callable(getattr(of, name)):
            yield name, getattr(of, name)


def targets(engine: sublet.Engine) -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """Returns every function, method and constructor of the package."""
    found: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {}
    for name, verb in public_callables(engine):
        found[f"Engine.{name}"] = (verb, {**GOOD, **(GOOD_CEDAR if "cedar" in name else {})})
    log = engine.subscribe(callback=lambda event: None)
    log.close()
    clock = sublet.ManualClock("2026-01-31T12:00:00Z")
    for owner, of in (("LogHandle", log), ("ManualClock", clock)):
        found.update({f"{owner}.{name}": (verb, GOOD) for name, verb in public_callables(of)})
    for made in (sublet.Principal, sublet.Action, sublet.ResourceType, sublet.Host, sublet.ManualClock):
        found[made.__name__] = (made, GOOD)
    found["normalise_host"] = (sublet.normalise_host, GOOD)
    found["error_codes"] = (sublet.error_codes, GOOD)
    return found


def test_all_errors_are_of_one_family(engine: sublet.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wrong: list[str] = []
    asked = refused = 0
    for where, (verb, good) in targets(engine).items():
        for each in parameters(verb):
            for bad in BAD:
                places, named = fill_arguments(verb, good, each.name, bad)
                asked += 1
                try:
                    answer = verb(*places, **named)
                    if isinstance(answer, sublet.LogHandle):
                        answer.close(0.1)
                except sublet.SubletError as error:
                    refused += 1
                    if not error.code or error.code.startswith("internal"):
                        wrong.append(f"{where}({each.name}={bad!r:.40}): {error.code}")
                except Exception as error:
                    wrong.append(f"{where}({each.name}={bad!r:.40}): {type(error).__name__}: {error}")
    assert not wrong, "\n".join(wrong)
    assert asked > 6_000 and refused > asked / 2
    engine.import_lines(AGENCY)


# Parameters that take a number, a string or a `bool`, and no value that only resembles one.
EXACT: dict[str, list[Any]] = {
    "int": [True, False, 1.0, float("nan"), "1", b"1", -1, 2**64, 10**5_000, Small.ONE, Lying(3), [1], object()],
    "bool": [0, 1, "yes", 1.0, [], object()],
    "str": [1, True, b"x", ["x"], object(), "\ud800", None],
    "float": [True, "1", float("nan"), float("inf"), 10**5_000, object(), [1]],
}
EXACTLY: list[tuple[str, str, str]] = [
    *(("int", "commit", "operation"), ("int", "release", "operation"), ("int", "refund", "operation"), ("int", "history", "limit")),
    *(("int", "history", "before"), ("int", "apply_changes", "expected_revision"), ("int", "reverse_payment", "payment")),
    *(("int", "record_payment", "cents"), ("int", "top_up", "amount"), ("int", "carry_over", "amount"), ("int", "reserve", "ttl")),
    *(("int", "consume", "amount"), ("int", "refund", "amount"), ("int", "subscribe", "queue"), ("int", "subscribe", "max_old_files"), ("int", "subscribe", "rotate_bytes")),
    *(("bool", "consume", "allow_partial"), ("bool", "enable_metrics", "on"), ("float", "subscribe", "sample_allowed")),
    *(("str", "usage", "account"), ("str", "history", "account"), ("str", "statement", "owner"), ("str", "statement", "period")),
    *(("str", "top_up", "meter"), ("str", "domain_proof", "domain"), ("str", "login", "email"), ("str", "open", "store")),
    *(("int", "import_lines", "expected_revision"), ("str", "revoke_top_up", "account"), ("str", "revoke_top_up", "idempotency_key")),
]


@pytest.mark.parametrize(("kind", "name", "parameter"), EXACTLY)
def test_value_of_wrong_type_is_refused(engine: sublet.Engine, kind: str, name: str, parameter: str) -> None:
    verb = getattr(engine, name)
    for bad in EXACT[kind]:
        places, named = fill_arguments(verb, {**GOOD, "callback": print}, parameter, bad)
        if name == "log":
            named["callback"] = print
        with pytest.raises(sublet.InputError) as raised:
            verb(*places, **named)
        assert isinstance(raised.value, TypeError) and isinstance(raised.value, ValueError), bad
        assert raised.value.code in ("input.value", "input.amount") and raised.value.help, bad


@pytest.mark.parametrize("logger", [1, False, 0, 1.5, object(), b"sublet", ["sublet"], print])
def test_logger_is_a_logger_or_a_name(engine: sublet.Engine, logger: Any) -> None:
    with pytest.raises(sublet.InputError):
        engine.subscribe(logger=logger)
    for good in (logging.getLogger("x"), "x", True):
        found: Any = good
        assert engine.subscribe(logger=found).close()


def test_errors_of_the_host_propagate(engine: sublet.Engine) -> None:
    def broken() -> Iterator[Any]:
        yield {"type": "Operator", "id": "o", "email": "o@x.example"}
        raise KeyError("the host's own")

    for call in (lambda: engine.apply_changes(broken()), lambda: engine.batch(broken()), lambda: engine.check_many(broken())):
        with pytest.raises(KeyError, match="the host's own"):
            call()


def test_async_errors_are_of_the_same_family() -> None:
    async def main() -> None:
        engine = await sublet.AsyncEngine.open()
        calls: list[Any] = [lambda: engine.refund(True), lambda: engine.history("acme", limit=True), lambda: engine.subscribe(logger=1)]  # type: ignore[arg-type]
        for call in calls:
            with pytest.raises(sublet.InputError):
                await call()

    asyncio.run(main())


def test_token_is_never_printed(engine: sublet.Engine, caplog: pytest.LogCaptureFixture) -> None:
    command: Any = {"do": "create_client", "id": "bistro", "email": "hello@bistro.example"}
    done = engine.perform(ACME, command, host=MAIN)
    token = done.token
    assert done and token and len(token) > 20
    caplog.set_level(logging.INFO)
    logging.info("%s %r", done, done)
    shown = [repr(done), str(done), f"{done}", f"{done!r}", pprint.pformat({"done": [done]}), caplog.text, repr(done.decision), str(done.decision.to_dict())]
    shown += [repr(engine.get_record(("Account", "bistro"))), engine.export_lines(), repr(engine.history("acme"))]
    assert not any(token in text for text in shown)
