"""Commits with a signature: made by Git with the caller's key, or by a forge with its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gitops.adapters.gitrepo.command import messages
from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.codec import object_id, plain
from gitops.adapters.gitrepo.objects.store import Store
from gitops.core.git.commit import Identity
from gitops.errors import Denied, Unavailable
from gitops.ports import NewCommit


class CommitSigner(Protocol):
    """Somebody elsewhere who makes commits, and signs them."""

    def commit(
        self,
        base_tree: str | None,
        files: Sequence[tuple[str, str, bytes | None]],
        parents: Sequence[str],
        message: str,
    ) -> tuple[str, str, Sequence[bytes]]:
        """Make a commit there; return its id, its tree's, and what its object may be here."""
        ...


def made_by_git(
    git: Git, store: Store, commit: NewCommit, tree: str, people: tuple[Identity, Identity]
) -> str:
    """Let Git make and sign the commit of a tree; return its id. `people`: author and committer.

    Raises Denied when it cannot be signed.
    """
    stamp = f"{int(commit.time.timestamp())} +0000"
    extra = {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}
    for role, who in zip(("AUTHOR", "COMMITTER"), people, strict=True):
        extra[f"GIT_{role}_NAME"] = plain(who.name)
        extra[f"GIT_{role}_EMAIL"] = plain(who.email)
    parents = [word for parent in commit.parents for word in ("-p", parent)]
    answer = git.run(
        [*store.args, "commit-tree", "-S", tree, *parents, "-F", "-"],
        feed=_message(commit).encode("utf-8", "surrogateescape"),
        extra=extra,
        doing="waiting for the signature",
    )
    if answer.code != 0:
        raise Denied(
            f"the commit cannot be signed: {messages.words_of(answer.err)}",
            hint="commit.gpgSign is set; user.signingKey and gpg.format say with what",
        )
    store.note(answer.text)
    return answer.text


def made_by_forge(
    store: Store, signer: CommitSigner, commit: NewCommit, base: str | None, tree: str
) -> str:
    """Let a forge make and sign the commit, and make the same object here; return its id.

    Raises Unavailable when what it made is something else, and what the signer raises.
    """
    files = [
        (path, _mode_of(store, tree, path) or "100644", content)
        for path, content in sorted(commit.files.items())
    ]
    below = store.tree_of(base) if base is not None else None
    new, there, bodies = signer.commit(below, files, commit.parents, _message(commit))
    body = next((one for one in bodies if object_id("commit", one) == new), None)
    if there != tree or body is None:
        raise Unavailable(
            "the commit that the forge made is not the one that was asked for",
            hint="nothing was pushed; without GITOPS_SIGN the commit is made here",
        )
    return store.write("commit", body)


def _message(commit: NewCommit) -> str:
    return commit.message.rstrip("\n") + "\n"


def _mode_of(store: Store, tree: str, path: str) -> str | None:
    """Return the mode of a file, None where there is none."""
    folder, _, name = path.rpartition("/")
    found = store.folder(tree, folder).get(name)
    return None if found is None else found.mode
