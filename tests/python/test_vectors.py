"""The cases beside the policies and the vectors, run from Python."""

import json
from pathlib import Path
from typing import Any

import pytest
import sublet

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*(ROOT / "policies" / "tests").glob("*.json"), *(ROOT / "tests" / "vectors" / "cases").glob("*.json")])
OWN = {"description", "rules", "call", "given", "remove", "answer", "about", "email", "usage"}


def pair(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def answer(engine: sublet.Engine, case: dict[str, Any]) -> dict[str, Any]:
    call = case.get("call", "authorize")
    if call == "login":
        return engine.login(case["host"], case["email"], case.get("action")).to_dict()
    if call == "login_by_key":
        return engine.login_by_key(case["host"], case["key"]).to_dict()
    if call == "login_hosts":
        return engine.login_hosts(tuple(case["principal"]), host=case.get("host"), action=case.get("action")).to_dict()
    arguments = {key: value for key, value in case.items() if key not in OWN}
    for key in ("actor", "realm"):
        if key in arguments:
            arguments[key] = pair(arguments[key])
    principal = pair(arguments.pop("principal"))
    resource = pair(case["about"] if "about" in case else arguments.pop("resource"))
    if call == "route_ticket":
        return engine.route_ticket(principal, resource, **arguments).to_dict()
    if call in ("open_ticket", "reply_ticket", "escalate_ticket"):
        route = getattr(engine, call)(principal, resource, **arguments)
        assert bool(route) is (route.desk is not None)
        return dict(route.to_dict())
    if call == "permitted_actions":
        return {"actions": engine.permitted_actions(principal, resource, **arguments)}
    action = pair(arguments.pop("action"))
    if call == "consume":
        return engine.consume(principal, action, resource, arguments.pop("amount", None), **arguments).to_dict()
    if call == "check":
        return {"allowed": engine.check(principal, action, resource, **arguments)}
    decision = engine.authorize(principal, action, resource, **arguments)
    assert engine.check(principal, action, resource, **arguments) is bool(decision)
    return decision.to_dict()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_policy_cases_match(file: Path) -> None:
    engine = sublet.Engine.open()
    whole = json.loads(file.read_text())
    wrong = []
    for case in whole["cases"]:
        engine.import_lines(file.parent / whole["directory"])
        try:
            engine.apply_changes(case.get("given"), remove=[pair(found) for found in case.get("remove", [])], resumed=True)
            engine.reset_counts()
            for used in case.get("usage", []):
                engine.carry_over(used["account"], used["meter"], used["used"], member=used.get("member"))
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


def test_host_vectors_match() -> None:
    rows = json.loads((ROOT / "tests" / "vectors" / "hosts.json").read_text())
    assert len(rows) >= 60
    for row in rows:
        host = row["host"] * row.get("times", 1)
        assert sublet.normalise_host(host) == (row.get("normal"), row.get("refused")), row


def nested(value: Any) -> Any:
    """Returns the value of a row, with `NEST` replaced by records 80 deep and `LARGE` by a text of
    1 MiB."""
    if value == "LARGE":
        return "x" * 2**20
    if value == "NEST":
        deep: Any = 1
        for _ in range(80):
            deep = {"a": deep}
        return deep
    return {key: nested(found) for key, found in value.items()} if isinstance(value, dict) else value


def shipped(overlay: dict[str, str]) -> dict[str, str]:
    folder = ROOT / "policies"
    files = [*folder.glob("*.cedar"), *folder.glob("*.cedarschema"), folder / "catalog.json"]
    return {**{file.name: file.read_text() for file in files}, **overlay}


def open_engine(row: dict[str, Any]) -> sublet.Engine:
    options = row.get("options", {})
    if "folder" in row:
        return sublet.Engine.open(ROOT / row["folder"], **options)
    if "cedar" in row:
        return sublet.Engine.cedar(**row["cedar"], **options)
    engine = sublet.Engine.open(shipped(row.get("bundle", {})), **options)
    engine.import_lines(ROOT / "policies" / "tests" / "agency.jsonl")
    return engine


def arguments(request: dict[str, Any]) -> dict[str, Any]:
    return {key: pair(nested(value)) for key, value in request.items()}


def apply_row(row: dict[str, Any]) -> None:
    engine = open_engine(row)
    if "ask" in row:
        engine.authorize(**arguments(row["ask"]))
    if "many" in row:
        engine.check_many([arguments(request) for request in row["many"]])
    if "columns" in row:
        engine.check_many(**{name: [pair(value) for value in column] for name, column in row["columns"].items()})
    if "login" in row:
        engine.login(*row["login"])
    if "lines" in row:
        engine.import_lines("\n".join(row["lines"]).encode())
    if "file" in row:
        engine.import_lines(ROOT / row["file"])
    if "record" in row:
        engine.get_record(pair(row["record"]))
    if "reload" in row:
        engine.reload(shipped(row["reload"]))
    if "put" in row or "remove" in row:
        remove = [pair(found) for found in row.get("remove", [])]
        engine.apply_changes(row.get("put"), remove=remove, expected_revision=row.get("expected_revision"))


ERRORS = json.loads((ROOT / "tests" / "vectors" / "errors.json").read_text())


@pytest.mark.parametrize("row", ERRORS, ids=lambda row: str(row["code"]))
def test_error_vectors_match(row: dict[str, Any]) -> None:
    with pytest.raises(sublet.SubletError) as caught:
        apply_row(row)
    assert caught.value.code == row["code"], str(caught.value)
    assert caught.value.help
    assert caught.value.code in sublet.error_codes()


def test_invalid_records_are_refused(engine: sublet.Engine) -> None:
    """A record that breaks an invariant changes nothing."""
    revision = engine.revision
    before = engine.export_lines()
    rows = json.loads((ROOT / "tests" / "vectors" / "records.json").read_text())
    for row in rows:
        with pytest.raises(sublet.SubletError) as caught:
            engine.import_lines("\n".join(row["lines"]).encode())
        assert caught.value.code == row["error"], row["lines"]
    assert (engine.revision, engine.export_lines()) == (revision, before)
    assert len(rows) > 30
