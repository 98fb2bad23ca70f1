"""All access to Git: smart HTTP or the `git` command, objects made in process.

How a branch moves. Every push says from exactly which commit to exactly which one, with
`--force-with-lease=REF:OLD` and NEW made on top of OLD. A plain fast-forward push would be weaker:
it takes any ancestor of NEW for good, so after somebody rewound the branch it would bring back what
they dropped. With the lease git compares OLD with what the server advertises, and sends it as the
old value that the server compares again under its lock (in `wire/`, where one branch moves, only
the server compares); so nothing is written unless the branch is at OLD, and since NEW contains OLD
nothing is ever lost. A lease also switches off git's own fast-forward check: therefore
`GitRepository.push` makes that check itself for all branches but our own (`gitops/…`: a proposal is
made anew in place of the old one, guarded by the lease alone).
A new branch has an empty lease (it must not exist), a deleted one is guarded like any other.
Several branches go with `--atomic`; where a server cannot do that, NoAtomicPush says so before
anything has moved. A branch that only must not have moved goes along with the same old and new: git
compares it with what the server advertises and sends nothing for it, so that no right to push there
is needed; what lands between that and the server's lock is not seen.

Where things happen. A remote is fetched into a private bare store (the newest commit of one
branch) and pushed to from there; a bare repository is read in place and pushed to by path, so its
hooks run; a checkout without a remote is read in place, its branch moved by `update-ref`, and its
files follow. The caller's work tree, index, branches and FETCH_HEAD are not touched in the first
two. The private store runs no hooks of the user.

A process that is killed leaves the repository before or after the commit: the server decides in
one step. Its store is removed by a later start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gitops.adapters.gitrepo.remote.sources import GitSources
    from gitops.adapters.gitrepo.repository import GitRepository, open_repository

__all__ = ["GitRepository", "GitSources", "open_repository"]


def __getattr__(name: str) -> Any:
    """Load what is asked for: who only reads a checkout on disk needs none of it."""
    if name == "GitSources":
        from gitops.adapters.gitrepo.remote.sources import GitSources

        return GitSources
    if name in __all__:
        from gitops.adapters.gitrepo import repository

        return getattr(repository, name)
    raise AttributeError(name)
