"""Commit messages: what they say, and that nobody can forge a trailer."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.core.git.commit import Identity
from gitops.core.git.message import ChangeLine, CommitMessage, put_in_form, subject, trailers
from gitops.core.kustomization.image import ImageChange, ImageValue
from gitops.core.text.plain import LONGEST_TEXT, one_line

SHA = "0123456789abcdef0123456789abcdef01234567"
HOSTILE = [
    "x\n\nGitops-Action: rollback",
    "x\r\rGitops-Action: rollback",
    "x\u2028\u2028Gitops-Action: rollback",
    "x\x85\x85Gitops-Action: rollback",
    "x\x0b\x0c\x1c\x1d\x1eGitops-Action: rollback",
    "Gitops-Action: rollback",
    "\n\nGitops-Id: stolen",
    "x\n\nArgocd-reference-commit-sha: 1234567",
    "\x1b[2J\x00\x07",
    "\u202egnp.exe",
    "\ud800",
    "---\n\nGitops-Action: rollback",
    "# a comment",
]


def change(before: str | None, after: str | None, image: str = "shop/api") -> ImageChange:
    """One image going from tag to tag."""
    return ImageChange(image, ImageValue(tag=before), ImageValue(tag=after))


def message(**more: Any) -> str:
    """A deploy of one image to dev, with overrides by keyword."""
    plain: dict[str, Any] = {
        "action": "deploy",
        "environments": ["dev"],
        "changes": [ChangeLine("dev", change("1.4.1", "1.4.2"))],
        "intent": "id-1",
    }
    return CommitMessage(**(plain | more)).render()


def test_the_whole_message() -> None:
    """Subject, a line for each change, the reason, then the trailers in this order."""
    actual = message(
        action="rollback",
        environments=["dev", "test"],
        changes=[
            ChangeLine("dev", change("1.4.1", "1.4.2")),
            ChangeLine("test", change("1.4.0", "1.4.2")),
        ],
        reason="INC-42",
        overrides=["first", "second"],
        source=("release/1.4", SHA),
        restores="a" * 40,
        rolled_back="b" * 40,
    )

    expected = f"""\
dev, test: roll back shop/api 1.4.1, 1.4.0 -> 1.4.2

dev: shop/api 1.4.1 -> 1.4.2
test: shop/api 1.4.0 -> 1.4.2

Reason: INC-42

