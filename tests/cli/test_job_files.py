"""What a CI job gets of a write: a summary for people, values for later steps, nothing to obey."""

from __future__ import annotations

from pathlib import Path

from markdown_it import MarkdownIt

from manifests import Manifests


def values(path: Path) -> dict[str, str]:
    """Read outputs as runners do: one NAME=VALUE a line."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def test_write_is_told(manifests: Manifests, tmp_path: Path) -> None:
    """Both files get what was done, behind what stands there; without them nothing is written."""
    summary, outputs = tmp_path / "summary.md", tmp_path / "outputs"
    summary.write_text("# Before\n\n")
    words = ("deploy", "shop/api:1.9.0", "--ref", "main")
    files = ("--summary", str(summary), "--outputs", str(outputs))
    done = manifests.gitops(*words, *files, "-o", "json")
    again = manifests.gitops(*words, "--outputs", str(tmp_path / "again"))

    assert (0, 0) == (done.code, again.code), done.err
    told = values(outputs)
    assert done.json["commit"] == told["GITOPS_COMMIT"]
    assert ("committed", "true", "dev,test", "") == tuple(
        told[f"GITOPS_{name}"] for name in ("OUTCOME", "CHANGED", "ENVIRONMENTS", "SKIPPED")
    )
    text = summary.read_text()
    assert text.startswith("# Before\n\n### ✅ gitops deploy: committed")
    assert "<table>" in MarkdownIt().enable("table").render(text)
    assert "`1.9.0`" in text
    assert "unchanged" == values(tmp_path / "again")["GITOPS_OUTCOME"]


def test_actions_get_it_unasked(manifests: Manifests, tmp_path: Path) -> None:
    """In a job of Actions the summary is written by itself; of a rollback and its hold, too."""
    summary = tmp_path / "summary.md"
    env = {"GITHUB_STEP_SUMMARY": str(summary)}
    manifests.gitops("deploy", "shop/api:1.9.0", "--to", "dev", env=env)
    manifests.gitops(
        "rollback", "dev", "--yes", "--reason", "<b>@all</b> | `x`\nGITOPS_X=1", env=env
    )
    manifests.gitops("hold", "test", "--reason", "load", env=env)
    skipped = manifests.gitops("deploy", "shop/api:2.0.0", "--ref", "main", env=env)
    looked = manifests.gitops("status", env=env)

    assert (0, 0) == (skipped.code, looked.code)
    heads = [one for one in summary.read_text().splitlines() if one.startswith("###")]
    assert ["deploy", "rollback", "hold", "deploy"] == [one.split()[3].strip(":") for one in heads]
    assert "skipped `dev`: ``held by" in summary.read_text()
    assert "<b>" not in MarkdownIt().enable("table").render(summary.read_text())


def test_refusal_is_told(manifests: Manifests, tmp_path: Path) -> None:
    """Why it came to nothing stands on the page, and no later step thinks that it did."""
    summary, outputs = tmp_path / "summary.md", tmp_path / "outputs"
    manifests.gitops("hold", "dev", "--reason", "INC-42\n[x](http://evil.example.com)")
    done = manifests.gitops(
        *("deploy", "shop/api:2", "--to", "dev", "--summary", str(summary)),
        *("--outputs", str(outputs)),
    )

    assert done.code == 1
    assert {"GITOPS_OUTCOME": "refused", "GITOPS_CHANGED": "false"} == values(outputs)
    assert "### ❌ gitops: refused" in summary.read_text()
    assert "<a " not in MarkdownIt().render(summary.read_text())


def test_file_that_cannot_be_written(manifests: Manifests, tmp_path: Path) -> None:
    """What was done is done: a warning, and the exit code of the write."""
    missing = str(tmp_path / "no" / "such")
    done = manifests.gitops("deploy", "shop/api:1.9.0", "--to", "dev", "--outputs", missing)

    assert done.code == 0
    assert "warning: such cannot be written" in done.err
