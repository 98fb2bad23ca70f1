"""The writer's queue held to a model: whatever is sent, joined, lost, declined or not answered.

Git is in memory, so that a hundred stories take seconds; tests/server/test_writer_model.py has the
same with a real one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fakes import FakeRepository, FakeSnapshot, session_on
from gitops.actions.context.session import Session
from gitops.core.git.commit import CommitInfo, Identity
from gitops.errors import HookDeclined, Unavailable
from gitops.ports import Lost, NoForge, RefUpdate
from gitops.server.writer import writer as writing
from gitops.server.writer.order import Call, CallOrder, KeyReused
from gitops.server.writer.writer import Writer
from gitops.wiring.kept import Door
from server_calls import (
    ANA,
    CONFIG,
    approving,
    deploying,
    going_back,
    holding,
    overlay,
    path_of,
    promoting,
    resuming,
)

APPS = ("a0", "a1", "a2")
BAD = "bad"  # a tag that the server's hook does not want
WAY_TO_PROD = b'"release/*"], ', b"main], change: pull-request, approvals: {self: true}, "


class KeptMemory(FakeRepository):
    """A repository in memory that a writer can use.

    Attributes:
        trouble_next: what becomes of the pushes to come.
    """

    def __init__(self) -> None:
        files = {"gitops.yaml": CONFIG.replace(*WAY_TO_PROD)}
        for app in APPS:
            for environment in ("dev", "prod"):
                files[path_of(app, environment)] = overlay(f"shop/{app}", "1")
        super().__init__(files)
        self.trouble_next: list[str] = []
        self.sizes: list[int] = []

    def again(self) -> None:
        """Nothing is kept."""

    def rest(self) -> None:
        """Nothing is kept."""

    def look(self, branch: str, commit: str) -> FakeSnapshot:
        """See `ports.KeptRepository`."""
        return FakeSnapshot(branch, commit, self.commits[commit].files)

    def newest(self, commit: str, since: float, most: int) -> tuple[CommitInfo, ...] | None:
        """See `ports.KeptRepository`."""
        return tuple(self.commits[one].info for one in self._newest_first([commit], []))

    def identity(self) -> Identity:
        """See `ports.KeptRepository`."""
        return ANA

    def push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        """Push, with what is to go wrong."""
        trouble = self.trouble_next.pop(0) if self.trouble_next else ""
        new = self._newest_first(
            [one.new for one in updates if one.new is not None],
            [one.old for one in updates if one.old is not None],
        )
        if any(f"-> {BAD}" in self.commits[one].info.message for one in new):
            raise HookDeclined("the server does not want that")
        if trouble == "lost":
            self.commit({f"notes/{len(self.commits)}": b"x"}, "somebody else\n")
        elif trouble == "away":
            raise Unavailable("it does not answer")
        lost = super().push(updates)
        if lost is None:
            self.sizes.append(len(new))
        if trouble == "unanswered":
            raise Unavailable("no answer came")
        return lost


class Clock:
    """The time of this machine, without waiting."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        import time

        return time.monotonic()

    def pause(self, longest: float, shortest: float = 0.0) -> None:
        """Do not wait."""


class Model:
    """What the branch must hold, and what each call must be told."""

    def __init__(self) -> None:
        self.tags: dict[str, list[str]] = {app: ["1"] for app in APPS}  # newest last
        self.prod = dict.fromkeys(APPS, "1")
        self.proposed: dict[str, str] = {}
        self.held: set[str] = set()
        self.undoable: dict[str, bool] = {}

    def expect(self, verb: str, app: str, tag: str) -> str:
        """Do it, and return its outcome."""
        return getattr(self, f"_{verb}")(app, tag)

    def _hold(self, app: str, _tag: str) -> str:
        if app in self.held:
            return "refused"
        self.held.add(app)
        return "committed"

    def _resume(self, app: str, _tag: str) -> str:
        if app not in self.held:
            return "unchanged"
        self.held.remove(app)
        return "committed"

    def _deploy(self, app: str, tag: str) -> str:
        if self.tags[app][-1] == tag:
            return "unchanged"
        if app in self.held:
            return "refused"
        if tag == BAD:
            return "hook-declined"
        self.tags[app].append(tag)
        return "committed"

    def _promote(self, app: str, _tag: str) -> str:
        tag = self.tags[app][-1]
        if self.prod[app] == tag or self.proposed.get(app) == tag:
            return "unchanged"
        self.proposed[app] = tag
        return "proposed"

    def _approve(self, app: str, _tag: str) -> str:
        if app not in self.proposed:
            return "not-found"
        self.prod[app] = self.proposed.pop(app)
        return "committed"


