"""The vectors of events, run from Python. Also sinks, forks, processes and metrics."""

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest
import sublet
from sublet.types import Event

ROOT = Path(__file__).resolve().parents[2]
SCENES: list[dict[str, Any]] = json.loads((ROOT / "tests" / "vectors" / "events.json").read_text())
AGENCY = (ROOT / "policies" / "tests" / "agency.jsonl").read_text()
NOBODY = (("Account", "nobody"), "campaign.read", ("Account", "nobody"))
MASKED = {"latency_us", "bundle", "replaced"}


def around(step: dict[str, Any]) -> dict[str, Any]:
    found = {name: step[name] for name in ("host", "context") if name in step}
    return {**found, "actor": tuple(step["actor"])} if "actor" in step else found


def request_parts(given: list[Any]) -> tuple[Any, Any, Any]:
    return tuple(given[0]), given[1], given[2]


def record(asked: list[Any], step: dict[str, Any]) -> dict[str, Any]:
    return {"principal": tuple(asked[0]), "action": asked[1], "resource": asked[2], **around(step)}


def take(engine: sublet.Engine, clock: sublet.ManualClock, step: dict[str, Any], operations: dict[str, int]) -> None:
    keyed: dict[str, Any] = {"idempotency_key": step["idempotency_key"]} if "idempotency_key" in step else {}
    amount = {"amount": step["amount"]} if "amount" in step else {}
    if "authorize" in step:
        engine.authorize(*request_parts(step["authorize"]), **around(step))
    elif "check" in step:
        engine.check(*request_parts(step["check"]), **around(step))
    elif "check_many" in step:
        engine.check_many([record(one, step) for one in step["check_many"]])
    elif "authorize_many" in step:
        engine.authorize_many([record(one, step) for one in step["authorize_many"]])
    elif "consume" in step or "reserve" in step:
        if "consume" in step:
            given = step["consume"]
            done = engine.consume(*request_parts(given), given[3], **{**keyed, **around(step)})
        else:
            given = step["reserve"]
            done = engine.reserve(*request_parts(given), given[3], **{**keyed, "ttl": step["ttl"], **around(step)})
        if "as" in step and done.operation is not None:
            operations[step["as"]] = done.operation
    elif "refund" in step:
        engine.refund(operations[step["refund"]], **amount)
    elif "commit" in step:
        engine.commit(operations[step["commit"]], **amount)
    elif "top_up" in step:
        engine.top_up(*step["top_up"])
    elif "login" in step:
        engine.login(*step["login"])
    elif "login_hosts" in step:
        principal, host = step["login_hosts"]
        engine.login_hosts(tuple(principal), host=host)
    elif "desk" in step:
        engine.route_ticket(tuple(step["desk"][0]), step["desk"][1], **around(step))
    elif "open_ticket" in step:
        engine.open_ticket(tuple(step["open_ticket"][0]), step["open_ticket"][1], **around(step))
    elif "pay" in step:
        engine.record_payment(*step["pay"], **keyed)
    elif "close_month" in step:
        engine.close_month(*step["close_month"])
    elif "perform" in step:
        try:
            engine.perform(tuple(step["by"]), step["perform"], **keyed, **around(step))
        except sublet.SubletError:
            pass
    elif "change" in step:
        change = step["change"]
        engine.apply_changes(change.get("put"), remove=[tuple(one) for one in change.get("remove", [])])
    elif "advance" in step:
        clock.advance(step["advance"])
    elif "import" in step:
        engine.import_lines(AGENCY)
    else:
        assert step["reload"], step
        engine.reload(ROOT / "policies")


def mask_events(events: list[Event]) -> list[dict[str, Any]]:
    """Removes the values that differ from run to run, and numbers the operations in their order."""
    known: list[object] = []

    def number(value: object) -> int:
        if value not in known:
            known.append(value)
        return known.index(value) + 1

    told = [{name: value for name, value in event.items() if name not in MASKED} for event in events]
    return [{name: number(value) if name in ("operation", "parent") else value for name, value in event.items()} for event in told]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene["description"])
def test_event_vectors_match(scene: dict[str, Any]) -> None:
    clock = sublet.ManualClock("2026-01-31T12:00:00Z")
    engine = sublet.Engine.open(ROOT / "policies", clock=clock)
    engine.import_lines(AGENCY)
    told: list[Event] = []
    with engine.subscribe(callback=told.append, **scene["options"]) as log:
        operations: dict[str, int] = {}
        for step in scene["steps"]:
            take(engine, clock, step, operations)
        assert log.flush()
    assert mask_events(told) == scene["events"]
    assert log.delivered == len(told) and (log.dropped, log.failed) == (0, 0)


