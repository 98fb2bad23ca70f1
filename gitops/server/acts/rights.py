"""Rights asked again where it counts: by the policy of the very tip that a call is planned on."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial

from msgspec.structs import replace

from gitops.actions.context.named import Named, rows_named
from gitops.actions.context.plan import Plan
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView
from gitops.actions.pull_requests.decide import ApprovalPreview
from gitops.core.environments.branch_patterns import match_branch
from gitops.core.environments.environment import Config, Overlay, split_label
from gitops.core.report import WriteReport
from gitops.errors import Denied, Refused
from gitops.server.acts.orders import AskedFor
from gitops.server.acts.requests import EVERYTHING, ApproveBody, DeployBody, Run
from gitops.server.identity.rights import require


def by_right(asked: AskedFor, run: Run | None = None) -> Run:
    """Return what does it, once the tip's own policy says that the person may.

    `run` is what is asked for where it is more than the verb. Raises UsageError for what makes no
    sense whatever the tip says. What runs raises Denied.
    """
    act = run or act_of(asked)
    if asked.person.via == "loopback":
        return act

    def before(_session: Session, tip: Tip, plan: Plan) -> None:
        check_plan(tip.config, asked, plan)

    def checked(session: Session) -> WriteReport:
        admit = partial(check_named, asked=asked)
        return act(replace(session, admit=admit, before_write=before))

    return checked


def act_of(asked: AskedFor) -> Run:
    """Return what does it. Raises UsageError for what makes no sense whatever the tip says.

    An approval is of somebody who is no author of it; a deploy to wherever a branch leads goes only
    to where the person may, and says what it left out.
    """
    body = asked.body
    if isinstance(body, ApproveBody):
        return approving(asked, body)
    if not isinstance(body, DeployBody) or asked.words or asked.person.via == "loopback":
        return asked.run()
    from gitops.actions.deploy import deploy

    meant = body.images_meant()

    def bars(view: OverlayView) -> Denied | None:
        try:
            _require(view.tip.config, asked, view.row.name, view.overlay.app, meant)
        except Denied as error:
            return error
        return None

    request = replace(body.request(""), bars=bars)
    return lambda session: deploy(asked.held(session), request)


def check_named(config: Config, asked: AskedFor) -> None:
    """Raise Denied unless the person may do it wherever it is asked for; NotFound for no place.

    Which images it touches is known of the plan alone, where the caller does not say it.
    """
    if asked.person.via == "loopback":
        return
    if asked.words == (EVERYTHING,):
        places: list[tuple[str, str | None]] = [(row.name, None) for row in config.environments]
    else:
        rows = rows_named(config, Named(asked.words, asked.body.apps))
        places = [(one.row.name, app) for one in rows for app in one.apps or (None,)]
    images = asked.body.images_meant()
    for environment, app in places:
        _require(config, asked, environment, app, images)
    if not places:  # a branch says where to: before anything is asked for that, registries too
        _check_any(config, asked)


def _check_any(config: Config, asked: AskedFor) -> None:
    """Raise Denied unless the person may do it somewhere."""
    mine = set(asked.person.names)
    for act in acts_of(asked):
        if not any(act in row.may and not mine.isdisjoint(row.who) for row in config.access):
            why = f"{asked.person.id} may {act} nowhere here"
            raise Denied(why, hint="rights are rows of `access:` in gitops.yaml")


def check_plan(config: Config, asked: AskedFor, plan: Plan) -> None:
    """Raise Denied unless the person may write all that `plan` does: commits, and proposals."""
    touched = plan.touched
    _check_source(asked, touched)
    meant = asked.body.images_meant() or ()
    for overlay, images in touched.items():
        _require(config, asked, overlay.environment.name, overlay.app, (*images, *meant))
    for label in dict.fromkeys(label for one in plan.ending for label in one.labels):
        environment, app = split_label(label)
        _require(config, asked, environment, app, meant or None)


def _check_source(asked: AskedFor, overlays: Iterable[Overlay]) -> None:
    """Refuse a job whose token is of no branch where branches are what is accepted.

    Whoever can push a tag, to any commit, has such a token. Raises Denied.
    """
    ref = asked.person.ref
    if asked.verb != "deploy" or ref is None or "override" in acts_of(asked):
        return
    for one in overlays:
        accepts = one.environment.accepts
        if accepts and match_branch(accepts, ref) is None:
            wanted = ", ".join(accepts)
            raise Denied(
                f"{one.label} accepts {wanted}, and the token of {asked.person.id} is of {ref}",
                hint="let the job run for a branch that is accepted",
            )


def acts_of(asked: AskedFor) -> tuple[str, ...]:
    """Return what it needs rights for: the verb, and to pass policy where it would."""
    passes = getattr(asked.body, "override", None) is not None
    return (asked.verb, *(["override"] if passes else []))


def _require(
    config: Config,
    asked: AskedFor,
    environment: str,
    app: str | None,
    images: Collection[str] | None,
) -> None:
    for act in acts_of(asked):
        require(config, asked.person, act, environment, app, images)


def approving(asked: AskedFor, body: ApproveBody) -> Run:
    """Return the approval of somebody who is no author of any of it, whatever gitops.yaml says."""
    from gitops.actions.approve import ApproveRequest, approve

    request = ApproveRequest(
        body.named(asked.environment),
        head=body.head,
        override=body.override,
        update=body.update,
        reviews=asked.person.via != "loopback",
    )

    seen: list[Config] = []

    def confirm(preview: ApprovalPreview) -> bool:
        authors = {author.email.casefold() for author in preview.authors}
        if asked.person.via != "loopback" and not asked.person.addresses.isdisjoint(authors):
            raise Refused(
                f"{preview.label}: an author never approves their own change",
                hint="somebody else must approve it",
            )
        if seen:
            _check_images(seen[-1], asked, preview)
        return True

    def run(session: Session) -> WriteReport:
        def admit(config: Config) -> None:
            seen.append(config)
            if session.admit is not None:
                session.admit(config)

        return approve(replace(asked.held(session), admit=admit), request, confirm=confirm)

    return run


def _check_images(config: Config, asked: AskedFor, preview: ApprovalPreview) -> None:
    """Raise Denied where an approval is of images that the person may not let in."""
    if asked.person.via == "loopback":
        return
    images: dict[str, dict[str, None]] = {}
    for label, change in preview.changes:
        images.setdefault(label, {})[change.image] = None
    for label, found in images.items():
        environment, app = split_label(label)
        _require(config, asked, environment, app, tuple(found))
