"""An environment on a branch of its own, over HTTP and on paths: every command, crowds, faults."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import warm
from manifests import Manifests, Result
from servers.git_http import Behaviour, GitServer

DEV = "overlays/dev/kustomization.yaml"
STAGE = "overlays/stage/kustomization.yaml"
PROD = "overlays/prod/kustomization.yaml"
PRODUCTION = "production"
BEN = {"GITOPS_AUTHOR": "Ben <ben@example.com>"}


RULES = """\
    accepts: ["release/{version}"]
    change: pull-request
    after: [stage]
    requires: [qa-passed]
"""


def configure(manifests: Manifests, *, rules: bool = True) -> None:
    """Give prod its branch; without `rules` it takes commits, and needs nothing before."""
    text = (manifests.checkout / "gitops.yaml").read_text()
    others = text.partition("  - name: prod\n")[0]
    prod = "  - name: prod\n    overlay: overlays/prod\n    branch: production\n"
    prod += RULES if rules else '    accepts: [main, "release/{version}"]\n'
    manifests.commit("Put prod on a branch of its own", {"gitops.yaml": others + prod})


@pytest.fixture
def apart(manifests: Manifests) -> Manifests:
    """Manifests whose prod lives on production, made from main."""
    configure(manifests)
    manifests.git("branch", PRODUCTION, "main")
    return manifests


@pytest.fixture
def loose(manifests: Manifests) -> Manifests:
    """The same, with a prod that takes whatever is named."""
    configure(manifests, rules=False)
    manifests.git("branch", PRODUCTION, "main")
    return manifests


def head(manifests: Manifests, branch: str) -> str:
    """Return the commit of a branch."""
    return manifests.git("rev-parse", branch).strip()


def ids(manifests: Manifests, branch: str) -> list[str]:
    """Every Gitops-Id on a branch."""
    log = manifests.git("log", "--format=%(trailers:key=Gitops-Id,valueonly)", branch)
    return log.split()


def landed(result: Result) -> dict[str, str]:
    """Branch -> commit, as the document tells it."""
    assert 0 == result.code, result.err
    return {one["branch"]: one["commit"] for one in result.json["commits"]}


def test_the_whole_way_to_prod(apart: Manifests, server: GitServer) -> None:
    """Stage on main, QA's word, a proposal on production, approved, rolled back, held, resumed."""

    def gitops(*words: str, env: dict[str, str] | None = None) -> Result:
        return apart.gitops(*words, "-o", "json", repo=server.repo, env=env)

    staged = gitops("deploy", "shop/api:1.5.0", "--ref", "release/1.5").json
    main = head(apart, "main")
    refused = gitops("promote", "--to", "prod")
    gitops("qa", "stage", "--pass", "--release", staged["commit"])
    proposed = gitops("promote", "--to", "prod")
    waiting = gitops("status", "prod").json["environments"][0]
    differing = gitops("diff", "stage", "prod")
    merged = gitops("approve", "prod", env=BEN)
    released = gitops("history", "prod").json
    verdict = gitops("qa", "prod", "--pass", "--release", released["releases"][0]["commit"])
    back = gitops("rollback", "prod")
    held = gitops("promote", "--to", "prod")
    resumed = gitops("resume", "prod")
    again = gitops("hold", "prod", "--reason", "INC-1")

    assert 1 == refused.code
    assert "no qa-passed" in refused.json["error"]["reasons"][0]
    assert ("proposed", PRODUCTION, []) == tuple(
        proposed.json[key] for key in ("outcome", "branch", "commits")
    )
    assert [(PRODUCTION, "gitops/prod")] == [
        (one["base"], one["branch"]) for one in waiting["proposals"]
    ]
    assert (PRODUCTION, 1) == (waiting["branch"], differing.code)
    assert [PRODUCTION] == list(landed(merged))
    assert (PRODUCTION, landed(merged)[PRODUCTION]) == (
        released["branch"],
        released["releases"][0]["commit"],
    )
    assert ["gitops/ledger"] == list(landed(verdict))
    assert (1, "refused") == (held.code, held.json["error"]["code"])
    assert [[PRODUCTION]] * 3 == [list(landed(one)) for one in (back, resumed, again)]
    assert main == head(apart, "main")
    assert "1.4.0" in apart.file(PROD, PRODUCTION)
    assert "by:" in apart.file(".gitops/holds/prod.yaml", PRODUCTION)
    assert "gitops/prod" not in apart.git("branch", "--format=%(refname:short)").split()


