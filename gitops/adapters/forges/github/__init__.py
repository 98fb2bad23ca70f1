"""GitHub (also Enterprise Server and ghe.com), through PyGithub.

What was read of GitHub's description and is relied on: `/rules/branches/B` tells the active rules
of rulesets to everybody who may read, while classic protection is told to administrators; the list
of pull requests finds by `OWNER:BRANCH`; a merge is refused with 405 and a text, and with 409 when
the head moved; labels that are put on something are made.
What was seen of PyGithub 2.10.0: its objects fetch what they lack, one silent request for each
field, so its requester is used, and answers are the documents themselves; it would wait for limits
on requests, for minutes, and between writes; it takes 307 for a success.
Hosted GitHub was not asked: the tests run against a server of their own, held against GitHub's
published description, and against the real one only where somebody gives them a token.
"""

from __future__ import annotations

from gitops.adapters.forges.github.forge import GithubForge, open_github

__all__ = ["GithubForge", "open_github"]
