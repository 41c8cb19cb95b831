"""The thread that delivers events, and events as records of the standard library's `logging`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ._sublet import _Pulled, _show


def deliver(log: _Pulled, callback: Callable[[dict[str, Any]], object]) -> None:
    """Calls back with one event at a time until the log is closed. The first exception is shown, all are counted."""
    shown = False
    while (events := log.pull()) is not None:
        failed = 0
        for event in events:
            try:
                callback(event)
            except BaseException as error:
                failed += 1
                if not shown:
                    shown = True
                    _show(error, callback)
        log.done(failed)


def sink(logger: logging.Logger | str) -> Callable[[dict[str, Any]], None]:
    """What hands events to a logger: itself, or by its name.

    Erring policies are told at ERROR, refusals and lost events at WARNING, all else at INFO. The event is `record.sublet`.
    """
    target = logging.getLogger(logger) if isinstance(logger, str) else logger

    def tell(event: dict[str, Any]) -> None:
        if "errors" in event:
            level = logging.ERROR
        elif event["event"] == "dropped" or event.get("allowed") is False:
            level = logging.WARNING
        else:
            level = logging.INFO
        about = event.get("action") or event.get("command") or event.get("verb") or ""
        target.log(level, "%s %s %s", event["event"], about, event.get("code", ""), extra={"sublet": event})

    return tell
