"""The statistics of an engine for Prometheus: `pip install 'sublet[prometheus]'`.

>>> import sublet
>>> from prometheus_client import CollectorRegistry, generate_latest
>>> from sublet.prometheus import SubletCollector
>>> engine = sublet.Engine.open()
>>> registry = CollectorRegistry()
>>> registry.register(SubletCollector(engine))
>>> engine.check(("Account", "nobody"), "account.read", ("Account", "nobody"))
False
>>> series = b'sublet_decision_seconds_count{action="account.read",code="principal_unknown"} 1.0'
>>> series in generate_latest(registry)
True
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ._sublet import Engine
from .types import DecisionSeries

__all__ = ["SubletCollector"]

MICRO = 1e-6


class SubletCollector(Collector):
    """A collector that makes the engine count, and reads it at each scrape."""

    def __init__(self, engine: Engine) -> None:
        engine.enable_metrics()
        self._engine = engine

    def describe(self) -> Iterable[Metric]:
        """Returns nothing, because registration reads nothing."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Returns the current statistics."""
        stats = self._engine.metrics()
        seconds = HistogramMetricFamily(
            "sublet_decision_seconds",
            "Decisions and their durations in seconds.",
            labels=["action", "code"],
        )
        for series in stats["decisions"]:
            buckets = _buckets(stats["bounds_us"], series)
            seconds.add_metric(
                [series["action"], series["code"]], buckets, sum_value=series["sum_us"] * MICRO
            )
        errors = CounterMetricFamily("sublet_errors", "Calls that failed.", labels=["verb", "code"])
        for error in stats["errors"]:
            errors.add_metric([error["verb"], error["code"]], error["count"])
        events = CounterMetricFamily(
            "sublet_log_events", "Events of all subscriptions.", labels=["outcome"]
        )
        for outcome, count in (
            ("delivered", stats["events"]["delivered"]),
            ("dropped", stats["events"]["dropped"]),
            ("failed", stats["events"]["failed"]),
        ):
            events.add_metric([outcome], count)
        return [
            seconds,
            errors,
            CounterMetricFamily(
                "sublet_reloads", "Reloads of the policies.", value=stats["reloads"]
            ),
            CounterMetricFamily(
                "sublet_changes", "Changes of the directory.", value=stats["changes"]
            ),
            events,
        ]


def _buckets(bounds: Sequence[int], series: DecisionSeries) -> list[tuple[str, float]]:
    names = [repr(bound * MICRO) for bound in bounds] + ["+Inf"]
    return [
        (name, float(count))
        for name, count in zip(names, accumulate(series["buckets"]), strict=True)
    ]
