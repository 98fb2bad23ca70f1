"""The arguments of a push that moves each branch from exactly one commit to exactly one other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gitops import interrupts
from gitops.adapters.gitrepo.command import messages
from gitops.adapters.gitrepo.command.messages import AnswerKind
from gitops.adapters.gitrepo.command.process import Git, GitResult
from gitops.errors import GitopsError, HookDeclined, TryAgain
from gitops.ports import Lost, RefUpdate, Unproven

_HEADS = "refs/heads/"
_PUSH = ("push", "--porcelain", "--no-progress", "--no-verify", "--no-follow-tags")


def push_args(updates: Sequence[RefUpdate], url: str) -> list[str]:
    """Return the arguments for `git`; several updates go as one atomic push."""
    leases = [f"--force-with-lease={update.ref}:{update.old or ''}" for update in updates]
    refs = [f"{update.new or ''}:{update.ref}" for update in updates]
    atomic = ["--atomic"] if len(updates) > 1 else []
    return [*_PUSH, "--recurse-submodules=no", *atomic, *leases, "--", url, *refs]


def try_push(git: Git, store: Sequence[str], url: str, commit: str, place: str) -> None:
    """Ask a server whether it would take a push of a new branch of ours, and push nothing.

    A rule for one branch, or a hook, is asked by a real push only. `store` are git's arguments for
    the store that has `commit`. Raises what a push does: Denied, Unavailable, TimedOut.
    """
    update = RefUpdate(f"{_HEADS}gitops/doctor", None, commit)
    push, *others = push_args([update], url)
    answer = git.run([*store, push, "--dry-run", *others], doing=f"waiting for {place}")
    verdict = messages.read_push(answer.code, answer.out.decode("utf-8", "replace"), answer.err)
    settle(verdict, [update], place, lambda: False)


def noted(
    repository: str,
    updates: Sequence[RefUpdate],
    push: Callable[[Sequence[RefUpdate]], Lost | None],
) -> Lost | None:
    """Push, and note for whoever is interrupted which branches moved, or may have.

    No updates: nobody is asked.
    """
    if not updates:
        return None
    moves = {
        update.ref.removeprefix(_HEADS): update.new
        for update in updates
        if update.ref.startswith(_HEADS) and update.new != update.old
    }
    answered = interrupts.pushing(repository, moves)
    try:
        lost = push(updates)
    except (GitopsError, Unproven) as error:
        if not isinstance(error, TryAgain):  # nobody knows what becomes of those
            answered(False)
        raise
    answered(lost is None)
    return lost


def read_answer(
    result: GitResult, updates: Sequence[RefUpdate], refs: Callable[[], Mapping[str, str]]
) -> messages.PushVerdict:
    """Sort the answer to a push; `refs` asks where the branches are now (ref -> id).

    Where a kept connection ends just after the server took the push, libcurl sends it again, and
    only the second answer is seen: the server says that the branch is not at its old commit any
    more, since it is at ours.
    """
    out = result.out.decode("utf-8", "replace")
    verdict = messages.read_push(result.code, out, result.err)
    if verdict.kind is not AnswerKind.RACE or verdict.words.startswith(messages.UNSENT):
        return verdict
    moving = [update for update in updates if update.new != update.old]
    if (there := messages.at_commit(verdict.words)) is not None:
        landed = any(update.new == there for update in moving)
    else:  # a branch that was made or deleted, or a server that does not tell where it is
        now = refs()
        landed = all(now.get(update.ref) == update.new for update in moving)
    return messages.PushVerdict(AnswerKind.LANDED, "") if landed else verdict


def settle(
    verdict: messages.PushVerdict,
    updates: Sequence[RefUpdate],
    place: str,
    moved: Callable[[], bool],
) -> Lost | None:
    """Turn a verdict on a push into what the port promises.

    `moved` looks at the branches again, which decides where nobody knows the words.
    """
    if verdict.kind is AnswerKind.LANDED:
        return None
    if verdict.kind is AnswerKind.RACE:
        return Lost(verdict.words)
    moving = [update for update in updates if update.new != update.old]
    names = ", ".join(update.ref.removeprefix(_HEADS) for update in moving)
    target = f"{names} of {place}"
    if verdict.kind is not AnswerKind.UNKNOWN:
        at_branch = verdict.kind in (
            AnswerKind.PROTECTED,
            AnswerKind.DECLINED,
            AnswerKind.CLASH,
            AnswerKind.REFUSED,
        )
        raise messages.error_of(verdict, target if at_branch else place)
    if moved():
        return Lost(verdict.words)
    raise HookDeclined(f"{target}: the server rejected the push: {verdict.words}")
