"""Appending to the ledger in memory: races, lost answers, signers; and what reads cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest

from fakes import FakeRepository, session_on
from gitops.actions.context.named import Named
from gitops.actions.context.session import Session
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.history import history
from gitops.actions.qa import QaPreview, QaRequest, qa
from gitops.core.git.commit import Identity
from gitops.core.ledger import LARGEST_PART
from gitops.core.report import WriteReport
from gitops.errors import Conflict, Refused, Unavailable, UsageError
from gitops.ports import Lost, RefUpdate
from gitops.ports import Snapshot as SnapshotPort

LEDGER = "gitops/ledger"
FILE = "stage.jsonl"
STAGE = "overlays/stage/kustomization.yaml"
CONFIG = b"""\
apiVersion: gitops/v1
kind: Config
environments:
  - {name: dev, overlay: overlays/dev}
  - {name: stage, overlay: overlays/stage}
"""


def overlay(tag: str) -> bytes:
    """An overlay that pins one image."""
    return f"images:\n  - name: shop/api\n    newTag: {tag}\n".encode()


class Contended(FakeRepository):
    """Somebody else acts right before a push: `rivals` are run one by one; reads are noted."""

    def __init__(self) -> None:
        super().__init__(
            {
                "gitops.yaml": CONFIG,
                STAGE: overlay("1"),
                "overlays/dev/kustomization.yaml": overlay("1"),
            }
        )
        self.rivals: list[Callable[[], object]] = []
        self.asked: list[str | None] = []

    def snapshot(self, branch: str | None = None) -> SnapshotPort:  # type: ignore[override]
        """Note which branch is read."""
        self.asked.append(branch)
        return super().snapshot(branch)

    def push(self, updates: list[RefUpdate]) -> Lost | None:  # type: ignore[override]
        """Let the next rival act, then push."""
        if self.rivals:
            self.rivals.pop(0)()
        return super().push(updates)


def session(repository: FakeRepository, who: str = "Ana", *, intent: str = "1") -> Session:
    """A session of somebody, with a budget of ten seconds."""
    return session_on(repository, Identity(who, "someone@example.com"), intent=intent, budget=10.0)


def say(repository: FakeRepository, who: str = "Ana", note: str | None = None) -> WriteReport:
    """Pass the newest release of stage; the intent is who says it."""
    release = repository.branches["main"]
    request = QaRequest(Named(("stage",)), "qa-passed", release, note)
    return qa(session(repository, who, intent=who), request)


def writers(repository: FakeRepository) -> list[str]:
    """Who stands in the ledger, in its order."""
    content = repository.show(FILE, LEDGER) or b""
    return [json.loads(line)["by"] for line in content.splitlines()]


def test_two_make_the_branch_at_once() -> None:
    """Who loses the race to make the ledger adds a line to it."""
    repository = Contended()
    repository.rivals = [lambda: say(repository, "Bob")]

    report = say(repository)

    assert (["Bob", "Ana"], "committed", 2) == (
        writers(repository),
        report.outcome,
        report.attempts,
    )


@pytest.mark.parametrize("lands", [True, False])
def test_lost_answer_writes_once(lands: bool) -> None:
    """Whether a push landed or not when its answer was lost: the line is there once."""
    repository = Contended()
    say(repository, "Bob")
    repository.trouble, repository.lands = Unavailable("cut"), lands

    report = say(repository, "Ana", "again")

    assert (["Bob", "Ana"], "committed") == (writers(repository), report.outcome)
    assert repository.branches[LEDGER] == report.commit


def test_lost_answer_and_somebody_after_it() -> None:
    """A line whose answer was lost is found below a later one, with its own commit."""
    repository = Contended()
    repository.trouble, repository.lands = Unavailable("cut"), True
    told: list[str] = []

    def bob(_trouble: str, _tries: str) -> None:
        told.append(repository.branches[LEDGER])
        say(repository, "Bob", "later")

    ana = session(repository, intent="Ana")
    ana = Session(**{name: getattr(ana, name) for name in ana.__slots__} | {"retry": bob})
    report = qa(ana, QaRequest(Named(("stage",)), "qa-passed", repository.branches["main"]))

    assert (["Ana", "Bob"], told) == (writers(repository), [report.commit])


def test_a_large_file_is_left_as_it_is() -> None:
    """The next word begins another file; it counts, and the same call finds what it wrote."""
    repository = Contended()
    say(repository, "Ana")
    old = repository.show(FILE, LEDGER) or b""
    large = old * (LARGEST_PART // len(old) + 1)
    repository.commit({FILE: large}, branch=LEDGER)

    assert say(repository, "Bo", "again").outcome == "committed"
    assert say(repository, "Bo", "again").outcome == "unchanged"
    assert repository.show(FILE, LEDGER) == large
    assert b'"by": "Bo"' in (repository.show("stage.2.jsonl", LEDGER) or b"")
    assert say(repository, "Cy", "third").outcome == "committed"
    assert (repository.show("stage.2.jsonl", LEDGER) or b"").count(b"\n") == 2
    words = history(session(repository), "stage").words[repository.branches["main"]]
    assert [word.by for word in words] == ["Cy"]


def test_a_word_of_long_ago_is_said_again() -> None:
    """The newest two files are looked at, however many there are."""
    repository = Contended()
    say(repository, "Ana")
    told = repository.show(FILE, LEDGER) or b""
    other = told.replace(repository.branches["main"].encode(), b"f" * 40).replace(b'"1"', b'"0"')
    repository.commit({"stage.2.jsonl": other}, branch=LEDGER)
    assert say(repository, "Bo").outcome == "unchanged"

    repository.commit({"stage.3.jsonl": other}, branch=LEDGER)
    assert say(repository, "Bo").outcome == "committed"
    assert b'"by": "Bo"' in (repository.show("stage.3.jsonl", LEDGER) or b"")
    assert repository.show(FILE, LEDGER) == told


def test_budget_spent_on_races() -> None:
    """A ledger that keeps moving ends in a conflict that names it."""
    repository = Contended()
    repository.rivals = [
        lambda n=n: repository.commit({f"{n}": b""}, branch=LEDGER) for n in range(99)
    ]

    with pytest.raises(Conflict, match="gitops/ledger of memory kept moving"):
        say(repository)


def test_bump_while_a_person_is_asked() -> None:
    """The release that was shown gets the word, whatever landed while it was looked at."""
    repository = Contended()
    shown = repository.branches["main"]

    def confirm(previews: Sequence[QaPreview]) -> bool:
        repository.commit({STAGE: overlay("2")}, "bump\n")
        return [shown] == [one.release.commit for one in previews]

    qa(session(repository), QaRequest(Named(("stage",)), "qa-passed"), confirm=confirm)
    report = history(session(repository), "stage")

    assert {shown: ["qa-passed"]} == {
        commit: [word.verdict for word in words] for commit, words in report.words.items()
    }


def test_no_is_no_and_nobody_to_ask() -> None:
    """Nothing is recorded without a yes."""
    repository = Contended()

    with pytest.raises(Refused, match="nothing was recorded"):
        qa(session(repository), QaRequest(Named(("stage",)), "qa-passed"), confirm=lambda _: False)
    with pytest.raises(UsageError, match="say which release"):
        qa(session(repository), QaRequest(Named(("stage",)), "qa-passed"))
    assert LEDGER not in repository.branches


def test_reads_cost_one_look() -> None:
    """history looks at the ledger once, and a deploy without `after` never."""
    repository = Contended()
    history(session(repository), "stage")
    looks = repository.asked.count(LEDGER)
    deploy(session(repository), DeployRequest(images=("shop/api:2",), to=("dev",)))

    assert (1, 1) == (looks, repository.asked.count(LEDGER))


def test_signer_is_who_said_it() -> None:
    """With signers the principal of the key counts, and no unsigned line does."""
    repository = Contended()
    repository.commit(
        {"gitops.yaml": CONFIG + b"signers: .gitops/signers\n", ".gitops/signers": b"ana@key\n"}
    )
    release = repository.commit({STAGE: overlay("2")}, "bump\n")
    say(repository, "Bob")
    unsigned = history(session(repository), "stage")
    repository.signatures[repository.branches[LEDGER]] = "ana@key"
    signed = history(session(repository), "stage")

    assert ({}, ["ana@key"]) == (unsigned.words, [word.by for word in signed.words[release]])
    assert (1, ()) == (len(unsigned.warnings), signed.warnings)
