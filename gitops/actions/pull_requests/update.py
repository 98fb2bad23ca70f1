"""Bring a proposal up to date: merge its base into it, as the forge's "update branch" does.

The merge is made here, so that it holds exactly what the proposal would change and what the base
has now. It is nobody's change (`brings_nothing`), and approvals are the forge's to keep or drop.
"""

from __future__ import annotations

from msgspec.structs import replace

from gitops.actions.context.plan import Draft, Plan, ProposalDraft
from gitops.actions.context.policy_branch import check_policy
from gitops.actions.context.session import Session, Tip
from gitops.actions.proposals.find import require_open
from gitops.actions.pull_requests.decide import Approving, Decided
from gitops.actions.write.write import write
from gitops.core.git.commit import derived_id
from gitops.core.report import WriteReport


def bring_up_to_date(approving: Approving, tip: Tip) -> WriteReport | None:
    """Merge the base into the branch of the proposal, None when it has all of it.

    Policy is asked, and the person, before anything is written; from then on the new head is the
    one that was shown. Raises what `Approving.decide` and `write` raise.
    """
    session = approving.session
    looked = approving.look_at_one(tip)
    view, found = looked
    present = require_open(view.overlay, found)
    if not present.behind:
        return None
    approving.ask(approving.decide([looked]))
    own = replace(session, intent=derived_id(session.intent, "update"))

    def plan(tip: Tip) -> Plan:
        (decided,) = approving.decide([approving.look_at_one(tip)])
        return _update(own, decided) if decided.present.behind else Plan(action="approve")

    check_policy(session, tip, [present.base])
    report = write(own, plan).report
    if report.commit is not None and not session.dry_run:
        approving.shown = {view.label: report.commit}
    return report


def _update(session: Session, decided: Decided) -> Plan:
    view, present, edit = decided.view, decided.present, decided.edit
    overlay, home = view.overlay, view.home
    branch = present.branch
    files: dict[str, bytes | None] = {**edit.files}
    if decided.hold is not None:
        files[decided.hold.path] = decided.hold.content
    draft = Draft(
        files,
        # No trailers but the id: it proposes nothing, and history must not read it as if it did.
        f"Merge {home.branch} into {branch}\n\nGitops-Id: {session.intent}\n",
        before={path: home.read(path) for path in files},
    )
    proposal = ProposalDraft(
        overlay, branch, home.branch, draft, present.commit, onto=present.commit, update=True
    )
    note = f"{branch} is brought up to date with {home.branch} at {home.commit[:7]}"
    return Plan(action="approve", proposals=(proposal,), notes=(note,))
