"""Gitea and Forgejo, through pyforgejo.

What was seen of Gitea 1.25.4 and is relied on: it decides a merge in the order rights, mergeable,
statuses, approvals, head. "Please try again later" it says both while it is still checking and of a
real conflict. `/pulls/BASE/HEAD` gives any pull request of the pair, open or not, so open ones are
listed. Of an ended one it tells what the branch holds now, so its head is read from
`refs/pull/N/head`. An approval counts when it is official, and neither stale nor dismissed.
What was seen of pyforgejo 2.0.7: it loads a `.env` file when it is imported, repeats refused writes
by itself unless told not to, and puts parts of paths into URLs unquoted.
"""

from __future__ import annotations

from gitops.adapters.forges.gitea.forge import GiteaForge, open_gitea

__all__ = ["GiteaForge", "open_gitea"]
