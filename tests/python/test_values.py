"""Hostile values are exact or refused, and no request kills the process."""

import enum
import threading
from typing import Any

import pytest
import sublet

HOST = "dash.marketingmaster.example"
OWNER = ("Account", "acme")
CAMPAIGN = {"type": "Campaign", "id": "k", "account": "acme"}


class Liar(str):
    """A `str` with a text that differs from its characters."""

    def __str__(self) -> str:
        return "nova"

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash("nova")


class LyingInt(int):
    def __index__(self) -> int:
        return 0

    def __int__(self) -> int:
        return 0


class Small(enum.IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    "amount", [True, False, 1.0, float("nan"), float("inf"), -1, 2**63, 10**40, "1", b"1", LyingInt(3), Small.ONE, [1], object()]
)
def test_invalid_amount_is_a_typed_error(engine: sublet.Engine, amount: Any) -> None:
    with pytest.raises(sublet.InputError) as raised:
        engine.authorize(OWNER, "campaign.send", CAMPAIGN, host=HOST, amount=amount)
    assert raised.value.code == "input.amount"
    assert raised.value.help


@pytest.mark.parametrize("amount", [0, 1, 2**53 + 1, 2**63 - 1])
def test_exact_amount_is_accepted(engine: sublet.Engine, amount: int) -> None:
    acme = {**(engine.get_record(OWNER) or {}), "limits": {"emails": "unlimited"}}
    engine.apply_changes([acme])
    assert engine.authorize(OWNER, "campaign.send", CAMPAIGN, host=HOST, amount=amount).allowed


def test_str_subclass_is_its_characters(engine: sublet.Engine) -> None:
    decision = engine.authorize(OWNER, "campaign.read", {"type": "Campaign", "id": "k", "account": Liar("nova")}, host=HOST)
    assert decision.code == "other_account"
    assert engine.authorize(("Account", Liar("acme")), "campaign.read", CAMPAIGN, host=HOST).allowed


@pytest.mark.parametrize("bad", ["\ud800", "a\udfff"])
def test_lone_surrogates_are_refused(engine: sublet.Engine, bad: str) -> None:
    with pytest.raises(sublet.InputError) as raised:
        engine.check(("Account", bad), "campaign.read", CAMPAIGN, host=HOST)
    assert raised.value.code == "input.value"
    with pytest.raises(sublet.InputError):
        engine.check(OWNER, "campaign.read", CAMPAIGN, host=bad)


@pytest.mark.parametrize("context", [{"x": None}, {"x": 1.5}, {"x": object()}, {"x": 2**64}, {1: 2}, [], "x", {"x": b"y"}])
def test_value_beyond_cedar_is_refused(engine: sublet.Engine, context: Any) -> None:
    with pytest.raises(sublet.InputError):
        engine.check(OWNER, "campaign.read", CAMPAIGN, host=HOST, context=context)


@pytest.mark.parametrize("principal", ["Account", ("Account",), ("Account", 1), ("Account", "a", "b"), None, {}, ("Account", None), 'Account::"acme"'])
def test_principal_is_a_type_and_an_id(engine: sublet.Engine, principal: Any) -> None:
    with pytest.raises(sublet.InputError):
        engine.check(principal, "campaign.read", CAMPAIGN, host=HOST)


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("kib", [128, 256, 512, 1024, 8192])
def test_hostile_requests_end_on_a_small_stack(kib: int) -> None:
    """The end is an error or a denial, and never a crash."""
    found: list[Any] = []

    def work() -> None:
        def code(ask: Any) -> str:
            try:
                return str(ask())
            except sublet.SubletError as error:
                return error.code

        def policy(condition: str) -> str:
            return "forbid (principal, action, resource) when { " + condition + " }; permit (principal, action, resource);"

        for condition in ["(" * 5000 + "true" + ")" * 5000, " || ".join(["false"] * 1706 + ["true"]), "!" * 9999 + "true", "[" * 600 + "]" * 600]:
            found.append(code(lambda condition=condition: sublet.Engine.cedar(policy(condition))))
        wide = sublet.Engine.cedar(policy(" || ".join(["context.a == 2"] * 900 + ["true"])))
        found.append(code(lambda: wide.check(("U", "u"), "a", ("U", "u"), context={"a": 1})))
        engine = sublet.Engine.open()
        engine.import_lines('{"type":"Platform","id":"p"}')
        for levels in (60, 65, 900):
            found.append(code(lambda levels=levels: engine.check(OWNER, "campaign.read", CAMPAIGN, context={"x": deep(levels)})))
        found.append(code(lambda: engine.check(("Account", "x" * 10_000_000), "campaign.read", ("Campaign", "k"), host="h" * 10_000_000)))

    threading.stack_size(kib * 1024)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(0)
    assert found == ["bundle.too_deep"] * 4 + ["False", "False", "input.nesting", "input.nesting", "input.id_length"]


def test_ids_are_never_parsed(engine: sublet.Engine) -> None:
    for odd in ['"', "acme\n", "acme\0", 'x" || true || "', "*", "\u202e", "💥"]:
        assert engine.authorize(("Account", odd), "campaign.read", CAMPAIGN, host=HOST).code == "principal_unknown"
        assert engine.check(OWNER, "campaign.read", dict(CAMPAIGN, id=odd), host=HOST)
