"""How answers become HTTP: a refusal is 403 with its code, an error is JSON with its code, and strangers learn nothing."""

import logging

import sublet
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

log = logging.getLogger("office")

STATUS = {"input": 400, "directory": 409, "billing": 409, "quota": 409, "store": 503}
"""The status of each family of errors. What is missing here is our fault: 500."""


class Refused(Exception):
    """No, and why."""

    def __init__(self, code: str, status: int = 403) -> None:
        super().__init__(code)
        self.code, self.status = code, status


class KnownButRefused(Refused):
    """No, why, and at which hosts the login comes in: for one that has proved who it is."""

    def __init__(self, code: str, hosts: tuple[str, ...]) -> None:
        super().__init__(code)
        self.hosts = hosts


def allowed(decision: sublet.Decision) -> sublet.Decision:
    """The decision, if it is yes."""
    if not decision:
        raise Refused(decision.code)
    return decision


def stranger(why: str) -> Refused:
    """The one answer for whoever has no session: the precise code is for our log alone. (D7)"""
    log.warning("login refused: %s", why)
    return Refused("login_refused", 401)


def install(app: FastAPI) -> None:
    """Makes the answers of what is raised."""

    @app.exception_handler(Refused)
    def refused(_request: Request, no: Refused) -> JSONResponse:
        hosts = {"hosts": no.hosts} if isinstance(no, KnownButRefused) else {}
        return JSONResponse({"code": no.code, **hosts}, no.status)

    @app.exception_handler(sublet.SubletError)
    def failed(_request: Request, error: sublet.SubletError) -> JSONResponse:
        status = 404 if ".unknown_" in error.code else STATUS.get(error.code.partition(".")[0], 500)
        return JSONResponse({"error": error.code, "message": str(error), "help": error.help}, status)

    @app.exception_handler(Exception)
    def broken(_request: Request, _error: Exception) -> JSONResponse:
        # Uvicorn logs what it was.
        return JSONResponse({"error": "http", "message": "see the log", "help": None}, 500)
