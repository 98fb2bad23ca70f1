"""GitLab, hosted or of one's own, through python-gitlab.

What was read of GitLab (its documentation and source) and is relied on: a merge is refused with 405
for whatever `detailed_merge_status` says, also too soon after creation, with 409 when the head is
another one, and with 401 when the caller may not merge; `squash: false` does not undo a project's
own setting, so both messages are always sent; the list of reviewers is replaced by an update;
lines that begin with a slash are commands, in descriptions and comments too, so such a line is
escaped; the same status twice is a transition that is refused.
What was seen of python-gitlab 8.6.0: no time limit unless told; it waits as long as a limit on
requests says; its errors come without headers, so a hook keeps them; it would follow redirects to
another host with a token in a header of its own.
Hosted GitLab was not asked: the tests run against a server of their own, and against the real one
only where somebody gives them a token.
"""

from __future__ import annotations

from gitops.adapters.forges.gitlab.forge import GitlabForge, open_gitlab

__all__ = ["GitlabForge", "open_gitlab"]
