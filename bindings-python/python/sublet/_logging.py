"""Events as records of the standard library's `logging`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any


def sink(logger: logging.Logger | str | bool) -> Callable[[dict[str, Any]], None]:
    """What hands events to a logger: one by its name, or `sublet`.

    Erring policies are told at ERROR, refusals and lost events at WARNING, all else at INFO. The event is `record.sublet`.
    """
    named = "sublet" if isinstance(logger, bool) else logger
    target = logging.getLogger(named) if isinstance(named, str) else named

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
