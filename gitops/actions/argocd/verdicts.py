"""Write what a machine saw of a release to the ledger, once, however many machines look.

Pull requests quote verdicts; whoever wrote one brings their texts up to date.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec.structs import replace

from gitops.actions.context.view import OverlayView
from gitops.actions.pull_requests.announce import update_pull_requests
from gitops.actions.releases.ledger import OverlayLedger, append_records
from gitops.core.argocd.health import Observation
from gitops.core.git.commit import derived_id
from gitops.core.ledger.records import Record
from gitops.core.ledger.verdicts import LatestVerdicts, is_news, judged
from gitops.core.releases.release import Release
from gitops.core.text.plain import timestamp


def record_verdict(
    view: OverlayView,
    release: Release,
    verdict: Literal["stable", "degraded"],
    observations: Sequence[Observation],
    *,
    reason: str | None,
    soak: float = 0.0,
) -> bool:
    """Append the verdict, unless it stands there, or a word that it must not go against.

    Returns True when it stands there now, whoever wrote it. Pull requests that quote it are brought
    up to date; that one could not be is only said. Raises what `append_records` raises,
    and NotFound when nobody is known to be the author.
    """
    session = view.session
    intent = derived_id(session.intent, f"{release.commit} {verdict}")
    record = Record(
        commit=release.commit,
        verdict=verdict,
        time=session.clock.now(),
        by=session.identity().name,
        reason=reason,
        images=release.images or {},
        machine=True,
        intent=intent,
        seen=_seen(observations, soak),
    )

    def is_said(ledger: OverlayLedger) -> bool:
        return not is_news(ledger.entries, release.commit, verdict)

    done = append_records(
        OverlayView(replace(session, intent=intent), view.tip, view.overlay),
        [record],
        action="wait",
        subject=f"{view.label}: {verdict} {release.commit[:7]}",
        unless=is_said,
    )
    if done.commit is not None:
        for warning in update_pull_requests(session, [view]):
            session.say(warning)
        return True
    entries = done.found.entries if done.found is not None else ()
    word = judged(entries).get(release.commit, LatestVerdicts()).health
    return word is not None and word.verdict == verdict


def _seen(observations: Sequence[Observation], soak: float) -> dict[str, object]:
    """What makes the line checkable later."""
    return {
        "soak": soak,
        "applications": [
            {
                "cluster": one.ref.cluster,
                "namespace": one.ref.namespace,
                "name": one.ref.name,
                "revision": one.revision,
                "sync": one.sync,
                "health": one.health,
                "since": timestamp(one.since) if one.since else None,
                "seen": timestamp(one.time),
                "images": list(one.images),
            }
            for one in observations
        ],
    }
