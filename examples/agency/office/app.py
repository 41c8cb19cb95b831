"""The application. One process of it is `uvicorn office.app:app`; `main.py` starts several."""

import os

from fastapi import FastAPI

from . import accounts, answers, billing, campaigns, entrance, helpdesk, trying
from .settings import TRYING

app = FastAPI(title="The agency's back office")
answers.install(app)
for part in (entrance, accounts, campaigns, billing, helpdesk):
    app.include_router(part.router)
if TRYING:
    app.include_router(trying.router)


@app.get("/health")
def health() -> dict[str, int]:
    """Which worker answers."""
    return {"worker": os.getpid()}
