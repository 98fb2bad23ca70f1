"""What an open pull request still waits for, in words: the forge's rules, and one of ours.

The rules are the forge's. It is asked before a merge, too: an account that a forge lets past its
rules (the one that pushes rollbacks) would merge through them, and `approve` must not. Where the
forge asks for no approval at all, what `approvals:` of the environment says holds, counted by the
forge's reviews: a token in the environment must not make a rule weaker.
"""

from __future__ import annotations

from gitops.actions.proposals.find import OpenProposal
from gitops.actions.proposals.makers import counted, made_by
from gitops.core.environments.environment import Approvals
from gitops.ports import Forge, PullRequest, Readiness


def waits_for(
    pull: PullRequest,
    ready: Readiness,
    rule: Approvals,
    makers: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Return what is in the way of an ordinary merge, the forge's own words last; () when nothing.

    Args:
        rule: `approvals:` of the environment.
        makers: login names, in lower case, of who wrote or pushed some of it: their approvals are
            not counted.
    """
    texts = ["somebody to say that it is no draft any more"] if pull.draft else []
    texts += _approvals(ready, rule, makers)
    states = ready.checks
    if states is not None:
        for name in ready.checks_wanted:
            state = states.get(name)
            if state != "success":
                how = {"pending": "is pending", "failure": "failed"}
                texts.append(f"check {name}, which {how.get(state or '', 'nobody reported')}")
    texts += [f"the forge ({words})" for words in ready.reasons]
    if ready.mergeable is False and not texts:
        texts.append(f"the forge (it does not merge into {pull.base})")
    return tuple(texts)


def may_wait(pull: PullRequest, ready: Readiness, rule: Approvals, makers: frozenset[str]) -> bool:
    """Say whether a forge that merges by itself may be left to wait: only for checks, and its turn.

    Who approved is counted here, and once it is handed over nobody counts again.
    """
    if ready.hands_over is None or pull.draft or ready.mergeable is False:
        return False
    states = ready.checks or {}
    failed = any(states.get(name) == "failure" for name in ready.checks_wanted)
    stale = any("up to date" in words for words in ready.reasons) and not ready.queue_only
    return not (failed or stale or _approvals(ready, rule, makers))


def makers_of(
    forge: Forge,
    number: int,
    ready: Readiness,
    rule: Approvals,
    present: OpenProposal,
) -> frozenset[str]:
    """Return who wrote, committed or pushed something of a pull request, in lower case.

    Nobody is asked for where nobody approved, or an author may. Whoever pushed a merge that only
    brings the base in on top of the head before it wrote nothing; with anything else below it, they
    did.
    """
    if rule.self or not ready.approvals:
        return frozenset()
    return made_by(forge.makers(number), present.commits, present.updates)


def _approvals(ready: Readiness, rule: Approvals, makers: frozenset[str]) -> list[str]:
    names = counted(ready.approvals, makers)
    given = len(names)
    wanted, whose = ready.approvals_wanted or 0, "the forge"
    if wanted == 0:
        # Whoever merges has looked, too, where an author may approve.
        wanted, whose = rule.required - (1 if rule.self else 0), "gitops.yaml"
    missing = wanted - given
    if missing <= 0:
        return []
    plural = "approval" if missing == 1 else "approvals"
    have = f"; {', '.join(sorted(names))} approved" if given else ""
    void = sorted(set(ready.approvals) - set(names))
    have += f"; {', '.join(void)} approved, and made some of it" if void else ""
    return [f"{missing} {plural} ({whose} asks for {wanted}{have})"]