def test_raising_callback_is_counted(engine: sublet.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)

    def raising(event: Event) -> None:
        raise SystemExit(event["event"])

    log = engine.subscribe(callback=raising)
    for _ in range(10):
        assert not engine.check(*NOBODY)
    assert log.close()
    assert (log.delivered, log.dropped, log.failed, len(shown)) == (0, 0, 10, 1)


def test_callback_requests_emit_no_events(engine: sublet.Engine) -> None:
    """Requests inside a callback would otherwise cause new events without end."""
    told: list[Event] = []

    def asking(event: Event) -> None:
        told.append(event)
        engine.check(*NOBODY)

    log = engine.subscribe(callback=asking)
    engine.check(*NOBODY)
    assert log.close() and len(told) == 1


def test_slow_callback_gets_dropped_count(engine: sublet.Engine) -> None:
    """Events beyond the queue are dropped, and a later event states their number."""
    told: list[Event] = []
    gate = threading.Event()

    def slow(event: Event) -> None:
        gate.wait()
        told.append(event)

    log = engine.subscribe(callback=slow, queue=32)
    threads = [threading.Thread(target=lambda: [engine.check(*NOBODY) for _ in range(2_000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate.set()
    assert log.close()
    decisions = [event for event in told if event["event"] == "decision"]
    lost = sum(event.get("count", 0) for event in told)
    assert log.dropped == lost > 0 and log.delivered == len(decisions)
    assert log.delivered + log.dropped == 8_000
    assert engine.metrics()["events"] == {"delivered": len(decisions), "dropped": lost, "failed": 0}


def test_standard_logger_gets_events(engine: sublet.Engine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="sublet")
    log = engine.subscribe(logger=True)
    engine.check(*NOBODY)
    engine.apply_changes(remove=[("TeamMember", "hal")])
    assert log.close()
    found = [(entry.name, entry.levelname, entry.getMessage().strip(), cast(Any, entry).sublet["event"]) for entry in caplog.records]
    assert found == [
        ("sublet", "WARNING", "decision campaign.read principal_unknown", "decision"),
        ("sublet", "INFO", "change apply_changes", "change"),
    ]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_forked_children_share_the_log_file(engine: sublet.Engine, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = engine.subscribe(path)
    stop = threading.Event()
    busy = threading.Thread(target=lambda: [engine.check(*NOBODY) for _ in iter(stop.is_set, True)])
    busy.start()
    children: list[int] = []
    for number in range(20):
        child = os.fork()
        if child == 0:
            for _ in range(10):
                engine.check(("Account", f"child-{number}"), "campaign.read", ("Account", "nobody"))
            os._exit(0 if log.close() and log.delivered == 10 else 1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 20
    stop.set()
    busy.join()
    assert log.close()
    found = [event["principal"][1] for event in lines(path)]
    for number in range(20):
        assert found.count(f"child-{number}") == 10
    assert found.count("nobody") == log.delivered


def test_forked_child_has_its_own_callback(engine: sublet.Engine) -> None:
    told: list[Event] = []
    log = engine.subscribe(callback=told.append)
    engine.check(*NOBODY)
    assert log.flush()
    child = os.fork()
    if child == 0:
        engine.check(*NOBODY)
        os._exit(0 if log.flush() and len(told) == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert len(told) == 1


WRITER = """
import sys, sublet
engine = sublet.Engine.open()
engine.subscribe(sys.argv[1], rotate_bytes=20_000, max_old_files=1000, queue=100_000)
for number in range(2_000):
    engine.check(("Account", f"{sys.argv[2]}-{number}"), "campaign.read", ("Account", "nobody"))
"""

NODE_WRITER = """
const { Engine } = require(process.argv[1]);
const engine = Engine.open();
engine.subscribe({ path: process.argv[2], rotateBytes: 20_000, maxOldFiles: 1000, queue: 100_000 });
for (let number = 0; number < 2_000; number += 1) engine.check(['Account', `node-${number}`], 'campaign.read', ['Account', 'nobody']);
"""


def test_python_and_node_share_a_log_file(tmp_path: Path) -> None:
    """No line is lost or torn."""
    path = tmp_path / "events.jsonl"
    commands = [[sys.executable, "-c", WRITER, str(path), name] for name in ("one", "two")]
    commands.append(["node", "-e", NODE_WRITER, str(ROOT / "bindings-node" / "index.js"), str(path)])
    running = [subprocess.Popen(command) for command in commands]
    assert [process.wait(120) for process in running] == [0, 0, 0]
    files = [found for found in tmp_path.iterdir() if found.suffix != ".lock"]
    told = sorted(event["principal"][1] for found in files for event in lines(found))
    assert told == sorted(f"{name}-{number}" for name in ("one", "two", "node") for number in range(2_000))
    assert len(files) > 3


def test_log_ends_with_the_interpreter(tmp_path: Path) -> None:
    program = """
import sys, sublet
engine = sublet.Engine.open()
file = engine.subscribe(sys.argv[1])
shown = engine.subscribe(callback=lambda event: print(event["code"]))
for _ in range(500):
    engine.check(("Account", "nobody"), "campaign.read", ("Account", "nobody"))
"""
    path = tmp_path / "events.jsonl"
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60, check=True)
    assert (len(lines(path)), done.stdout.split(), done.stderr) == (500, ["principal_unknown"] * 500, "")


def test_log_ends_with_its_engine(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    told: list[Event] = []
    engine = sublet.Engine.open()
    engine.subscribe(path)
    engine.subscribe(callback=told.append)
    for _ in range(300):
        engine.check(*NOBODY)
    del engine
    assert (len(lines(path)), len(told)) == (300, 300)


def test_invalid_option_is_refused(engine: sublet.Engine, tmp_path: Path) -> None:
    def refused(**options: Any) -> str:
        with pytest.raises(sublet.SubletError) as raised:
            engine.subscribe(**options)
        return raised.value.code

    call = {"callback": print}
    assert refused() == refused(callback=7) == refused(path=tmp_path / "x", callback=print) == "input.value"
    assert refused(**call, events=["dropped"]) == refused(**call, redact=["e-mail"]) == "input.option"
    assert refused(**call, sample_allowed=2.0) == refused(**call, queue=0) == "input.option"
    assert refused(path=tmp_path / "no" / "folder") == "store.stream"


def test_async_engine_emits_events() -> None:
    async def main() -> list[Event]:
        told: list[Event] = []
        engine = await sublet.AsyncEngine.open()
        log = await engine.subscribe(callback=told.append)
        await engine.check(*NOBODY)
        assert await asyncio.to_thread(log.close)
        return told

    assert [event.get("verb") for event in asyncio.run(main())] == ["check"]


def test_metrics_count_each_method(engine: sublet.Engine) -> None:
    assert not engine.metrics()["measured"]
    engine.enable_metrics()
    for _ in range(5):
        engine.check(*NOBODY)
    with pytest.raises(sublet.InputError):
        engine.authorize(("Account", "acme"), "no.such", ("Account", "acme"))
    engine.login("app.acme.example", "hello@bakery.example")
    engine.apply_changes(remove=[("TeamMember", "hal")])
    stats = engine.metrics()
    assert [(one["action"], one["code"], one["count"]) for one in stats["decisions"]] == [
        ("campaign.read", "principal_unknown", 5),
        ("login", "ok", 1),
    ]
    assert all(sum(one["buckets"]) == one["count"] and len(one["buckets"]) == len(stats["bounds_us"]) + 1 for one in stats["decisions"])
    assert stats["errors"] == [{"verb": "authorize", "code": "input.unknown_action", "count": 1}]
    assert (stats["changes"], stats["reloads"]) == (1, 0)


def test_prometheus_reads_the_metrics(engine: sublet.Engine) -> None:
    from prometheus_client import CollectorRegistry, generate_latest
    from sublet.prometheus import SubletCollector

    registry = CollectorRegistry()
    registry.register(SubletCollector(engine))
    for _ in range(3):
        engine.check(*NOBODY)
    engine.reload(ROOT / "policies")
    text = generate_latest(registry).decode()
    labels = 'action="campaign.read",code="principal_unknown"'
    assert f"sublet_decision_seconds_count{{{labels}}} 3.0" in text
    assert f'sublet_decision_seconds_bucket{{{labels},le="+Inf"}} 3.0' in text
    assert "sublet_reloads_total 1.0" in text and 'sublet_log_events_total{outcome="dropped"} 0.0' in text


def test_opentelemetry_reads_the_metrics(engine: sublet.Engine) -> None:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from sublet.opentelemetry import instrument

    reader = InMemoryMetricReader()
    instrument(engine, MeterProvider([reader]).get_meter("test"))
    for _ in range(3):
        engine.check(*NOBODY)
    data = reader.get_metrics_data()
    assert data is not None
    found = {metric.name: list(metric.data.data_points) for scope in data.resource_metrics[0].scope_metrics for metric in scope.metrics}
    decisions = cast(Any, found["sublet.decisions"][0])
    assert (decisions.value, dict(decisions.attributes)) == (3, {"action": "campaign.read", "code": "principal_unknown"})
    buckets = cast(Any, found["sublet.decision.buckets"])
    assert {point.value for point in buckets if point.attributes["le"] == "+Inf"} == {3}


def test_hanging_callback_blocks_no_method(engine: sublet.Engine) -> None:
    gate = threading.Event()
    log = engine.subscribe(callback=lambda _: gate.wait(), queue=4)
    begun = time.monotonic()
    for _ in range(1_000):
        engine.check(*NOBODY)
    assert time.monotonic() - begun < 5 and not log.flush(0.05)
    gate.set()
    assert log.close()