def test_text_tells_the_branches(loose: Manifests, server: GitServer) -> None:
    """People read which commit went where, what a dry run would write where, and where prod is."""
    words = ("deploy", "shop/api:2.0.0", "--to", "dev", "--to", "prod")
    planned = loose.gitops(*words, "--dry-run", repo=server.repo)
    done = loose.gitops(*words, repo=server.repo)
    status = loose.gitops("status", "prod", "dev", repo=server.repo)

    assert "on main:\n--- a/overlays/dev" in planned.out
    assert "on production:\n--- a/overlays/prod" in planned.out
    main, production = head(loose, "main")[:7], head(loose, PRODUCTION)[:7]
    assert f"committed {main} to main and {production} to production of http" in done.out
    assert f"in {production} on production" in status.out
    assert f"in {main}\n" in status.out


def test_branch_that_is_made_later(manifests: Manifests, server: GitServer) -> None:
    """Named before it exists: told everywhere with the way out; made from main, it has the past."""
    first = manifests.gitops("deploy", "shop/api:1.5.0", "--ref", "release/1.5", repo=server.repo)
    bumped = manifests.file(PROD).replace("1.4.0", "1.4.9")
    release = manifests.commit("prod by hand", {PROD: bumped})
    configure(manifests)
    calls = {
        words: manifests.gitops(*words, "-o", "json", repo=server.repo)
        for words in [
            ("deploy", "shop/api:1.5.0", "--to", "prod", "--override", "INC-1"),
            ("rollback", "prod"),
            ("hold", "prod", "--reason", "INC-1"),
            ("history", "prod"),
        ]
    }
    status = manifests.gitops("status", "-o", "json", repo=server.repo)
    wrong = manifests.gitops("validate", repo=server.repo)
    eligible = manifests.gitops("promote", "--eligible", repo=server.repo)
    manifests.git("branch", PRODUCTION, "main")
    right = manifests.gitops("validate", repo=server.repo)
    history = manifests.gitops("history", "prod", "-o", "json", repo=server.repo).json
    back = manifests.gitops("rollback", "prod", "-o", "json", repo=server.repo)

    assert 0 == first.code, first.err
    for words, result in calls.items():
        assert (3, "not-found") == (result.code, result.json["error"]["code"]), words
        assert "origin/main:refs/heads/production" in result.json["error"]["hint"], words
    problems = [row["problem"] for row in status.json["environments"]]
    assert [True] == ["no branch production" in text for text in problems if text]
    assert (2, 0, 0) == (wrong.code, right.code, eligible.code), right.out
    assert "prod lives on branch production: no branch production" in wrong.out
    assert release == history["releases"][0]["commit"]
    assert [PRODUCTION] == list(landed(back))
    assert "1.4.0" in manifests.file(PROD, PRODUCTION)


def test_what_it_costs(apart: Manifests, server: GitServer) -> None:
    """dev asks as much as ever; prod's branch costs one more fetch, its conditions nothing."""
    apart.gitops("deploy", "shop/api:1.5.0", "--to", "dev", repo=server.repo)
    dev = server.count(push=False), server.count(push=True)
    server.requests.clear()
    apart.gitops("hold", "prod", "--reason", "INC-1", repo=server.repo)
    hold = server.count(push=True)
    server.requests.clear()
    apart.gitops("deploy", "shop/api:1.5.0", "--to", "stage", repo=server.repo)

    assert (2, 1) == dev
    assert 1 == hold
    assert (2, 1) == (server.count(push=False), server.count(push=True))


def test_two_fetches_and_one_push(loose: Manifests, server: GitServer) -> None:
    """A call that reaches both branches fetches each of them once, and pushes once."""
    result = loose.gitops(
        *("deploy", "shop/api:2.0.0", "--to", "dev", "--to", "prod", "-o", "json"),
        repo=server.repo,
    )

    assert {"main", PRODUCTION} == set(landed(result))
    assert (3, 2) == (server.count(push=False), server.count(push=True))


