"""Sublet: an embeddable policy engine for software that is sold under other people's names.

>>> import sublet
>>> engine = sublet.Engine.open()
>>> engine.import_lines('{"type": "Platform", "id": "mmio"}')
1
>>> engine.authorize(("Account", "nobody"), "account.read", ("Account", "nobody")).code
'principal_unknown'
"""

from ._sublet import (
    AccountHosts,
    Action,
    BillingError,
    BundleError,
    CountReceipt,
    Decision,
    TicketRoute,
    DirectoryError,
    Engine,
    Explanation,
    Host,
    InputError,
    InternalError,
    LogHandle,
    Login,
    LoginHosts,
    ManualClock,
    Performed,
    Principal,
    QuotaError,
    ResourceType,
    TicketOutcome,
    StoreError,
    SubletError,
    __version__,
    error_codes,
    normalise_host,
)
from . import _exit as _exit
from .aio import AsyncEngine

__all__ = [
    "AccountHosts",
    "Action",
    "AsyncEngine",
    "BillingError",
    "BundleError",
    "CountReceipt",
    "Decision",
    "TicketRoute",
    "DirectoryError",
    "Engine",
    "Explanation",
    "Host",
    "InputError",
    "InternalError",
    "LogHandle",
    "Login",
    "LoginHosts",
    "ManualClock",
    "Performed",
    "Principal",
    "QuotaError",
    "ResourceType",
    "TicketOutcome",
    "StoreError",
    "SubletError",
    "__version__",
    "error_codes",
    "normalise_host",
]
