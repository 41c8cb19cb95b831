"""The statistics of an engine for OpenTelemetry: `pip install 'sublet[opentelemetry]'`.

>>> import sublet
>>> from sublet.opentelemetry import instrument
>>> engine = sublet.Engine.open()
>>> instrument(engine)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from opentelemetry.metrics import CallbackOptions, Meter, Observation, get_meter

from ._sublet import Engine, __version__
from .types import Stats

__all__ = ["instrument"]


def instrument(engine: Engine, meter: Meter | None = None) -> None:
    """Makes the engine count, and the meter (by default the global provider's) read it at each
    collection.

    `sublet.decisions` is the number of decisions, `sublet.decision.time` their duration in
    microseconds, and `sublet.decision.buckets` the number with at most `le` microseconds, up
    to `+Inf`. Each has `action` and `code`. The engine counts by itself, and an observed
    instrument cannot be a histogram.
    """
    engine.enable_metrics()
    made = meter if meter is not None else get_meter("sublet", __version__)

    def counter(name: str, unit: str, description: str, read: Callable[[Stats], Iterable[Observation]]) -> None:
        def observed(_: CallbackOptions) -> Iterable[Observation]:
            return list(read(engine.metrics()))

        made.create_observable_counter(name, callbacks=[observed], unit=unit, description=description)

    counter("sublet.decisions", "{decision}", "Answers.", _decisions)
    counter("sublet.decision.time", "us", "How long the answers took together.", _time)
    counter("sublet.decision.buckets", "{decision}", "Answers that took at most so long.", _buckets)
    counter("sublet.errors", "{error}", "Verbs that gave an error.", _errors)
    counter("sublet.reloads", "{reload}", "Swaps of the policies.", lambda stats: [Observation(stats["reloads"])])
    counter("sublet.changes", "{change}", "Changes of the directory.", lambda stats: [Observation(stats["changes"])])
    counter("sublet.log.events", "{event}", "Events of all logs.", _events)


def _decisions(stats: Stats) -> Iterable[Observation]:
    for series in stats["decisions"]:
        yield Observation(series["count"], {"action": series["action"], "code": series["code"]})


def _time(stats: Stats) -> Iterable[Observation]:
    for series in stats["decisions"]:
        yield Observation(series["sum_us"], {"action": series["action"], "code": series["code"]})


def _buckets(stats: Stats) -> Iterable[Observation]:
    bounds = [*map(str, stats["bounds_us"]), "+Inf"]
    for series in stats["decisions"]:
        total = 0
        for bound, count in zip(bounds, series["buckets"], strict=True):
            total += count
            yield Observation(total, {"action": series["action"], "code": series["code"], "le": bound})


def _errors(stats: Stats) -> Iterable[Observation]:
    for error in stats["errors"]:
        yield Observation(error["count"], {"verb": error["verb"], "code": error["code"]})


def _events(stats: Stats) -> Iterable[Observation]:
    events = stats["events"]
    yield Observation(events["delivered"], {"outcome": "delivered"})
    yield Observation(events["dropped"], {"outcome": "dropped"})
    yield Observation(events["failed"], {"outcome": "failed"})
