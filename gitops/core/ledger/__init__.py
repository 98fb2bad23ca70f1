"""What was seen of releases: verdicts and approvals, and who signed them."""

from typing import Final

LEDGER_BRANCH: Final = "gitops/ledger"
"""Where it is kept."""
