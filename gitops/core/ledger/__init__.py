"""What was seen of releases: verdicts and approvals, and who signed them."""

from typing import Final

LEDGER_BRANCH: Final = "gitops/ledger"
"""Where it is kept."""

LARGEST_PART: Final = 256 * 1024
"""Bytes of a file beyond which the next line begins another one: who appends writes little, and who
asks for the newest words reads little."""
