"""The main job: the requests of the help page on a sample agency, from Python and Node side by
side."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import sublet

HERE = Path(__file__).resolve().parent
POLICIES = HERE.parents[1] / "policies"


def pair(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def bill(question: dict[str, Any]) -> list[Any]:
    """Settles a month of an owner with so many clients, after a payment of so many cents."""
    clock = sublet.ManualClock("2026-01-15T12:00:00Z")
    engine = sublet.Engine.open(POLICIES, clock=clock)
    owner = {"type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": True}
    clients = [{"type": "Account", "id": f"c{at}", "email": f"c{at}@c.example", "owner": "acme"} for at in range(question["clients"])]
    engine.apply_changes([owner, *clients])
    clock.set("2026-02-01T00:00:00Z")
    if question["cents"]:
        engine.record_payment("acme", "2026-01", question["cents"])
    month = engine.settle_overage("acme", "2026-01")
    found = f"{month['excess']} excess, {month['due_cents']} cents due, {len(month['disabled'])} disabled"
    return [sublet.Engine.verify_draw(month), found, ""]


def answer(engine: sublet.Engine, question: dict[str, Any]) -> list[Any]:
    if question["call"] == "bill":
        return bill(question)
    asked = {key: value for key, value in question.items() if key not in ("page", "call", "principal", "action", "resource", "about", "email")}
    asked = {key: pair(value) if key == "actor" else value for key, value in asked.items()}
    if question["call"] == "login":
        login = engine.login(question["host"], question["email"])
        code = login.log_code if login.log_code == login.public_code else f"{login.public_code} ({login.log_code})"
        return [login.allowed, code, login.decision.policies[0] if login.decision else ""]
    if question["call"] == "desk":
        desk = engine.route_ticket(pair(question["principal"]), pair(question["about"]), **asked)
        return [desk.desk is not None, f"desk: {desk.desk or desk.code}", next(iter(desk.decision.policies), "")]
    decision = engine.authorize(pair(question["principal"]), question["action"], pair(question["resource"]), **asked)
    return [decision.allowed, decision.code, next(iter(decision.policies), "")]


def name(thing: Any) -> str:
    kind, ident = (thing["type"], thing["id"]) if isinstance(thing, dict) else thing
    owner = f" of {thing['account']}" if isinstance(thing, dict) and "account" in thing else ""
    return f"{kind} {ident}{owner}"


def asked(question: dict[str, Any]) -> str:
    at = f" at {question['host']}" if "host" in question else ""
    if question["call"] == "login":
        return f"login {question['email']}{at}"
    if question["call"] == "desk":
        return f"{name(question['principal'])}: whose desk?{at}"
    if question["call"] == "bill":
        return f"bill of {question['clients']} clients after {question['cents']} cents: is the draw right?"
    actor = f" (acting: {name(question['actor'])})" if "actor" in question else ""
    return f"{name(question['principal'])}{actor}: {question['action']} on {name(question['resource'])}{at}"


def main() -> int:
    questions = json.loads((HERE / "questions.json").read_text())
    engine = sublet.Engine.open(POLICIES)
    engine.import_lines(POLICIES / "tests" / "agency.jsonl")
    node = subprocess.run(["node", str(HERE / "demo.mjs")], capture_output=True, text=True, check=True)
    theirs = [json.loads(line) for line in node.stdout.splitlines()]
    bundle = engine.bundle()
    print(f"Bundle {bundle['fingerprint']}: {len(bundle['policies'])} policies, {len(bundle['actions'])} actions, {len(bundle['features'])} features.")
    print(f"\n  {'Python':<7} {'Node':<7} {'code':<46} deciding policy")
    page, differ, count = None, 0, 0
    for question in questions:
        if question["page"] != page:
            page = question["page"]
            print(f"\n{page}")
        mine, other = answer(engine, question), theirs[count]
        count += 1
        same = mine == other
        differ += not same
        words = ["yes" if found[0] else "no" for found in (mine, other)]
        print(f"  {asked(question)}\n    {words[0]:<5} {words[1]:<7} {mine[1]:<46} {mine[2]}" + ("" if same else f"   NODE SAYS {other}"))
    print(f"\n{count} questions, {count - differ} answered alike in Python and Node, {differ} not.")
    return 1 if differ or count != len(theirs) else 0


if __name__ == "__main__":
    sys.exit(main())