@pytest.mark.parametrize("place", ["bare", "clone", "plain"])
def test_on_paths(loose: Manifests, place: str) -> None:
    """A bare repository, a clone, and a checkout without a remote, whose files follow."""
    repo = loose.path if place == "bare" else loose.checkout
    if place == "plain":
        subprocess.run(["git", "-C", str(repo), "remote", "remove", "origin"], check=True)
        subprocess.run(["git", "-C", str(repo), "branch", "-q", PRODUCTION], check=True)
    words = ("deploy", "shop/api:2.0.0", "--to", "dev", "--to", "prod", "-o", "json")
    result = loose.gitops(*words, repo=str(repo))
    validated = loose.gitops("validate", repo=str(repo))

    assert {"main", PRODUCTION} == set(landed(result))
    where = repo if place == "plain" else loose.path
    for path, branch in ((DEV, "main"), (PROD, PRODUCTION)):
        shown = subprocess.run(
            ["git", "-C", str(where), "show", f"{branch}:{path}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert "2.0.0" in shown
    assert ("2.0.0" in (loose.checkout / DEV).read_text()) == (place == "plain")
    assert 0 == validated.code, validated.out


def test_validate_tells_the_branch_of_a_file(apart: Manifests) -> None:
    """A checkout of main is looked at with production beside it, from the remote."""
    apart.git("symbolic-ref", "HEAD", "refs/heads/other")  # so that production can be pushed to
    checkout = str(apart.checkout)
    for words in (
        ["fetch", "-q", "origin"],
        ["switch", "-q", "-c", PRODUCTION, "origin/production"],
        ["rm", "-q", PROD],
        ["commit", "-q", "-m", "lose it"],
        ["push", "-q", "origin", PRODUCTION],
        ["switch", "-q", "main"],
    ):
        subprocess.run(["git", "-C", checkout, *words], check=True)
    result = apart.gitops("validate", "-o", "json", repo=checkout)

    assert 2 == result.code
    assert [(PRODUCTION, "overlays/prod")] == [
        (one["branch"], one["message"].split()[3]) for one in result.json["problems"]
    ]


def test_protected_branch(loose: Manifests, server: GitServer) -> None:
    """production declines: nothing lands on main either, and the words are shown."""
    hook = loose.path / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        '#!/bin/sh\n[ "$1" != refs/heads/production ] && exit 0\n'
        "echo 'Not allowed to push to protected branch production' >&2\nexit 1\n"
    )
    hook.chmod(0o755)
    before = head(loose, "main"), head(loose, PRODUCTION)
    words = ("deploy", "shop/api:2.0.0", "--to", "dev", "--to", "prod", "-o", "json")
    result = loose.gitops(*words, repo=server.repo)
    everything = loose.gitops("hold", "--all", "--reason", "INC-1", "-o", "json", repo=server.repo)

    assert (3, "protected") == (result.code, result.json["error"]["code"])
    assert before == (head(loose, "main^"), head(loose, PRODUCTION))
    assert ["main"] == list(landed(everything))


@pytest.mark.parametrize("branch", ["main", PRODUCTION])
def test_lost_race_on_either_branch(loose: Manifests, server: GitServer, branch: str) -> None:
    """Somebody is faster on one branch: both are planned again and land together."""
    rivals = {"main": "dev", PRODUCTION: "prod"}
    done: list[int] = []

    def bump() -> None:
        if not done:
            words = ("deploy", "shop/web:9.9.9", "--to", rivals[branch])
            done.append(loose.gitops(*words).code)

    server.behaviour = Behaviour(before_push=bump)
    words = ("deploy", "shop/api:2.0.0", "--to", "dev", "--to", "prod", "-o", "json")
    result = loose.gitops(*words, repo=server.repo)

    assert ([0], 2) == (done, result.json["attempts"])
    assert landed(result) == {one: head(loose, one) for one in ("main", PRODUCTION)}
    theirs = loose.file(PROD if branch == PRODUCTION else DEV, branch)
    assert "9.9.9" in theirs
    assert "2.0.0" in theirs


def test_hold_of_everything_while_prod_is_pushed(loose: Manifests, server: GitServer) -> None:
    """It lands on main between the fetch and the push of production: the push does not land."""
    before = head(loose, PRODUCTION)
    advert = "/manifests.git/info/refs?service=git-receive-pack"
    held: list[int] = []

    def hold() -> None:
        if not held:
            held.append(0)
            held[0] = loose.gitops("hold", "--all", "--reason", "INC-1").code

    server.behaviour = Behaviour(before_advert=hold)
    words = ("deploy", "shop/api:2.0.0", "--to", "prod", "-o", "json")
    result = loose.gitops(*words, repo=server.repo)

    assert [0] == held
    assert (1, "refused") == (result.code, result.json["error"]["code"])
    assert "INC-1" in result.json["error"]["message"]
    assert before == head(loose, PRODUCTION)
    assert any(one.path == advert for one in server.requests)


def test_answer_that_got_lost(loose: Manifests, server: GitServer) -> None:
    """Both branches moved and the connection died: told once, made once."""
    server.behaviour = Behaviour(cut_push=True, only_push=True)
    words = ("deploy", "shop/api:2.0.0", "--to", "dev", "--to", "prod", "-o", "json")
    result = loose.gitops(*words, repo=server.repo)

    assert landed(result) == {one: head(loose, one) for one in ("main", PRODUCTION)}
    assert [1, 1] == [len(ids(loose, one)) for one in ("main", PRODUCTION)]


def test_server_without_atomic_pushes(apart: Manifests, server: GitServer) -> None:
    """Branches move one after the other, a merge lands before its branch goes, and it is said."""
    apart.git("config", "receive.advertiseAtomic", "false")

    def gitops(*words: str, env: dict[str, str] | None = None) -> Result:
        return apart.gitops(*words, "-o", "json", repo=server.repo, env=env)

    commit = gitops("deploy", "shop/api:1.5.0", "--to", "stage").json["commit"]
    gitops("qa", "stage", "--pass", "--release", commit)
    both = gitops("deploy", "shop/api:1.5.0", "--to", "dev", "--to", "prod")
    merged = gitops("approve", "prod", env=BEN)

    assert ["main"] == list(landed(both))
    assert ["gitops/prod"] == [one["branch"] for one in both.json["proposals"]]
    assert [PRODUCTION] == list(landed(merged))
    for result in (both, merged):
        assert ["one after the other" in text for text in result.json["warnings"]] == [True]
    assert "1.5.0" in apart.file(PROD, PRODUCTION)
    assert "gitops/prod" not in apart.git("branch", "--format=%(refname:short)").split()


@pytest.mark.slow
@pytest.mark.parametrize("atomic", [True, False])
def test_crowd_on_two_branches(loose: Manifests, server: GitServer, atomic: bool) -> None:
    """12 processes at once, on main, on production and on both: nothing is lost, nothing twice."""
    loose.git("config", "receive.advertiseAtomic", str(atomic).lower())
    entries = "".join(f"  - name: shop/s{n}\n    newTag: old\n" for n in range(12))
    loose.commit("many services", {DEV: f"images:\n{entries}", PROD: f"images:\n{entries}"})
    loose.git("branch", "-f", PRODUCTION, "main")
    targets = [("dev",), ("prod",), ("dev", "prod")] * 4
    calls = [
        ["deploy", f"shop/s{n}:new-{n}", *(word for name in to for word in ("--to", name))]
        for n, to in enumerate(targets)
    ]
    running = [
        warm.start(
            [*words, "--push-timeout", "110s"],
            loose.elsewhere,
            {**os.environ, "GITOPS_REPO": server.repo},
        )
        for words in calls
    ]
    errors = [process.communicate()[1].decode() for process in running]

    assert [0] * len(calls) == [process.returncode for process in running], errors
    for name, path, branch in (("dev", DEV, "main"), ("prod", PROD, PRODUCTION)):
        tags = [f"new-{n}" if name in to else "old" for n, to in enumerate(targets)]
        wanted = "".join(f"  - name: shop/s{n}\n    newTag: {tag}\n" for n, tag in enumerate(tags))
        assert f"images:\n{wanted}" == loose.file(path, branch)
    main, production = ids(loose, "main"), ids(loose, PRODUCTION)
    assert (8, 8) == (len(set(main)), len(set(production)))
    assert (8, 8, 4) == (len(main), len(production), len({*main} & {*production}))
    loose.git("fsck", "--strict")


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_two_branches_are_pushed(
    loose: Manifests, server: GitServer, when: str
) -> None:
    """`kill -9` at the push: both branches have the commit, or none; the next call goes on."""
    process: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        process[0].kill()
        process[0].wait()

    before = when == "before"
    server.behaviour = Behaviour(before_push=kill) if before else Behaviour(after_push=kill)
    words = ("deploy", "shop/api:2.0.0", "--to", "dev", "--to", "prod")
    process.append(
        subprocess.Popen(
            [sys.executable, "-m", "gitops", *words],
            cwd=loose.elsewhere,
            env={**os.environ, "GITOPS_REPO": server.repo},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    )
    process[0].wait()
    server.behaviour = Behaviour()
    main, production = ids(loose, "main"), ids(loose, PRODUCTION)
    again = loose.gitops(*words, repo=server.repo)

    # A server that took the request may have carried it out by itself.
    assert (main == production, 0 if before else 1) == (True, 0 if before else len(main))
    assert 0 == again.code, again.err
    assert ids(loose, "main") == ids(loose, PRODUCTION)
    assert "2.0.0" in loose.file(PROD, PRODUCTION)


def test_a_proposal_is_read_once(loose: Manifests, server: GitServer) -> None:
    """status fetches a waiting proposal once, and asks main's place no second time for it."""
    text = (loose.checkout / "gitops.yaml").read_text()
    asking = text.replace("    branch: production\n", "    change: pull-request\n")
    loose.commit("Ask before prod, on main", {"gitops.yaml": asking})
    loose.gitops("deploy", "shop/api:2.0.0", "--to", "prod", repo=server.repo)
    server.requests.clear()
    status = loose.gitops("status", "prod", "-o", "json", repo=server.repo)

    (row,) = status.json["environments"]
    assert ["main"] == [one["base"] for one in row["proposals"]]
    # Three for the tip, for the proposal, and for the history of each; two for no ledger.
    assert server.count() <= 3 + 3 + 3 + 3 + 2
