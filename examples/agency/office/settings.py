"""What the environment says. The sending service reads the same names."""

import os
from pathlib import Path

STATE = Path(os.environ.get("AGENCY_STATE", "target/example"))
"""The folder that both services share: Sublet's store, and what each keeps beside it."""

POLICIES = STATE / "policies"
"""The bundle. All processes load the same one: the price and the days of grace are those of the process that opened last."""

SECRET = os.environ["AGENCY_SECRET"].encode()
"""What sessions are signed with. Both services have it, so a session of one is good at the other."""

TRYING = "AGENCY_TRYING" in os.environ
"""Only for trying out and for tests: a clock that can be set, and mails that can be read over HTTP. Never in production."""

PLATFORM = ("Platform", "mmio")
"""The vendor. The realm of everybody who is nobody's client."""
