"""What each verb may be asked for: the bodies of `/v1`, and what the forms of the page become.

The names are those of the command line's options, and `act` is what the command line calls. The
API's description is made of these types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from gitops.actions.context.named import Named
from gitops.actions.context.session import Session
from gitops.core.report import WriteReport
from gitops.errors import UsageError

if TYPE_CHECKING:
    from gitops.actions.deploy import DeployRequest
    from gitops.actions.rollback import RollbackRequest

Word = Annotated[str, Meta(min_length=1, max_length=255)]
Sentence = Annotated[str, Meta(min_length=1, max_length=2000)]
Commit = Annotated[str, Meta(pattern="^[0-9a-fA-F]{7,64}$")]
Mark = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
Words = Annotated[tuple[Word, ...], Meta(max_length=256)]
Pins = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=1024)], ...], Meta(max_length=256)
]

Run = Callable[[Session], WriteReport]
EVERYTHING = "*"
"""Where ENV stands: every environment, for hold and resume."""


class Body(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename="camel",
):
    """What all verbs take; what was not said is in no digest, so a new member changes none.

    Attributes:
        apps: only these apps; () means all of the environment.
        also: further environments, groups or APP/ENV that the same call is about.
        dry_run: plan and show, write nothing.
        seen: the `mark` of a dry run: whatever would do anything else by now is refused.
    """

    apps: Words = ()
    also: Words = ()
    dry_run: bool = False
    seen: Mark | None = None

    def named(self, environment: str) -> Named:
        """Return what the call is about. Raises UsageError where everything is too much."""
        words = tuple(dict.fromkeys((environment, *self.also)))
        if EVERYTHING in words:
            raise UsageError(f"{EVERYTHING} stands alone, and only to hold and resume everything")
        return Named(words, self.apps)

    def named_or_all(self, environment: str) -> Named | None:
        """Return the same; None for everything."""
        alone = environment == EVERYTHING and not self.also and not self.apps
        return None if alone else self.named(environment)

    def images_meant(self) -> tuple[str, ...] | None:
        """Return the images that are asked for; None where only the plan tells, () for none."""
        return None

    def act(self, environment: str) -> Run:
        """Return what does it, with the session of whoever asks. Raises UsageError."""
        raise UsageError(f"nothing is asked for at {environment}")


class RollbackBody(Body, frozen=True, kw_only=True):
    """As the options of `gitops rollback`."""

    to: Word | None = None
    bad: Word | None = None
    images: Words = ()
    reason: Sentence | None = None
    hold: bool = True
    override: Sentence | None = None
    abort: bool = True
    accept_schema_risk: bool = False

    def request(self, environment: str) -> RollbackRequest:
        """Return it as the action takes it."""
        from gitops.actions.rollback import RollbackRequest

        return RollbackRequest(
            named=self.named(environment),
            to=self.to,
            bad=self.bad,
            images=self.images,
            reason=self.reason,
            hold=self.hold,
            override=self.override,
            abort=self.abort,
            schema_risk=self.accept_schema_risk,
        )

    def images_meant(self) -> tuple[str, ...] | None:
        """Return the images that are named."""
        return self.images or None

    def act(self, environment: str) -> Run:
        """Return what does it."""
        from gitops.actions.rollback import rollback

        request = self.request(environment)
        return lambda session: rollback(session, request)


class UndoBody(Body, frozen=True, kw_only=True):
    """As the options of `gitops undo`."""

    rollback: Commit | None = None
    reason: Sentence | None = None

    def act(self, environment: str) -> Run:
        """Return what does it."""
        from gitops.actions.undo import UndoRequest, undo

        request = UndoRequest(self.named(environment), rollback=self.rollback, reason=self.reason)
        return lambda session: undo(session, request)


class HoldBody(Body, frozen=True, kw_only=True):
    """As the options of `gitops hold`; the environment `*` is all of them."""

    reason: Sentence

    def images_meant(self) -> tuple[str, ...] | None:
        """Return none: it is about all that runs there."""
        return ()

    def act(self, environment: str) -> Run:
        """Return what does it."""
        from gitops.actions.hold import hold

        named = self.named_or_all(environment)
        return lambda session: hold(session, named, reason=self.reason)


class ResumeBody(Body, frozen=True, kw_only=True):
    """As the options of `gitops resume`; the environment `*` is all of them."""

    def images_meant(self) -> tuple[str, ...] | None:
        """Return none: it is about all that runs there."""
        return ()

    def act(self, environment: str) -> Run:
        """Return what does it."""
        from gitops.actions.hold import resume

        named = self.named_or_all(environment)
        return lambda session: resume(session, named)


class PromoteBody(Body, frozen=True, kw_only=True):
    """As the options of `gitops promote`; the environment is where to."""

    names: Words = ()
    source: Word | None = None
    ref: Word | None = None
    override: Sentence | None = None
    reason: Sentence | None = None
    refresh: bool = False

    def images_meant(self) -> tuple[str, ...] | None:
        """Return the images that are named."""
        return self.names or None

    def act(self, environment: str) -> Run:
        """Return what does it."""
        from gitops.actions.promote import PromoteRequest, promote

        request = PromoteRequest(
            to=self.named(environment).words,
            names=self.names,
            source=self.source,
            ref=self.ref,
            override=self.override,
            reason=self.reason,
            apps=self.apps,
            refresh=self.refresh,
        )
        return lambda session: promote(session, request)


class ApproveBody(Body, frozen=True, kw_only=True):
    """As the options of `gitops approve`."""

    head: Commit | None = None
    override: Sentence | None = None
    update: bool = False

    def act(self, environment: str) -> Run:
        """Return what does it."""
        from gitops.actions.approve import ApproveRequest, approve

        request = ApproveRequest(
            self.named(environment), head=self.head, override=self.override, update=self.update
        )
        return lambda session: approve(session, request)


class CloseBody(Body, frozen=True, kw_only=True):
    """As the options of `gitops close`."""

    reason: Sentence | None = None

    def images_meant(self) -> tuple[str, ...] | None:
        """Return none: it is about all that runs there."""
        return ()

    def act(self, environment: str) -> Run:
        """Return what does it."""
        from gitops.actions.close import close

        named = self.named(environment)
        return lambda session: close(session, named, reason=self.reason)


class QaBody(Body, frozen=True, kw_only=True):
    """As the options of `gitops qa`."""

    verdict: Literal["pass", "fail"]
    release: Word
    expect: Pins = ()
    note: Sentence | None = None

    def images_meant(self) -> tuple[str, ...] | None:
        """Return none: it is about all that runs there."""
        return ()

    def act(self, environment: str) -> Run:
        """Return what does it."""
        from gitops.actions.qa import QaRequest, qa

        request = QaRequest(
            named=self.named(environment),
            verdict="qa-passed" if self.verdict == "pass" else "qa-failed",
            release=self.release,
            note=self.note,
            expect=self.expect,
        )
        return lambda session: qa(session, request)


class DeployBody(Body, frozen=True, kw_only=True):
    """As the options of `gitops deploy`, which says by itself where to: nothing of it in `also`."""

    images: Annotated[Pins, Meta(min_length=1)]
    to: Words = ()
    ref: Word | None = None
    commit: Commit | None = None
    schema: Literal["none", "compatible", "breaking"] | None = None
    override: Sentence | None = None
    reason: Sentence | None = None
    add: bool = False

    def images_meant(self) -> tuple[str, ...] | None:
        """Return the names of the images that are to be written."""
        from gitops.core.kustomization.image import parse_image

        return tuple(parse_image(text).image for text in self.images)

    def request(self, environment: str) -> DeployRequest:
        """Return it as the action takes it; `environment` is "" where the body says where to."""
        from gitops.actions.deploy import DeployRequest

        to = (*([environment] if environment else ()), *self.also, *self.to)
        if EVERYTHING in to or not (to or self.ref):
            raise UsageError("say where to (`to`), or which branch it was built from (`ref`)")
        return DeployRequest(
            images=self.images,
            to=tuple(dict.fromkeys(to)),
            ref=self.ref,
            commit=self.commit,
            override=self.override,
            reason=self.reason,
            add=self.add,
            apps=self.apps,
            schema=self.schema,
        )

    def act(self, environment: str) -> Run:
        """Return what does it."""
        from gitops.actions.deploy import deploy

        request = self.request(environment)
        return lambda session: deploy(session, request)


BODIES: dict[str, type[Body]] = {
    "rollback": RollbackBody,
    "undo": UndoBody,
    "hold": HoldBody,
    "resume": ResumeBody,
    "promote": PromoteBody,
    "approve": ApproveBody,
    "close": CloseBody,
    "qa": QaBody,
    "deploy": DeployBody,
}
"""The verbs, each of which may be asked for at an environment."""
