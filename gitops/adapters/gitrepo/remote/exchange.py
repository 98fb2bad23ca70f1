"""How a remote is asked: over the connection of the call where it can be, else by a git of its own.

Both ways fill the same store and give the same answers. What is unexpected on the wire, a server
that wants something, an address that redirects, a branch that is not there, is asked again by git,
whose words are told; from then on git does it all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from gitops.adapters.gitrepo.command import messages
from gitops.adapters.gitrepo.command.process import GitResult, RunningGit
from gitops.adapters.gitrepo.command.push import push_args
from gitops.adapters.gitrepo.command.ref_advertisement import RefAdvertisement
from gitops.adapters.gitrepo.objects.store import Store
from gitops.adapters.gitrepo.remote.line import Background, Line
from gitops.adapters.gitrepo.wire.order import Arrived, NoBranch, Order, Wanted
from gitops.core.text.plain import split_lines
from gitops.errors import NotFound
from gitops.ports import RefUpdate

if TYPE_CHECKING:
    from gitops.adapters.gitrepo.wire.wire import Wire

T = TypeVar("T")
HEADS = "refs/heads/"
_LENGTH = 40  # digits of an id; a repository with longer ones is git's to speak to
_FRESH = 0.5  # seconds for which the word of a server about a tip counts as asked for now


class WireFetch:
    """A fetch over the wire, which waits as a `RunningGit` does; git does it if need be.

    Attributes:
        arrived: what came; None: git fetched.
    """

    def __init__(
        self,
        work: Background[Arrived],
        exchange: Exchange,
        otherwise: Callable[[], RunningGit],
    ) -> None:
        self._work = work
        self._exchange = exchange
        self._otherwise = otherwise
        self._running: RunningGit | None = None
        self.arrived: Arrived | None = None

    def wait(self, doing: str) -> GitResult:
        """Wait for the end, by either way. Raises TimedOut."""
        from gitops.adapters.gitrepo.wire.wire import Broken, NotGit

        try:
            self.arrived = self._work.wait(doing)
            return GitResult(0, b"", "")
        except NoBranch as error:
            return GitResult(128, b"", f"fatal: couldn't find remote ref {error}")
        except (NotGit, Broken, OSError):
            self._exchange.give_up()
        self._running = self._otherwise()
        return self._running.wait(doing)

    def stop(self) -> None:
        """End it."""
        self._work.stop()
        if self._running is not None:
            self._running.stop()


class Exchange:
    """Asks one remote.

    Attributes:
        filters: the server can leave out contents, as far as is known.

    Args:
        line: leads to where it is fetched from; `push_url`: where it is pushed to.
        place: what messages call it.
    """

    def __init__(self, line: Line, push_url: str, place: str) -> None:
        self._to = line
        self._git = line.git
        self._url = line.url
        self._push_url = push_url
        self._place = place
        self._wire: Wire | None = None
        self._off = not line.is_http
        self._told: tuple[str, str, float] | None = None
        self.filters = True
        self._foreign = False  # another hash, which only git speaks
        self._connecting: Background[None] | None = None

    def _line(self) -> Wire | None:
        """Return the connection, None where git asks."""
        if self._off:
            return None
        if self._wire is None:
            self._wire, self._connecting = self._to.take()
        return None if self._wire.off else self._wire

    def connect(self) -> None:
        """Make the connection in the background: something will be asked soon."""
        if (wire := self._line()) is not None and self._connecting is None:
            self._connecting = self._start(wire, wire.connect)

    def _start(self, wire: Wire, work: Callable[[], T]) -> Background[T]:
        """Begin something on the wire, when the connection stands that is being made."""
        connecting, self._connecting = self._connecting, None

        def go_on() -> T:
            if connecting is not None:
                connecting.join()
            return work()

        return Background(self._git, go_on, wire.stop)

    def _finish(self, begun: Background[T], doing: str) -> T | None:
        """Wait for what was begun; None: git must do it, and all that follows."""
        from gitops.adapters.gitrepo.wire.wire import Broken, NotGit

        try:
            return begun.wait(doing)
        except (NotGit, Broken, OSError):
            self.give_up()
            return None

    def give_up(self, *, foreign: bool = False) -> None:
        """Let git do the rest; `foreign`: in later calls, too."""
        self._off = True
        self._foreign |= foreign
        if self._wire is not None:
            self._wire.close()

    def nothing_there(self) -> NotFound:
        """Return the error for a remote without any branch: git takes any page for an empty one."""
        if self._wire is not None and self._wire.is_page:
            return NotFound(
                f"{self._place} answers with a page, not as a Git server",
                hint="check the address: it may be of a sign-in, a proxy or the repository's page",
            )
        return NotFound(
            f"{self._place} is empty", hint="push a first commit (`gitops init` writes one)"
        )

    def again(self) -> None:
        """Try the connection again, in another call."""
        self._told = None
        if self._off and self._to.is_http and not self._foreign:
            self._off, self._wire = False, None

    def fetch_tip(
        self, store: Store, order: Order, otherwise: Callable[[], RunningGit]
    ) -> RunningGit | WireFetch:
        """Begin to fetch a branch; `otherwise` starts the git that does it."""
        wire = self._line()
        if wire is None:
            return otherwise()
        if self._told is not None and order.commit is None:
            branch, commit, when = self._told
            self._told = None
            asked = order.branch or order.likely
            if branch == asked and time.monotonic() - when < _FRESH and order.depth == 1:
                name = f"{HEADS}{branch}"
                order = replace(order, branch=branch, name=name, commit=commit, prefixes=())
        from gitops.adapters.gitrepo.wire.upload import bring

        work = self._start(wire, partial(bring, wire, self._git, store, order))
        return WireFetch(work, self, otherwise)

    def fetch_ids(self, store: Store, wanted: Wanted, doing: str) -> bool:
        """Fetch commits or contents by their ids; False: git must do it."""
        wire = self._line()
        if wire is None:
            return False
        from gitops.adapters.gitrepo.wire.upload import fetch, fetch_without_contents

        def work() -> bool:
            if wanted.contents or not self.filters:
                fetch(wire, self._git, store, replace(wanted, contents=True))
            else:
                self.filters = fetch_without_contents(wire, self._git, store, wanted)
            return True

        return self._finish(self._start(wire, work), doing) is not None

    def default_branch(self, store: Store) -> str:
        """Return the branch that the remote's HEAD names, where nobody overheard it.

        Raises NotFound where it does not say.
        """
        answer = self._git.run(
            [*store.args, "ls-remote", "--symref", "--", self._url, "HEAD"],
            doing=f"waiting for {self._place}",
        )
        for line in split_lines(answer.text):
            target, _, source = line.partition("\t")
            if source == "HEAD" and target.startswith(f"ref: {HEADS}"):
                return target.removeprefix(f"ref: {HEADS}")
        raise NotFound(
            f"{self._place} does not say which branch is the default one",
            hint="name it with --branch",
        )

    def refs(self, store: Store, *patterns: str) -> dict[str, str]:
        """Return ref -> id of what the place of pushes has now. A pattern may end in `*`."""
        wire = self._line() if self._push_url == self._url else None
        if wire is not None and (found := self._listed(wire, patterns)) is not None:
            return found
        answer = self._git.run(
            [*store.args, "ls-remote", "--", self._push_url, *patterns],
            doing=f"waiting for {self._place}",
        )
        if answer.code != 0:
            raise messages.error_of(messages.read_transport(answer.err), self._place)
        return messages.read_refs(answer.text)

    def _listed(self, wire: Wire, patterns: Sequence[str]) -> dict[str, str] | None:
        from gitops.adapters.gitrepo.wire.upload import list_refs

        prefixes = [one.removesuffix("*") for one in patterns]
        work = self._start(wire, lambda: list_refs(wire, prefixes))
        if (listing := self._finish(work, f"waiting for {self._place}")) is None:
            return None
        whole = [one for one in patterns if one.endswith("*")]
        return {
            ref: oid
            for ref, oid in listing.refs.items()
            if ref in patterns or any(ref.startswith(one[:-1]) for one in whole)
        }

    def push(
        self, store: Store, updates: Sequence[RefUpdate], ears: RefAdvertisement | None
    ) -> GitResult:
        """Push, and return the answer as `git push --porcelain` gives it."""
        doing = f"waiting for {self._place} to take the commit"
        wire = self._line() if self._push_url == self._url else None
        if wire is not None and store.algorithm == "sha1":
            found = self._pushed(wire, store, updates, ears, doing)
            if found is not None:
                self._note(found, updates)
                return found
        return self._git.run(
            [*store.args, *push_args(updates, self._push_url)],
            extra=ears.environ(store.path) if ears is not None else None,
            doing=doing,
        )

    def _pushed(
        self,
        wire: Wire,
        store: Store,
        updates: Sequence[RefUpdate],
        ears: RefAdvertisement | None,
        doing: str,
    ) -> GitResult | None:
        """Push over the wire; None: nothing was changed, and git must do it."""
        from gitops.adapters.gitrepo.wire import receive
        from gitops.adapters.gitrepo.wire.wire import Broken, NotGit

        listens = ears is not None and ears.listens
        alone = len(updates) == 1 and updates[0].new not in (None, updates[0].old)

        def work() -> tuple[GitResult | None, receive.Advert | None]:
            known = None if alone and not listens else receive.advert(wire)
            moving = [update.ref for update in updates]
            if ears is not None and known is not None and ears.leaves(moving, known.refs):
                return GitResult(1, b"", ""), known
            return receive.push(wire, self._git, store, updates, known), known

        try:
            answer, known = self._start(wire, work).wait(doing)
        except receive.NoReport as error:
            self.give_up()
            # Where the branches are as they were git may try it; else nobody knows.
            now = self.refs(store, *(update.ref for update in updates))
            stayed = all(now.get(update.ref) == update.old for update in updates)
            others = all(len(oid) != _LENGTH for oid in now.values())
            return None if stayed or others else receive.unanswered(self._git, str(error))
        except (NotGit, Broken, OSError):
            self.give_up()
            return None
        if ears is not None and known is not None:
            ears.heard(known.refs)
        if answer is not None and answer.code == 0:
            store.shared(update.new for update in updates if update.new is not None)
        return answer

    def _note(self, answer: GitResult, updates: Sequence[RefUpdate]) -> None:
        """Take note of where a server said that a branch is, which the next fetch asks for."""
        said = f"{answer.out.decode('utf-8', 'replace')}\n{answer.err}"
        commit = messages.at_commit(said) if answer.code != 0 else None
        if commit is not None and len(updates) == 1 and updates[0].ref.startswith(HEADS):
            branch = updates[0].ref.removeprefix(HEADS)
            self._told = (branch, commit, time.monotonic())

    def close(self) -> None:
        """End the connection."""
        self._to.close()
        if self._connecting is not None:
            self._connecting.stop()
        if self._wire is not None:
            with suppress(OSError):
                self._wire.close()
