"""Delivers events on a thread, and as records of the standard library's `logging`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ._sublet import _EventQueue, _show


def deliver(queue: _EventQueue, callback: Callable[[dict[str, Any]], object]) -> None:
    """Calls the callback with each event until the log is closed.

    The first exception of the callback is reported; all are counted.
    """
    reported = False
    while (events := queue.pull()) is not None:
        failed = 0
        for event in events:
            try:
                callback(event)
            except BaseException as error:
                failed += 1
                if not reported:
                    reported = True
                    _show(error, callback)
        queue.acknowledge(failed)


def sink(logger: logging.Logger | str) -> Callable[[dict[str, Any]], None]:
    """Returns a callback that passes events to a logger.

    Policies that fail are logged at ERROR, refusals and lost events at WARNING, other events at
    INFO. The event is `record.sublet`.
    """
    target = logging.getLogger(logger) if isinstance(logger, str) else logger

    def emit(event: dict[str, Any]) -> None:
        if "errors" in event:
            level = logging.ERROR
        elif event["event"] == "dropped" or event.get("allowed") is False:
            level = logging.WARNING
        else:
            level = logging.INFO
        subject = event.get("action") or event.get("command") or event.get("verb") or ""
        arguments = (event["event"], subject, event.get("code", ""))
        target.log(level, "%s %s %s", *arguments, extra={"sublet": event})

    return emit