class Queue(RuleBasedStateMachine):
    """Calls come while the writer stands still; then it does them all."""

    @initialize(most=st.sampled_from([1, 2, 3, 128]))
    def begin(self, most: int) -> None:
        """Open a writer that stands still."""
        self.git, self.model = KeptMemory(), Model()
        self.opened = ExitStack()
        self.opened.enter_context(mock.patch.object(writing, "_PAUSES", (0.0, 0.0)))
        door = Door(self.git, self._session, lambda _token: lambda _config: NoForge())
        self.writer = Writer(door, most_at_once=most)
        self.still = ExitStack()
        self.still.enter_context(self.writer.stopped())
        self.asked: list[tuple[Call, str, str, str]] = []
        self.ids: dict[str, CallOrder] = {}

    def _session(self, _opened: ExitStack) -> Session:
        return session_on(self.git, clock=Clock(), intent="none")

    @rule(
        verb=st.sampled_from(
            ["deploy", "deploy", "deploy", "hold", "resume", "promote", "approve"]
        ),
        app=st.sampled_from(APPS),
        tag=st.sampled_from(["2", "3", "4", BAD]),
    )
    def send(self, verb: str, app: str, tag: str) -> None:
        """Send a call."""
        made = {
            "deploy": lambda: deploying(f"shop/{app}:{tag}"),
            "hold": lambda: holding(app),
            "resume": lambda: resuming(app),
            "promote": lambda: promoting(app, "prod"),
            "approve": lambda: approving(app, "prod"),
        }
        if verb in ("promote", "approve") and self._has_bad(app):
            return  # what a proposal would hold is not known before the queue is done
        order = made[verb]()
        self.ids[order.id] = order
        self.asked.append((self.writer.submit(order), verb, app, tag))

    def _has_bad(self, app: str) -> bool:
        return any(one == app and tag == BAD for _, _, one, tag in self.asked)

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        """Send one of them once more: it is the same call, whether it waits or was answered; with
        other words its id is refused."""
        order = self.ids[data.draw(st.sampled_from(sorted(self.ids)))]
        known = self.writer.find(order.id)
        assert known is not None
        assert known is self.writer.submit(order)
        other = going_back("a0").run
        with pytest.raises(KeyReused):
            self.writer.submit(CallOrder(order.id, order.verb, "other words", other))

    @rule(kind=st.sampled_from(["lost", "unanswered", "away", ""]))
    def something_will_go_wrong(self, kind: str) -> None:
        """The next push but those that are spoiled already."""
        self.git.trouble_next.append(kind)

    @rule()
    def go_on(self) -> None:
        """Let the writer do all that waits; each answer is the model's, in the order of verbs."""
        self.still.close()
        for call, verb, app, tag in sorted(self.asked, key=lambda one: one[0].place):
            outcome = call.wait(30)
            assert outcome is not None, (verb, app, tag)
            told = outcome.report.outcome if outcome.report else outcome.error.code
            message = outcome.error.message if outcome.error else outcome.report.notes
            assert self.model.expect(verb, app, tag) == told, (verb, app, tag, message)
        self.asked.clear()
        self.still.enter_context(self.writer.stopped())

    @invariant()
    def the_branch_is_the_models(self) -> None:
        """Between two batches Git has what the model has, and each id at most once."""
        if not hasattr(self, "writer") or self.asked:
            return
        files = self.git.commits[self.git.branches["main"]].files
        for app in APPS:
            assert overlay(f"shop/{app}", self.model.tags[app][-1]) == files[path_of(app)]
            assert overlay(f"shop/{app}", self.model.prod[app]) == files[path_of(app, "prod")]
        assert self.model.held == {
            path.split("/")[2] for path in files if path.startswith(".gitops/holds/")
        }
        ids = [
            line
            for commit in self.git._newest_first([self.git.branches["main"]], [])
            for line in self.git.commits[commit].info.message.splitlines()
            if line.startswith("Gitops-Id: ")
        ]
        assert len(set(ids)) == len(ids)

    def teardown(self) -> None:
        """It does what waits, and takes nothing more."""
        if not hasattr(self, "writer"):
            return
        self.still.close()
        assert self.writer.drain(30)
        for call, verb, app, tag in sorted(self.asked, key=lambda one: one[0].place):
            assert call.outcome is not None
            told = call.outcome.report.outcome if call.outcome.report else call.outcome.error.code
            assert self.model.expect(verb, app, tag) == told
        with pytest.raises(Unavailable):
            self.writer.submit(deploying("shop/a0:2"))
        self.opened.close()


def test_the_queue() -> None:
    """Order, joining, halving, one that fails alone, lost and unanswered pushes, the drain."""
    chosen = settings(max_examples=60, stateful_step_count=30, deadline=None, derandomize=True)
    run_state_machine_as_test(Queue, settings=chosen)