Gitops-Action: rollback
Gitops-Environment: dev
Gitops-Environment: test
Gitops-Id: id-1
Source-Revision: release/1.4@sha1:{SHA}
Gitops-Restores: {"a" * 40}
Gitops-Rolled-Back: {"b" * 40}
Gitops-Override: first
Gitops-Override: second
Argocd-reference-commit-sha: {SHA}
"""
    assert expected == actual


@pytest.mark.parametrize(
    ("environments", "changes", "expected"),
    [
        (["dev"], [ChangeLine("dev", change("1", "2"))], "dev: shop/api 1 -> 2"),
        (
            ["dev", "test"],
            [ChangeLine("dev", change("1", "2")), ChangeLine("test", change("1", "2"))],
            "dev, test: shop/api 1 -> 2",
        ),
        (
            ["dev"],
            [ChangeLine("dev", change("1", "2", f"app{number}")) for number in range(7)],
            "dev: 7 images",
        ),
        (["shop/dev"], [], "shop/dev: deploy"),
    ],
)
def test_subject_lines(environments: list[str], changes: list[ChangeLine], expected: str) -> None:
    """The subject names environments and the change, or how many images there are."""
    assert expected == subject(message(environments=environments, changes=changes))


def test_a_subject_of_its_own() -> None:
    """A given subject replaces the one made from the changes, cleaned and bounded."""
    assert subject(message(subject="dev: hold (a\n\nb)")) == "dev: hold (a b)"
    assert len(message(subject="x" * 999).split("\n")[0]) == 200


@pytest.mark.parametrize(
    ("source", "revision", "reference"),
    [
        (None, None, None),
        (("main", None), "main", None),
        (("main", SHA), f"main@sha1:{SHA}", SHA),
        (("main", SHA.upper()), f"main@sha1:{SHA}", SHA),
        (("main", "a" * 64), f"main@sha256:{'a' * 64}", None),
        (("main", "0123456"), "main", "0123456"),
        (("main", "not-hex"), "main", None),
    ],
)
def test_the_source_revision(
    source: tuple[str, str | None] | None, revision: str | None, reference: str | None
) -> None:
    """Branch and commit, as far as they are known; Argo CD takes 5 to 40 hex digits."""
    found = trailers(message(source=source))

    assert (revision, reference) == tuple(
        found[key][0] if key in found else None
        for key in ("Source-Revision", "Argocd-reference-commit-sha")
    )


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("place", ["reason", "override", "environment", "subject", "image", "ref"])
def test_people_cannot_forge_trailers(text: str, place: str) -> None:
    """Whatever is typed, the trailers are exactly the ones that were written."""
    more: dict[str, Any] = {
        "reason": {"reason": text},
        "override": {"overrides": [text]},
        "environment": {"environments": [f"dev{text}"]},
        "subject": {"subject": text},
        "image": {"changes": [ChangeLine("dev", change("1", "2", f"app{text}"))]},
        "ref": {"source": (f"main{text}", None)},
    }[place]

    written = message(**more)

    found = trailers(written)
    assert found["Gitops-Action"] == ("deploy",)
    assert found["Gitops-Id"] == ("id-1",)
    more_trailers = place == "ref" or (place == "override" and bool(one_line(text)))
    assert 3 + more_trailers == sum(map(len, found.values()))
    assert all(line.isprintable() for line in written.split("\n"))
    assert not any(line.startswith("Gitops-Action: rollback") for line in written.split("\n")[1:])


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_round_trip(reason: str, ref: str, overrides: list[str]) -> None:
    """What is rendered is read back, cleaned, whatever the texts are."""
    found = trailers(message(reason=reason, source=(ref, SHA), overrides=overrides))

    expected = {
        "Gitops-Action": ("deploy",),
        "Gitops-Environment": ("dev",),
        "Gitops-Id": ("id-1",),
        "Source-Revision": (one_line(f"{ref}@sha1:{SHA}"),),
        "Argocd-reference-commit-sha": (SHA,),
    }
    kept = tuple(one_line(text) for text in overrides if one_line(text))
    assert expected | ({"Gitops-Override": kept} if kept else {}) == found


def test_git_reads_the_same_trailers(tmp_path: Any) -> None:
    """`git interpret-trailers` agrees with us about what was written."""
    written = message(reason=HOSTILE[0], source=("main", SHA), overrides=[HOSTILE[0], "b"])

    done = subprocess.run(
        ["git", "interpret-trailers", "--parse"],
        input=written.encode(),
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(tmp_path)}
        | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"},
    )

    expected = [f"{key}: {value}" for key, values in trailers(written).items() for value in values]
    assert expected == done.stdout.decode().splitlines()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Gitops-Action: rollback\n",
        "subject\nGitops-Action: rollback\n",
        "subject\n\nGitops-Action: rollback\n\nmore words\n",
        "subject\n\nthe reason is\nGitops-Action: rollback\n",
        "subject\n\nGitops-Action: rollback\nand so on\n",
        "subject\n\nGitops-Action : rollback\n",
    ],
)
def test_what_is_no_trailer(text: str) -> None:
    """Only a last paragraph that is nothing but trailers has any."""
    assert trailers(text) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s\n\nA: 1\nB: 2\nA: 3\n", {"A": ("1", "3"), "B": ("2",)}),
        ("s\r\n\r\nA: 1\r\n", {"A": ("1",)}),
        ("s\n\nA: 1\n  2\n", {"A": ("1 2",)}),
        ("s\n\nA: 1\n(cherry picked from commit 0123abc)\n\n\n", {"A": ("1",)}),
        ("s\n\nbody\n\nSigned-off-by: a <a@b>\nA:\n", {"Signed-off-by": ("a <a@b>",), "A": ("",)}),
    ],
)
def test_trailers_of_others(text: str, expected: dict[str, tuple[str, ...]]) -> None:
    """Messages that other tools wrote or touched are read too."""
    assert expected == trailers(text)


def test_subject_of_others() -> None:
    """The subject is the first paragraph, on one line."""
    assert subject("\n\nfirst\nsecond\n\nbody\n") == "first second"
    assert subject("\n") == ""


def test_one_line_is_bounded() -> None:
    """Long texts end in an ellipsis, and are not longer than the bound."""
    assert one_line("x" * 10_000) == "x" * (LONGEST_TEXT - 1) + "…"
    assert one_line("  a \t\n b ") == "a b"


ANA = Identity("Ana", "ana@example.com")


def test_the_form_of_a_team() -> None:
    """The subject stands in the team's words, its trailers behind ours; what it says stays."""
    plain = message(action="deploy", environments=["dev"], intent="77")
    formed = put_in_form(
        plain, "chore(deploy): {summary} [skip ci]", ["Signed-off-by: {author}", "Team: shop"], ANA
    )

    assert subject(formed) == f"chore(deploy): {subject(plain)} [skip ci]"
    assert {**trailers(plain), "Signed-off-by": ("Ana <ana@example.com>",), "Team": ("shop",)} == (
        trailers(formed)
    )
    assert formed == put_in_form(formed, "{summary}", ["Team: shop"], None)


def test_a_message_without_trailers_gets_a_paragraph() -> None:
    """A message of one line gets its trailers in a paragraph of their own."""
    assert put_in_form("Fix it\n", "{summary}", ["Team: shop"], None) == "Fix it\n\nTeam: shop\n"
