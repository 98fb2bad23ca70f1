"""What every room of the server gets handed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from msgspec.structs import replace

from gitops.actions.argocd.live_cells import LiveCells
from gitops.core.access.rules import Decision
from gitops.errors import GitopsError
from gitops.server.alerts.desk import AlertDesk, TakenAlert
from gitops.server.alerts.keeper import VerificationKeeper
from gitops.server.alerts.signals import ClusterSignals
from gitops.server.board.board import Board
from gitops.server.board.clusters import ClusterNews
from gitops.server.board.data_checks import DataDesk
from gitops.server.board.hub import EventHub
from gitops.server.board.keeper import EVERY, BoardKeeper
from gitops.server.board.last_words import LastWordsReader
from gitops.server.board.pulls import PullReader
from gitops.server.board.refresher import ApplicationRefresher
from gitops.server.identity.identity import IdentityDoor
from gitops.server.identity.person import Person
from gitops.server.identity.rights import WHOLE, may
from gitops.server.images.asker import RegistryAsker
from gitops.server.images.updater import INTERVAL, ImageUpdater
from gitops.server.notifications.teller import Teller
from gitops.server.notifications.turn import turn_of
from gitops.server.settings import ServerSettings, channels_of, interval_of
from gitops.server.workers import Doors, Opened, Workers
from gitops.server.writer.writer import Desk
from gitops.wiring.kept import open_registry, system_clock

if TYPE_CHECKING:
    from gitops.actions.context.session import Session
    from gitops.actions.index.state import IndexState
    from gitops.adapters.argocd.clusters import ArgoClusters
    from gitops.core.alerts.alert import AlertBatch
    from gitops.core.environments.environment import Config

T = TypeVar("T")


class Right(Protocol):
    """Whether somebody may do something, and why not, in words."""

    @property
    def allowed(self) -> bool: ...

    @property
    def why(self) -> str: ...


class Service:
    """One server on one repository.

    Attributes:
        board: what runs where, as it was seen last.
        clusters: tells what changed in the clusters.
        pulls: asks the forge about what is proposed.
        last_words: reads what pods said last.
        data_checks: looks which databases overlays reach.
        hub: the streams of events.
        workers: where blocking calls run.
        doors: open repositories for them.
        identity: who asks.
        desk: the one writer.
        alerts: alerts of monitoring, and what was done about them.
        signals: takes in what clusters say of bad releases.
        refresher: has Argo CD look at releases that it has not seen.
        verifications: watches what comes of rollbacks by itself.
        turn: whether this replica is the one that tells.
        teller: tells people what happened, where they have channels.
        images: deploys images that were pushed.
        people: whom one may be in the demo.
    """

    def __init__(self, settings: ServerSettings, *, every: float = EVERY) -> None:
        self.settings = settings
        self.people: Sequence[Person] = ()
        self.hub = EventHub()
        self.workers = Workers()
        self._provers = Workers(threads=4, waiting=1000)
        self._alarms = Workers(threads=1)  # one body at a time; pages need the others meanwhile
        self.doors = Doors(self._opened)
        self.desk = Desk(settings.repository, settings.branch)
        if settings.demo:
            from gitops.server.demo.people import PEOPLE

            self.people = PEOPLE
        self.clusters = ClusterNews()
        self.board = BoardKeeper(self._look, self._changed, every=every, listen=self._listen)
        self._live = LiveCells()
        self._followed: ArgoClusters | None = None
        self.pulls = PullReader(self.doors.session, self.board.current, self._tell)
        self.last_words = LastWordsReader(
            self.run, lambda: self._followed, lambda label: self.hub.publish("words", label)
        )
        self.data_checks = DataDesk(self.doors.session, self.run)
        self._held = ExitStack()  # the session of the last look
        channels = channels_of(settings.file)
        self.turn = turn_of(settings, lambda: self.teller.wake())
        self.teller = Teller(
            channels, self.doors.session, settings.url, self._state, is_my_turn=self.turn.is_mine
        )
        self.alerts = AlertDesk(self.doors.session, self.desk.submit, self.teller.say, self._state)
        self.verifications = VerificationKeeper(
            self.doors.session,
            self.teller.wake,
            lambda: not settings.read_only and self.turn.is_mine(),
        )
        self.signals = ClusterSignals(
            lambda: self.clusters.lives, self.alerts.take_signal, self.turn.is_mine
        )
        self.refresher = ApplicationRefresher(
            self.policy, lambda: self.clusters.lives, lambda: self._followed, self.turn.is_mine
        )
        if not settings.read_only:
            self.clusters.on_change(self.signals.heard)
            self.clusters.on_change(self.refresher.heard)
        self.images = ImageUpdater(
            self.doors.session,
            self.desk.submit,
            self._state,
            RegistryAsker(open_registry, system_clock(), lambda: self.images.wake()).ask,
            self._images_changed,
            every=interval_of(settings.file) or INTERVAL,
        )
        self._own: Person | None = None
        self.identity = IdentityDoor(
            settings.identity(),
            self,
            url=settings.url,
            is_loopback=settings.listen.is_loopback,
            read_only=settings.read_only,
        )

    @contextmanager
    def open_session(
        self, person: Person | None = None, intent: str | None = None, via: str = "page"
    ) -> Iterator[Session]:
        """Lend the session of one call, in a thread of `workers`.

        Args:
            person: who writes: author of the commits, which have trailers on how they came; None,
                or whoever runs the server: as Git says, without trailers.
            intent: the `Gitops-Id`; None: a new one.
            via: what `Gitops-Via` says.

        Raises what opening a repository does.
        """
        from gitops.server.authorship import session_for

        with self.doors.session() as session:
            if intent is not None:
                session = replace(session, intent=intent)
            if person is not None and (person.via != "loopback" or self.settings.demo):
                session = session_for(session, person, via)
            yield session

    def may(
        self, person: Person | None, verb: str, environment: str, app: str | None = None
    ) -> Right:
        """Say whether `person` may do `verb` there, by the policy that was seen last.

        For what is shown: whoever acts asks `identity.rights` with the policy of the tip.
        """
        if self.settings.read_only:
            return Decision(False, "this server only shows")
        images = () if verb in WHOLE else None  # of the others only the plan tells which
        return may(self.policy(), person, verb, environment, app, images)

    async def run(self, call: Callable[..., T], /, *args: Any) -> T:
        """Run in a thread what blocks."""
        return await self.workers.run(call, *args)

    async def prove(self, call: Callable[..., T], /, *args: Any) -> T:
        """Run in a thread what is asked before anybody is let in."""
        return await self._provers.run(call, *args)

    async def take_alerts(self, hook: str, batch: AlertBatch) -> list[TakenAlert]:
        """Take alerts in, which may last as long as their rollbacks; see `AlertDesk.take`."""
        return await self._alarms.run(self.alerts.take, hook, batch)

    async def read(self, read: Callable[[Session], T]) -> T:
        """Return what `read` returns, in a thread, of a session in which nobody writes."""

        def work() -> T:
            with self.open_session() as session:
                return read(session)

        return await self.run(work)

    def policy(self) -> Config | None:
        """Return what gitops.yaml said when it was read last, None before that."""
        board = self.board.current()
        return board.config if board is not None else None

    def has_overlay(self, environment: str, app: str | None) -> bool:
        """Say whether there is such an overlay, as it was seen last."""
        board = self.board.current()
        return board is not None and board.cell(environment, app) is not None

    def own_person(self) -> Person:
        """Return whoever runs the server; blocks the first time."""
        if self._own is None:
            try:
                with self.doors.session() as session:
                    found = session.identity()
                    self._own = Person(f"user:{found.email}", found.name, found.email)
            except GitopsError:  # they may look all the same; a write says what is missing
                return Person("user:you", "you", "")
        return self._own

    def start(self) -> None:
        """Begin; on the event loop."""
        self.hub.open()
        self.board.start()
        self.turn.start()
        self.teller.start()
        self.pulls.start()
        self.signals.start()
        self.refresher.start()
        if not self.settings.read_only:
            self.images.start()

    def stop(self) -> None:
        """End the streams, so that the server can stop; on the event loop."""
        self.hub.close()
        self.board.stop()
        self.data_checks.stop()
        self.pulls.stop()
        self.teller.stop()
        self.signals.stop()
        self.refresher.stop()
        self.images.stop()

    def close(self) -> None:
        """Do what waits to be written, and let go of everything."""
        self.board.join()
        self.pulls.join()
        self.refresher.join()
        self.images.join()
        if self._followed is not None:
            self._followed.close_others(())
        self._held.close()
        self.desk.close()
        self.teller.close()
        self.turn.close()
        self.workers.close()
        self._provers.close()
        self._alarms.close()
        self.doors.close()

    def _opened(self) -> Opened:
        from gitops.wiring import open_kept

        return open_kept(self.settings.repository, self.settings.branch)

    def _state(self) -> IndexState | None:
        """Return what the board has read of Git: whoever else needs it goes on from there."""
        board = self.board.current()
        return board.state if board is not None else None

    def _look(self) -> Board:
        from gitops.actions.index.state import read_state
        from gitops.wiring.kept import follow_clusters

        self._live.rest()
        self._held.close()
        earlier = self.board.current()
        with ExitStack() as stack:
            session = stack.enter_context(self.doors.session())
            state = read_state(session, earlier.state if earlier is not None else None)
            if self._followed is None:
                own, where = session.repository.describe(), self.settings.repository
                self._followed = follow_clusters(own, where, self.board.stir)
            self._live.look(replace(session, clusters=self._followed), state)
            self._followed.close_others(self._live.clusters)
            name = session.repository.describe()
            if self._live.clusters:  # until the next look, what they say is placed in Git by it
                self._held = stack.pop_all()
            else:
                self._live.rest()
        return self._shown(state, name, earlier)

    def _listen(self) -> Board:
        """Take in what the clusters said since the last look at Git, where that went well."""
        board = self.board.current()
        if board is None or not self._live.hears:
            return board or self._look()
        self._live.listen()
        return self._shown(board.state, board.repository, board)

    def _shown(self, state: IndexState, name: str, earlier: Board | None) -> Board:
        live = self._live
        self.verifications.look(state, live.lives)
        if earlier is not None and earlier.is_as(state, live):
            return earlier
        self.clusters.take(state, live.lives)
        return Board(state, name, live, earlier)

    def _images_changed(self) -> None:
        board = self.board.current()
        if board is not None:
            self._tell(board)
        self.board.wake()  # what was deployed

    def _tell(self, board: Board) -> None:
        self.hub.publish("board", board.mark)

    def _changed(self, board: Board) -> None:
        self._tell(board)
        self.pulls.wake()
        self.teller.wake()
