"""The vectors of commands, run from Python."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sublet
import sublet.commands
import test_billing

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests" / "vectors"
SCENES: list[dict[str, Any]] = [
    scene for file in sorted((VECTORS / "scenes").iterdir()) for scene in json.loads(file.read_text())
]
AGENCY = (ROOT / "policies" / "tests" / "agency.jsonl").read_text()


def around(step: dict[str, Any]) -> dict[str, Any]:
    found = {name: step[name] for name in ("host", "context", "idempotency_key", "session_start") if name in step}
    return {**found, "actor": tuple(step["actor"])} if "actor" in step else found


def assert_identities(decision: sublet.Decision, step: dict[str, Any], principal: list[str]) -> None:
    """Checks that each answer names both identities if there is an actor, and none otherwise (A1).
    """
    wanted = (tuple(step["actor"]), tuple(principal)) if "actor" in step else (None, None)
    assert (decision.actor, decision.subject) == wanted


def perform(engine: sublet.Engine, step: dict[str, Any], tokens: dict[str, str], payments: dict[str, int]) -> list[Any]:
    command: Any = {**step["perform"]}
    if "token" in command:
        command["token"] = tokens.get(command["token"], command["token"])
    if "payment" in command:
        command["payment"] = payments.get(command["payment"], command["payment"])
    try:
        done = engine.perform(tuple(step["by"]), command, **around(step))
    except sublet.SubletError as error:
        assert step.get("says", "") in str(error)
        return [None, error.code, False]
    assert bool(done) is done.decision.allowed
    assert_identities(done.decision, step, step["by"])
    if isinstance(step.get("token"), str):
        assert done.token is not None and done.token not in repr(done)
        tokens[step["token"]] = done.token
    elif "token" in step:
        assert done.token is None
    if "as" in step:
        assert done.entry is not None
        assert done.entry == payments.setdefault(step["as"], done.entry), step
    return [done.decision.code, None, done.decision.replayed]


def take(engine: sublet.Engine, step: dict[str, Any], clock: sublet.ManualClock, tokens: dict[str, str], kept: test_billing.StepValues) -> None:
    step = kept.named(step)
    if "perform" in step:
        assert perform(engine, step, tokens, kept.payments) == [step.get("code"), step.get("error"), step.get("replayed", False)], step
    elif "consume" in step:
        principal, action, resource, amount = step["consume"]
        decision = engine.consume(tuple(principal), action, resource, amount, **around(step))
        assert_identities(decision, step, principal)
        assert (decision.code, decision.replayed) == (step["code"], step.get("replayed", False)), step
    elif "history" in step:
        entries = engine.history(step["history"], limit=1)
        last, has = {**entries[0]} if entries else None, step["has"]
        assert last is None if has is None else {name: (last or {})[name] for name in has} == has, (step, last)
    elif "record" in step:
        found, wanted = engine.get_record(tuple(step["record"])), step["has"]
        assert wanted is None or found is not None, step
        assert found is None if wanted is None else {name: (found or {}).get(name) for name in wanted} == wanted, (step, found)
    elif "usage" in step:
        account, meter = step["usage"]
        assert engine.usage(account, meter=meter)[0]["used"] == step["used"], step
    elif "ask" in step:
        principal, action, resource = step["ask"]
        assert engine.authorize(tuple(principal), action, resource, **around(step)).code == step["code"], step
    elif "explain" in step:
        principal, action, resource = step["explain"]
        explained = engine.explain(tuple(principal), action, resource, language=step.get("language"), **around(step))
        policy = explained.because and explained.because["policy"]
        assert [explained.decision.code, explained.words, policy] == [step["code"], step["words"], step["policy"]], step
    elif "login" in step:
        login = engine.login(*step["login"])
        principal = login.principal and [*login.principal]
        assert (login.log_code, principal) == (step["code"], step.get("principal")), step
    elif "list" in step:
        asked: dict[str, Any] = {name: step[name] for name in ("after", "limit") if name in step}
        if "by" in step:
            asked["principal"] = tuple(step["by"])
        kind, account = step["list"]
        listed = engine.list_records(kind, account, **asked, **around(step))
        assert ([record["id"] for record in listed["records"]], listed["next"]) == (step["ids"], step["next"]), step
    elif "export_account" in step:
        exported = engine.export_account(step["export_account"]).splitlines()
        assert Counter(json.loads(line)["type"] for line in exported) == step["types"], step
    elif "login_by_key" in step:
        named: str = step["login_by_key"]
        login = engine.login_by_key(step["host"], tokens.get(named, named))
        assert login.allowed is (login.public_code != "login_refused")
        assert login.log_code == step["code"], step
    elif test_billing.is_about_it(step):
        test_billing.take(engine, step, kept)
    elif "reload" in step:
        engine.reload(test_billing.bundle(step["reload"]))
    elif "top_up" in step:
        engine.top_up(*step["top_up"])
    elif "merge" in step:
        engine.apply_changes(merge=[step["merge"]])
    elif "import" in step:
        kept_lines = [line for line in engine.export_lines().splitlines() if json.loads(line)["id"] not in step.get("without", [])]
        engine.import_lines("\n".join([*kept_lines, *map(json.dumps, step["import"])]))
    elif "close_due" in step:
        progress = engine.close_due(step["close_due"], after=step.get("after"))
        assert [[month["owner"], month["period"], month["at_risk"]] for month in progress["closed"]] == step["closed"], step
        if "unsettled" in step:
            assert [[month["owner"], month["period"], month["at_risk"]] for month in progress["unsettled"]] == step["unsettled"], step
        assert progress["next"] == step["next"], step
    elif "proof" in step:
        try:
            proof: str = engine.domain_proof(step["proof"], owner=step.get("owner"))
        except sublet.DirectoryError as error:
            proof = error.code
        assert proof == step.get("is", step.get("error")), (step, proof)
    elif "hosts_of" in step:
        more = {name: step[name] for name in ("after", "limit") if name in step}
        try:
            hosts = engine.hosts_of(step["hosts_of"], **more)
            assert [list(hosts.hosts), hosts.next] == [step["hosts"], step.get("next")], (step, hosts)
        except sublet.DirectoryError as error:
            assert error.code == step.get("error"), step
    elif "reimport" in step:
        text = engine.export_lines()
        engine.import_lines(text)
        assert engine.export_lines() == text
    elif "advance" in step:
        clock.advance(step["advance"])
        engine.accept_clock()
    else:
        engine.apply_changes([step["put"]])


@pytest.mark.parametrize("file", [False, True], ids=["memory", "file"])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene["description"])
def test_command_vectors_match(scene: dict[str, Any], file: bool, tmp_path: Path) -> None:
    tokens: dict[str, str] = {}
    kept = test_billing.StepValues()
    clock = sublet.ManualClock("2026-01-31T12:00:00Z")
    store = f"sqlite:{tmp_path / 'sublet.db'}" if file else "memory:"
    engine = sublet.Engine.open(test_billing.bundle(scene.get("catalog")), store=store, clock=clock)
    engine.import_lines(AGENCY)
    for step in scene["steps"]:
        take(engine, step, clock, tokens, kept)
    assert engine.verify()["faults"] == []


def test_commands_are_awaitable(tmp_path: Path) -> None:
    async def main() -> None:
        async with await sublet.AsyncEngine.open(store=f"sqlite:{tmp_path / 'sublet.db'}") as engine:
            await engine.import_lines(AGENCY)
            done = await engine.perform(
                ("Account", "acme"),
                {"do": "create_client", "id": "new", "email": "hello@new.example", "limits": {"emails": 500}},
                host=sublet.Host("dash.marketingmaster.example"),
            )
            assert done.decision.allowed and done.decision.operation is not None and done.token
            confirm: sublet.commands.Command = {"do": "confirm_email", "account": "new", "token": done.token}
            assert await engine.perform(("Account", "new"), confirm, host="app.acme.example")

    asyncio.run(main())


def test_domain_states_its_dns_record() -> None:
    engine = sublet.Engine.open()
    engine.import_lines(AGENCY)
    proofs = {text for scene in SCENES for step in scene["steps"] for text in step.get("perform", {}).get("txt", [])}
    engine.apply_changes([{"type": "Domain", "id": "shop.acme.example", "kind": "whitelabel", "owner": "acme"}])
    assert engine.domain_proof("SHOP.acme.example") in proofs
    for name in ("dash.marketingmaster.example", "nowhere.example", ""):
        with pytest.raises(sublet.DirectoryError) as caught:
            engine.domain_proof(name)
        assert caught.value.code == "directory.unknown_record"


@pytest.mark.parametrize("command", [None, [], "close", {"do": 1}, {"do": "close", "account": None}, {1: 2}])
def test_invalid_command_is_a_typed_error(command: Any) -> None:
    engine = sublet.Engine.open()
    with pytest.raises(sublet.InputError) as caught:
        engine.perform(("Account", "acme"), command)
    assert caught.value.code in ("input.value", "input.command")
