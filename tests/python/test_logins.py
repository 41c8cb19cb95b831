"""The login table from Python: every credential flow at every kind of host, for every kind of
login."""

import json
from pathlib import Path
from typing import Any

import sublet

ROOT = Path(__file__).resolve().parents[2]
TABLE: dict[str, Any] = json.loads((ROOT / "tests" / "vectors" / "logins.json").read_text())


def test_every_flow_login_and_host_is_checked() -> None:
    engine = sublet.Engine.open()
    engine.import_lines(ROOT / "policies" / "tests" / "agency.jsonl")
    engine.apply_changes(TABLE["given"])
    wrong = []
    for flow in TABLE["flows"]:
        for row in TABLE["logins"]:
            login, home = tuple(row["login"]), tuple(row["home"])
            for channel in (None, "job", "mail"):
                assert engine.authorize(login, flow, home, channel=channel).code == TABLE["nowhere"], (flow, row["who"])
            for kind, host in TABLE["hosts"].items():
                code = row.get(flow, {}).get(kind) or row.get(kind) or TABLE["anyone"][kind]
                found = kind in row["found"]
                answer = engine.login(host, row["email"], action=flow)
                got = (engine.authorize(login, flow, home, host=host).code, answer.log_code, answer.public_code, bool(answer), answer.principal)
                wanted = (code, code, "ok" if code == "ok" else "login_refused", code == "ok", login if found else None)
                if got != wanted:
                    wrong.append(f"{flow}, {row['who']}, at {kind}: {got}, not {wanted}")
    assert not wrong, "\n".join(wrong)
