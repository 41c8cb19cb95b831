"""The bill for client accounts over the package's number. Sublet counts and draws; the money is somebody else's. (B2 to B6)

Sublet's verbs about bills ask nobody. So we ask first: the account itself reads its bill, the platform's staff keep the books.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Body

from .answers import allowed
from .policy import engine
from .visitors import Asking, Key, Visitor

router = APIRouter(prefix="/accounts/{account}")


def may(action: str, account: str, visitor: Visitor) -> None:
    allowed(engine().authorize(visitor.principal, action, ("Account", account), **visitor.around))
