"""What the commit that lands a proposal says."""

from __future__ import annotations

from gitops.core.git.message import trailers
from gitops.core.proposals.approval import merge_message

PROPOSED = """prod: deploy shop/api 2

Gitops-Action: deploy
Gitops-Environment: prod
Gitops-Via: page
Gitops-Actor: user:boss@example.com
Source-Revision: main@sha1:0123456
"""


def test_who_asked_is_not_taken_from_the_branch() -> None:
    """Whoever may push the branch could have written it; the audit tells it as a fact."""
    text = merge_message(PROPOSED, label="prod", changes=[], approved_by=["Ben"], intent="i" * 32)
    said = trailers(text)
    assert {"Gitops-Via", "Gitops-Actor"}.isdisjoint(said)
    assert ("main@sha1:0123456",) == said["Source-Revision"]
