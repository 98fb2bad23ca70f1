"""`gitops check` over ranges: pushes, pull requests, shallow clones, odd histories."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from checking import BEN, DEV, PROD, check, edited, messages, standing, told
from manifests import Manifests
from servers.git_http import GitServer


def git(manifests: Manifests, *arguments: str, folder: Path | None = None) -> str:
    """Run git in the checkout, or in another folder."""
    where = folder if folder is not None else manifests.checkout
    return subprocess.check_output(["git", *arguments], cwd=where, text=True).strip()


def on_branch(manifests: Manifests, branch: str, path: str, content: str, start: str = "") -> str:
    """Commit one file to a side branch and push it; return its head."""
    git(manifests, "fetch", "-q", "origin")
    git(manifests, "checkout", "-q", "-B", branch, start or "origin/main")
    place = manifests.checkout / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content)
    git(manifests, "add", "-A")
    git(manifests, "commit", "-q", "-m", f"Change {path}")
    git(manifests, "push", "-q", "-f", "origin", branch)
    head = git(manifests, "rev-parse", "HEAD")
    git(manifests, "checkout", "-q", "-B", "main", "origin/main")
    return head


@pytest.fixture
def server(manifests: Manifests) -> Iterator[GitServer]:
    """Serves the repository over HTTP."""
    with GitServer(manifests.path.parent) as server:
        yield server


def clone(server: GitServer, folder: Path, *arguments: str) -> Path:
    """Clone the repository as a CI job does."""
    url = server.repo
    subprocess.run(["git", "clone", "-q", *arguments, url, str(folder)], check=True)
    return folder


def test_pull_request_that_smuggles(manifests: Manifests) -> None:
    """Before it is merged, a change of prod through the base is reported, with its branch gone."""
    head = on_branch(manifests, "feature", "base/api.yaml", "kind: List\n")

    document = check(manifests, f"main..{head}")

    assert [("prod", "base/api.yaml")] == told(document)
    assert (False, "main") == (document["landed"], document["branch"])
    assert "nobody approved it yet" in messages(document)


def test_pull_request_of_many_commits_is_one_change(manifests: Manifests) -> None:
    """What one commit of a pull request takes back another one did, and is no change of prod."""
    api = manifests.file("base/api.yaml")
    on_branch(manifests, "feature", "base/api.yaml", "kind: List\n")
    on_branch(manifests, "feature", DEV, manifests.file(DEV) + "# x\n", "feature")
    head = on_branch(manifests, "feature", "base/api.yaml", api, "feature")

    document = check(manifests, head)
    whole = check(manifests, f"main..{head}")

    assert [("prod", "base/api.yaml")] == told(document)
    assert ([], 2, 1) == (whole["findings"], whole["inside"], len(whole["commits"]))


def test_pull_request_takes_policy_from_the_branch(manifests: Manifests) -> None:
    """A pull request from before prod was protected is held to what main says now."""
    config = manifests.file("gitops.yaml")
    before = edited(manifests, "gitops.yaml", "change: pull-request ", "change: commit ")
    old = manifests.commit("Trust everybody", {"gitops.yaml": before})
    manifests.commit("Trust nobody", {"gitops.yaml": config})
    head = on_branch(manifests, "feature", PROD, "images: []\n", old)

    assert [("prod", PROD)] == told(check(manifests, f"{old}..{head}"))


def test_proposal_waits(manifests: Manifests) -> None:
    """A proposal of gitops is no smuggling: it waits for approval, and the check passes."""
    manifests.gitops("deploy", "shop/api:1.5.0", "--ref", "release/1.5")
    manifests.gitops("deploy", "shop/api:1.5.0", "--to", "prod")

    document = check(manifests, "main..gitops/prod")

    assert ([("prod", PROD)], ["waiting"]) == (told(document, "notice"), standing(document))
    assert "waits for an approval" in messages(document)


@pytest.mark.parametrize("path", [PROD, "base/api.yaml"])
def test_proposal_that_smuggles(manifests: Manifests, path: str) -> None:
    """A proposal branch that holds more than image values is reported."""
    manifests.gitops("deploy", "shop/api:1.5.0", "--ref", "release/1.5")
    manifests.gitops("deploy", "shop/api:1.5.0", "--to", "prod")
    content = manifests.file(path, "gitops/prod")
    git(manifests, "fetch", "-q", "origin")
    on_branch(manifests, "gitops/prod", path, content + "# more\n", "origin/gitops/prod")

    assert ("prod", path) in told(check(manifests, "main..gitops/prod"))


def test_merge_result_of_a_pull_request(manifests: Manifests) -> None:
    """What CI checks out for a pull request, a merge with main, is checked without arguments."""
    head = on_branch(manifests, "feature", "base/api.yaml", "kind: List\n")
    manifests.commit("Meanwhile", {"docs/x.md": "x\n"})
    git(manifests, "fetch", "-q", "origin")
    git(manifests, "checkout", "-q", "--detach", "origin/main")
    git(manifests, "merge", "-q", "--no-ff", head, "-m", "Merge")

    document = check(manifests, repo=str(manifests.checkout))

    assert [("prod", "base/api.yaml")] == told(document)
    assert document["landed"] is False


def test_checked_out_branch_without_arguments(manifests: Manifests) -> None:
    """A checked-out branch is checked as a whole, not its newest commit alone."""
    on_branch(manifests, "feature", "base/api.yaml", "kind: List\n")
    head = on_branch(manifests, "feature", "docs/x.md", "x\n", "feature")
    git(manifests, "checkout", "-q", "--detach", head)

    assert [("prod", "base/api.yaml")] == told(check(manifests, repo=str(manifests.checkout)))


def test_branch_that_has_main_merged_into_it(manifests: Manifests) -> None:
    """What main changed meanwhile is not taken for a change of the pull request."""
    on_branch(manifests, "feature", "docs/x.md", "x\n")
    manifests.commit("Somebody else's", {"base/api.yaml": "kind: List\n"})
    git(manifests, "checkout", "-q", "-B", "feature", "origin/feature")
    git(manifests, "merge", "-q", "--no-ff", "origin/main", "-m", "Merge main")
    git(manifests, "push", "-q", "origin", "feature")

    document = check(manifests, "main..feature")

    assert [] == document["findings"]


def test_push_of_one_own_merge_of_main(manifests: Manifests) -> None:
    """A push whose first parent is somebody's branch is read along the branch it landed on.

    It changes nothing of prod; that history leaves the branch's own line there is an error.
    """
    before = manifests.git("rev-parse", "main").strip()
    on_branch(manifests, "feature", "docs/x.md", "x\n")
    manifests.commit("Somebody else's", {"base/api.yaml": "kind: List\n"})
    middle = manifests.git("rev-parse", "main").strip()
    git(manifests, "checkout", "-q", "-B", "feature", "origin/feature")
    git(manifests, "merge", "-q", "--no-ff", "origin/main", "-m", "Merge main")
    git(manifests, "push", "-q", "origin", "HEAD:main")

    assert before
    document = check(manifests, f"{middle}..main")

    assert ([(None, None)], ["untouched"]) == (told(document), standing(document))
    assert ["history"] == [one["rule"] for one in document["findings"]]
    assert f"main was at {middle[:7]}" in messages(document)


def test_change_that_only_a_merge_commit_has(manifests: Manifests) -> None:
    """What stands in the merge commit alone is reported too."""
    head = on_branch(manifests, "feature", "docs/x.md", "x\n")
    git(manifests, "merge", "-q", "--no-ff", "--no-commit", head)
    (manifests.checkout / "base/api.yaml").write_text("kind: List\n")
    git(manifests, "commit", "-q", "-am", "Merge")
    git(manifests, "push", "-q", "origin", "main")

    assert [("prod", "base/api.yaml")] == told(check(manifests))


def test_rewritten_branch(manifests: Manifests) -> None:
    """A forced push that drops commits is reported, and its changes with it."""
    before = manifests.commit("Four is too many", {PROD: manifests.file(PROD) + "# x\n"})
    git(manifests, "reset", "-q", "--hard", "HEAD^")
    (manifests.checkout / "docs").mkdir()
    (manifests.checkout / "docs/x.md").write_text("x\n")
    git(manifests, "add", "-A")
    git(manifests, "commit", "-q", "-m", "Instead")
    git(manifests, "push", "-q", "-f", "origin", "main")
    manifests.git("update-ref", "refs/keep/old", before)

    document = check(manifests, f"{before}..main")

    assert {("prod", PROD), (None, None)} == set(told(document))
    assert "main was rewritten: 1 commit of its history" in messages(document)


def test_new_branch(manifests: Manifests) -> None:
    """The range that CI gives for the first push of a branch is all that it has over main."""
    head = on_branch(manifests, "feature", "base/api.yaml", "kind: List\n")

    assert [("prod", "base/api.yaml")] == told(check(manifests, f"{'0' * 40}..{head}"))


def test_nothing_in_the_range(manifests: Manifests) -> None:
    """A range without commits is all right, and says that it had none."""
    result = manifests.gitops("check", "main..main")

    assert (0, True) == (result.code, result.out.startswith("0 changes on main"))


@pytest.mark.parametrize("depth", ["1", "3"])
def test_shallow_clone_of_a_push(
    manifests: Manifests, server: GitServer, tmp_path: Path, depth: str
) -> None:
    """A clone of one commit is enough: what it lacks is read from the remote."""
    before = manifests.git("rev-parse", "main").strip()
    for number in range(5):
        manifests.commit(f"Docs {number}", {"docs/x.md": f"{number}\n"})
    manifests.commit("Smuggle", {"base/api.yaml": "kind: List\n"})
    for number in range(5):
        manifests.commit(f"Docs {number}", {"docs/y.md": f"{number}\n"})
    place = clone(server, tmp_path / "ci", "--depth", depth)

    document = check(manifests, f"{before}..HEAD", repo=str(place))

    assert [("prod", "base/api.yaml")] == told(document)
    assert (11, True) == (len(document["commits"]), document["landed"])


@pytest.mark.parametrize("filters", [(), ("--filter=blob:none",)])
def test_shallow_clone_without_arguments(
    manifests: Manifests, server: GitServer, tmp_path: Path, filters: tuple[str, ...]
) -> None:
    """The newest commit of a clone of depth 1 is checked against a parent that it does not have."""
    manifests.git("config", "uploadpack.allowFilter", "true")
    commit = manifests.commit("Smuggle", {"base/api.yaml": "kind: List\n"})
    place = clone(server, tmp_path / "ci", "--depth", "1", *filters)

    document = check(manifests, repo=str(place))

    assert ([("prod", "base/api.yaml")], commit) == (told(document), document["tip"])
    assert "1\n" == git(manifests, "rev-list", "--count", "HEAD", folder=place) + "\n"


@pytest.mark.parametrize("filters", ["tree:0", "combine:blob:none+tree:1"])
def test_clone_without_folders(
    manifests: Manifests, server: GitServer, tmp_path: Path, filters: str
) -> None:
    """A clone that has commits and none of their folders is enough, and is asked for names only."""
    manifests.git("config", "uploadpack.allowFilter", "true")
    commit = manifests.commit("Smuggle", {"base/api.yaml": "kind: List\n"})
    manifests.commit("Docs", {"docs/x.md": "x\n"})
    place = clone(server, tmp_path / "ci", f"--filter={filters}")

    document = check(manifests, "HEAD~2..HEAD", repo=str(place))
    compared = manifests.gitops("validate", "--against", "HEAD~1", repo=str(place))

    assert ([("prod", "base/api.yaml")], 2) == (told(document), len(document["commits"]))
    assert commit in {one["commit"] for one in document["commits"]}
    assert 0 == compared.code, compared.err


def test_commit_that_only_the_clone_has(
    manifests: Manifests, server: GitServer, tmp_path: Path
) -> None:
    """A merge that CI made itself, in a shallow clone, is checked though no remote has it."""
    head = on_branch(manifests, "feature", "base/api.yaml", "kind: List\n")
    place = clone(server, tmp_path / "ci", "--depth", "1", "--no-single-branch")
    main = git(manifests, "rev-parse", "origin/main", folder=place)
    tree = git(manifests, "rev-parse", f"{head}^{{tree}}", folder=place)
    words = ("-c", "user.name=CI", "-c", "user.email=ci@example.com", "commit-tree", tree)
    made = git(manifests, *words, "-p", main, "-p", head, "-m", "Merge", folder=place)

    document = check(manifests, made, repo=str(place))

    assert [("prod", "base/api.yaml")] == told(document)


def test_branch_of_the_remote_that_the_clone_lacks(
    manifests: Manifests, server: GitServer, tmp_path: Path
) -> None:
    """`origin/main` is understood in a clone that fetched another branch only."""
    on_branch(manifests, "feature", "base/api.yaml", "kind: List\n")
    place = clone(server, tmp_path / "ci", "--depth", "1", "--branch", "feature")

    assert [("prod", "base/api.yaml")] == told(
        check(manifests, "origin/main..HEAD", repo=str(place))
    )


def test_url_needs_no_clone(manifests: Manifests, server: GitServer) -> None:
    """With a URL commits are read from there, by branch, by id, and by steps back."""
    manifests.commit("Docs", {"docs/x.md": "x\n"})
    commit = manifests.commit("Smuggle", {"base/api.yaml": "kind: List\n"})
    url = server.repo

    found = [told(check(manifests, *words, repo=url)) for words in ([], ["main~2..main"], [commit])]

    assert [[("prod", "base/api.yaml")]] * 3 == found


def test_shallow_clone_without_a_remote(manifests: Manifests, tmp_path: Path) -> None:
    """Where the rest of the history can be read from nowhere, the error says what to fetch."""
    manifests.commit("Docs", {"docs/x.md": "x\n"})
    place = tmp_path / "ci"
    source = f"file://{manifests.path}"
    subprocess.run(["git", "clone", "-q", "--depth", "1", source, str(place)], check=True)
    git(manifests, "remote", "remove", "origin", folder=place)
    result = manifests.gitops("check", "-o", "json", repo=str(place))

    error = result.json["error"]
    assert (3, "not-found") == (result.code, error["code"])
    assert "fetch" in error["hint"]


def test_fifty_commits_take_few_requests(
    manifests: Manifests, server: GitServer, tmp_path: Path
) -> None:
    """A push of 50 commits costs as many requests as one of 5."""
    asked = []
    before = manifests.git("rev-parse", "main").strip()
    for number in (5, 45):
        stream = ""
        for at in range(number):
            text = manifests.file(DEV).replace("1.4.1", f"1.{number}.{at}")
            parent = "from refs/heads/main^0\n" if at == 0 else ""
            stream += (
                f"commit refs/heads/main\ncommitter CI <ci@e.com> {1790000000 + at} +0000\n"
                f"data 1\nx\n{parent}M 100644 inline {DEV}\ndata {len(text.encode())}\n{text}\n"
            )
        subprocess.run(
            ["git", "-C", manifests.path, "fast-import", "--quiet"],
            input=stream.encode(),
            check=True,
        )
        place = clone(server, tmp_path / f"ci-{number}", "--depth", "1")
        server.requests.clear()
        document = check(manifests, f"{before}..HEAD", repo=str(place))
        asked.append([*server.requests])
        assert [] == [one["message"] for one in document["findings"]]

    assert 50 == len(document["commits"])
    assert len(asked[0]) == len(asked[1]), asked
    assert len(asked[0]) <= 12


def test_environment_on_a_branch_of_its_own(manifests: Manifests) -> None:
    """An overlay that lives on another branch is checked there, by the policy of main."""
    manifests.git("branch", "production", "main")
    config = edited(
        manifests,
        "gitops.yaml",
        "    rollback: commit ",
        "    branch: production\n    rollback: commit ",
    )
    manifests.commit("Prod lives elsewhere", {"gitops.yaml": config})
    manifests.commit("Free on main", {"base/api.yaml": "kind: List\n"})
    assert [] == check(manifests)["findings"]
    head = on_branch(manifests, "fix", "base/api.yaml", "kind: Other\n", "origin/production")
    manifests.git("update-ref", "refs/heads/production", head)

    document = check(manifests, "production")

    assert ([("prod", "base/api.yaml")], "production") == (told(document), document["branch"])
    head = on_branch(manifests, "fix", "docs/x.md", "x\n", "origin/production")
    manifests.git("update-ref", "refs/heads/production", head)
    assert [] == check(manifests, "--branch", "production", "production")["findings"]


def test_default_branch_that_points_elsewhere(manifests: Manifests) -> None:
    """Where main only names the branch whose policy counts, naming another one is reported."""
    manifests.git("branch", "deploy", "main")
    config = edited(manifests, "gitops.yaml", "branch: main  ", "branch: deploy  ")
    manifests.commit("Deploy from there", {"gitops.yaml": config})
    manifests.git("branch", "evil", "main")
    manifests.commit("Turn aside", {"gitops.yaml": config.replace("deploy  ", "evil  ")})

    assert "named deploy as the branch whose policy counts, and now evil" in messages(
        check(manifests)
    )


def test_who_is_asked_stands_in_the_text(manifests: Manifests) -> None:
    """The text of an approved change says who agreed."""
    manifests.gitops("deploy", "shop/api:1.5.0", "--ref", "release/1.5")
    manifests.gitops("deploy", "shop/api:1.5.0", "--to", "prod")
    manifests.gitops("approve", "prod", env=BEN)
    result = manifests.gitops("check")

    assert 0 == result.code
    assert "prod: claimed (the ledger, approved by Ben)" in result.out
