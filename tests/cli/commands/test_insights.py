"""`gitops insights`: the story of a repository in numbers, in each form."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from gitrepos import Repo
from manifests import Manifests

BEN = {"GITOPS_AUTHOR": "Ben <ben@example.com>"}


@pytest.fixture
def told(manifests: Manifests) -> Manifests:
    """Two deployments, one of them taken back, with its hold."""
    for tag in ("1.9.0", "1.9.1"):
        done = manifests.gitops("deploy", f"shop/api:{tag}", "--to", "dev", "--to", "test")
        assert done.code == 0, done.err
    back = manifests.gitops("rollback", "dev", "--yes", "--reason", "INC-42")
    assert back.code == 0, back.err
    return manifests


def test_numbers(told: Manifests) -> None:
    """Table and JSON say the same, and how much it is worth."""
    text = told.gitops("insights", "dev")
    document = told.gitops("insights", "-o", "json").json

    dev, test = (
        next(one for one in document["environments"] if one["group"] == name)
        for name in ("dev", "test")
    )
    assert (1, 1) == (dev["failed"], dev["rollbacks"])
    assert dev["deployments"] == test["deployments"]
    assert "few" in dev["confidence"]
    assert {"count": 1} == {"count": dev["holds"]["count"]}
    assert 0 <= dev["changeFailureRate"]["low"] < dev["changeFailureRate"]["high"] <= 1
    assert text.out.splitlines()[1].startswith("dev ")
    assert "test" not in text.out
    assert "too few to tell" in text.out


def test_files(told: Manifests, tmp_path: Path) -> None:
    """A line for each deployment, a picture, and a page that fetches nothing and runs nothing."""
    page, picture = tmp_path / "insights.html", tmp_path / "insights.svg"
    done = told.gitops("insights", "--html", str(page), "--plot", str(picture))
    rows = told.gitops("insights", "--csv", "-")

    assert done.code == 0, done.err
    lines = list(csv.DictReader(io.StringIO(rows.out)))
    assert {"dev", "test"} <= {one["environment"] for one in lines}
    assert ["true"] == [one["failed"] for one in lines if one["failed"] == "true"]
    text = page.read_text()
    assert picture.read_text().startswith("<?xml")
    assert "<svg" in text
    assert not re.search(r"<script|<link|@import|src=\"http", text)
    assert "default-src 'none'" in text


def test_lead_time_from_the_source_commit(manifests: Manifests, tmp_path: Path) -> None:
    """Where images are built from is named, it begins at the commit; else it says what would."""
    source = Repo.checkout(tmp_path / "source")
    commit = source.commit({"app.py": b"1"}, "work")
    for tag, built in (("1.9.0", commit), ("1.9.1", "ab" * 20)):
        words = ("--ref", "main", "--commit", built)
        assert 0 == manifests.gitops("deploy", f"shop/api:{tag}", *words).code
    before = manifests.gitops("insights", "dev")
    told = manifests.gitops("insights", "dev", "--source", str(source.path))
    remote = f"file://{source.path}"
    fetched = manifests.gitops("insights", "dev", "--source", remote, "-o", "json").json
    gone = manifests.gitops("insights", "dev", "--source", str(tmp_path / "none"))

    assert "--source URL" in before.out
    assert "from commit" not in before.out
    assert "from commit" in told.out
    assert "1 of 2 source commits cannot be found there" in told.out
    assert 1 == fetched["total"]["leadTimeFromCommit"]["samples"]
    assert (3, True) == (gone.code, "no such folder" in gone.err)


def test_what_cannot_be(manifests: Manifests, tmp_path: Path) -> None:
    """A period, a kind of picture or an environment that is none is told; nothing is written."""
    for words in (("--since", "soon"), ("--since", "0"), ("--plot", str(tmp_path / "x.gif"))):
        assert manifests.gitops("insights", *words).code == 2
    assert manifests.gitops("insights", "nowhere").code == 3
    assert manifests.gitops("insights", "--csv", str(tmp_path / "no" / "x.csv")).code == 3
    assert [] == list(tmp_path.glob("x.*"))
