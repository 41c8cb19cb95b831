"""Trying a campaign out: a copy to some addresses. It is sent as any other e-mail is, and counts as one. (M2, Q1)"""

from typing import Annotated, Any

from fastapi import APIRouter, Body

from .answers import allowed
from .policy import engine
from .visitors import Asking, Key

router = APIRouter()


@router.post("/accounts/{account}/campaigns/{campaign}/try")
def try_out(account: str, campaign: str, copies: Annotated[int, Body(embed=True, strict=True)], visitor: Asking, key: Key = None) -> dict[str, Any]:
    """A campaign is told by its account and its id: whether the account is the visitor's is asked with everything else."""
    resource = {"type": "Campaign", "id": campaign, "account": account}
    sent = allowed(engine().consume(visitor.principal, "campaign.send", resource, copies, idempotency_key=key, **visitor.around))
    return {"code": sent.code, "operation": sent.operation, "replayed": sent.replayed, "left": sent.quota[0]["remaining"], "advice": sent.advice}
