"""The cases beside the policies and the vectors, asked from Python."""

import json
from pathlib import Path
from typing import Any

import pytest
import sublet

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*(ROOT / "policies" / "tests").glob("*.json"), *(ROOT / "tests" / "vectors" / "cases").glob("*.json")])
OWN = {"description", "rules", "call", "given", "remove", "answer", "about", "email"}


def pair(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def answer(engine: sublet.Engine, case: dict[str, Any]) -> dict[str, Any]:
    call = case.get("call", "authorize")
    if call == "login":
        return engine.login(case["host"], case["email"]).to_dict()
    arguments = {key: value for key, value in case.items() if key not in OWN}
    for key in ("actor", "realm"):
        if key in arguments:
            arguments[key] = pair(arguments[key])
    principal = pair(arguments.pop("principal"))
    resource = pair(case["about"] if "about" in case else arguments.pop("resource"))
    if call == "desk":
        return engine.desk(principal, resource, **arguments).to_dict()
    if call == "actions":
        return {"actions": engine.actions(principal, resource, **arguments)}
    action = pair(arguments.pop("action"))
    if call == "check":
        return {"allowed": engine.check(principal, action, resource, **arguments)}
    decision = engine.authorize(principal, action, resource, **arguments)
    assert engine.check(principal, action, resource, **arguments) is bool(decision)
    return decision.to_dict()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_case_has_the_stated_answer(file: Path) -> None:
    engine = sublet.Engine.open()
    whole = json.loads(file.read_text())
    wrong = []
    for case in whole["cases"]:
        engine.import_lines(file.parent / whole["directory"])
        try:
            engine.change(case.get("given"), remove=[pair(found) for found in case.get("remove", [])])
            found = answer(engine, case)
        except sublet.SubletError as error:
            found = {"error": error.code}
        for field, wanted in case["answer"].items():
            got = found.get(field)
            if field == "policies" and got is not None:
                got = got[: len(wanted)]
            if got != wanted:
                wrong.append(f"{case['description']}: {field} is {got}, not {wanted}")
    assert not wrong, "\n".join(wrong)
    assert whole["cases"]


def test_every_host_has_exactly_its_outcome() -> None:
    rows = json.loads((ROOT / "tests" / "vectors" / "hosts.json").read_text())
    assert len(rows) >= 60
    for row in rows:
        host = row["host"] * row.get("times", 1)
        assert sublet.normalise_host(host) == (row.get("normal"), row.get("refused")), row
