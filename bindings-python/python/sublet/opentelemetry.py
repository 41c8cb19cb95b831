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
    target = meter if meter is not None else get_meter("sublet", __version__)
    for name, unit, description, read in COUNTERS:

        def observe(
            _: CallbackOptions, read: Callable[[Stats], Iterable[Observation]] = read
        ) -> Iterable[Observation]:
            return list(read(engine.metrics()))

        target.create_observable_counter(
            name, callbacks=[observe], unit=unit, description=description
        )


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
            yield Observation(
                total, {"action": series["action"], "code": series["code"], "le": bound}
            )


def _errors(stats: Stats) -> Iterable[Observation]:
    for error in stats["errors"]:
        yield Observation(error["count"], {"verb": error["verb"], "code": error["code"]})


def _events(stats: Stats) -> Iterable[Observation]:
    events = stats["events"]
    yield Observation(events["delivered"], {"outcome": "delivered"})
    yield Observation(events["dropped"], {"outcome": "dropped"})
    yield Observation(events["failed"], {"outcome": "failed"})


def _reloads(stats: Stats) -> Iterable[Observation]:
    yield Observation(stats["reloads"])


def _changes(stats: Stats) -> Iterable[Observation]:
    yield Observation(stats["changes"])


# Each counter with its unit, its description and its values.
COUNTERS: tuple[tuple[str, str, str, Callable[[Stats], Iterable[Observation]]], ...] = (
    ("sublet.decisions", "{decision}", "Decisions.", _decisions),
    ("sublet.decision.time", "us", "Duration of the decisions in total.", _time),
    ("sublet.decision.buckets", "{decision}", "Decisions that took at most `le`.", _buckets),
    ("sublet.errors", "{error}", "Calls that failed.", _errors),
    ("sublet.reloads", "{reload}", "Reloads of the policies.", _reloads),
    ("sublet.changes", "{change}", "Changes of the directory.", _changes),
    ("sublet.log.events", "{event}", "Events of all subscriptions.", _events),
)
