"""`gitops check` on real Git: what touches a protected environment, and what excuses it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from checking import DEV, HOLD, PROD, check, edited, messages, told
from manifests import Manifests

PULL = "    change: pull-request          # approved by a person\n"


def link(manifests: Manifests, name: str, target: str) -> None:
    """Put a symbolic link into the checkout; the next commit takes it along."""
    path = manifests.checkout / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.unlink()
    path.symlink_to(target)


SMUGGLED: dict[str, tuple[str, Mapping[str, str | None]]] = {
    "resource of the base": ("base/api.yaml", {"base/api.yaml": "kind: List\n"}),
    "base": ("base/kustomization.yaml", {"base/kustomization.yaml": "resources: [api.yaml]\n"}),
    "component": (
        "base/real-database/kustomization.yaml",
        {"base/real-database/kustomization.yaml": "kind: Component\n"},
    ),
    "patch of a component": (
        "base/real-database/credentials.yaml",
        {"base/real-database/credentials.yaml": "kind: Secret\n"},
    ),
    "patch of the overlay": (
        "overlays/prod/resources.yaml",
        {"overlays/prod/resources.yaml": "kind: Deployment\n"},
    ),
    "new file of the overlay": (
        "overlays/prod/.argocd-source-shop.yaml",
        {"overlays/prod/.argocd-source-shop.yaml": "kustomize: {}\n"},
    ),
    "second kustomization": ("base/Kustomization", {"base/Kustomization": "resources: []\n"}),
    "removed file": ("base/web.yaml", {"base/web.yaml": None}),
    "hold": (HOLD, {HOLD: "by: Eve\nreason: mischief\n"}),
    "hold of everything": (
        ".gitops/hold.yaml",
        {".gitops/hold.yaml": "by: Eve\nreason: mischief\n"},
    ),
    "another case": ("overlays/Prod/x.yaml", {"overlays/Prod/x.yaml": "a: 1\n"}),
    "another case of the config": ("Gitops.yaml", {"Gitops.yaml": "a: 1\n"}),
    "Application": (
        "argocd/shop.yaml",
        {
            "argocd/shop.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
            "spec: {source: {path: ./overlays/prod/}}\n"
        },
    ),
}


@pytest.mark.parametrize("case", SMUGGLED, ids=lambda case: case.replace(" ", "-"))
def test_smuggled_change_is_reported(manifests: Manifests, case: str) -> None:
    """A direct commit that changes prod in any way is reported with the path, beside a dev bump."""
    path, files = SMUGGLED[case]
    dev = edited(manifests, DEV, "newTag: 1.4.1", "newTag: 1.4.2")
    commit = manifests.commit("dev: shop/api 1.4.1 -> 1.4.2", {**files, DEV: dev})

    document = check(manifests)

    assert [("prod", path)] == told(document)
    assert [(commit, "reported")] == [
        (one["commit"], one["standing"]) for one in document["commits"]
    ]


@pytest.mark.parametrize(
    "files",
    [
        {DEV: "resources: [../../base]\nimages: [{name: shop/api, newTag: '2'}]\n"},
        {"overlays/stage/kustomization.yaml": "resources: [../../base]\n"},
        {"docs/notes.md": "prod\n"},
        {"base/README.md": "what lies here\n"},
        {"base/dummy-database/kustomization.yaml": "kind: Component\n"},
        {"overlays/production/kustomization.yaml": "resources: []\n"},
        {".gitops/holds/dev.yaml": "by: Eve\nreason: dev is held\n"},
    ],
    ids=lambda files: next(iter(files)),
)
def test_what_prod_does_not_read_is_free(manifests: Manifests, files: Mapping[str, str]) -> None:
    """A commit that changes nothing that prod is built from needs nobody's word."""
    manifests.commit("Not prod", files)

    document = check(manifests)

    assert [] == document["findings"]
    assert ["untouched"] == [one["standing"] for one in document["commits"]]


POLICY = {
    "mode of prod": (PULL, "    change: commit\n", "change of prod was pull-request, is commit"),
    "gate of prod": ("    after: [stage] ", "    after: [] ", "after of prod was [stage], is []"),
    "row of its gate": (
        '    accepts: ["release/{version}"]\n    deploy: auto ',
        '    accepts: ["**"]\n    deploy: auto ',
        "accepts of stage was [release/{version}], is [**]",
    ),
    "signers": ("kind: Config\n", "kind: Config\nsigners: mine\n", "signers was not set, is mine"),
    "branch": ("branch: main  ", "branch: evil  ", "branch was main, is evil"),
    "broken": ("kind: Config\n", "kind: Conf\n", "the file cannot be read any more"),
    "moved overlay": (
        "    overlay: overlays/prod\n",
        "    overlay: overlays/mine\n",
        "overlay of prod was overlays/prod, is overlays/mine",
    ),
}


@pytest.mark.parametrize("case", POLICY, ids=lambda case: case.replace(" ", "-"))
def test_change_of_policy_is_reported(manifests: Manifests, case: str) -> None:
    """What gitops.yaml says of prod, of its gate and of everything is a part of prod."""
    old, new, message = POLICY[case]
    manifests.commit("Policy", {"gitops.yaml": edited(manifests, "gitops.yaml", old, new)})

    document = check(manifests)

    assert ("prod", "gitops.yaml") in told(document)
    assert message in messages(document)


def test_other_rows_and_comments_are_free(manifests: Manifests) -> None:
    """Comments, and what gitops.yaml says of dev, need nobody's word."""
    content = edited(
        manifests, "gitops.yaml", "overlay: overlays/dev, ", "overlay: overlays/dev/, "
    )
    manifests.commit("Words", {"gitops.yaml": "# a comment\n" + content})

    assert [] == check(manifests)["findings"]


def test_policy_is_the_one_from_before(manifests: Manifests) -> None:
    """A commit that frees prod and changes it in the same breath is reported for both."""
    config = edited(manifests, "gitops.yaml", PULL, "    change: commit\n")
    prod = edited(manifests, PROD, "count: 4", "count: 1")
    manifests.commit("Free prod", {"gitops.yaml": config, PROD: prod})

    assert [("prod", "gitops.yaml"), ("prod", PROD)] == sorted(told(check(manifests)))


def test_policy_does_not_follow_whom_nobody_trusts(manifests: Manifests) -> None:
    """In a range, a commit that frees prod does not free it for the commits after it."""
    before = manifests.git("rev-parse", "main").strip()
    config = edited(manifests, "gitops.yaml", PULL, "    change: commit\n")
    first = manifests.commit("Free prod", {"gitops.yaml": config})
    second = manifests.commit("Change it", {PROD: edited(manifests, PROD, "count: 4", "count: 1")})

    document = check(manifests, f"{before}..main")

    assert [(first, "gitops.yaml"), (second, PROD)] == [
        (one["commit"], one["path"]) for one in document["findings"]
    ]


def test_broken_policy_does_not_free_the_next_push(manifests: Manifests) -> None:
    """When the policy before a push cannot be read, the last one that could counts."""
    manifests.commit("Break it", {"gitops.yaml": "nonsense\n"})
    manifests.commit("Use it", {PROD: edited(manifests, PROD, "count: 4", "count: 1")})

    assert [("prod", PROD)] == told(check(manifests))


def test_reference_through_a_link(manifests: Manifests) -> None:
    """What a symbolic link in the overlay leads to belongs to the overlay."""
    link(manifests, "overlays/prod/resources.yaml", "../../shared/limits.yaml")
    manifests.commit("Share", {"shared/limits.yaml": "kind: Deployment\n"})
    assert {("prod", "overlays/prod/resources.yaml"), ("prod", "shared/limits.yaml")} == set(
        told(check(manifests))
    )

    manifests.commit("Edit what is shared", {"shared/limits.yaml": "kind: Other\n"})

    assert [("prod", "shared/limits.yaml")] == told(check(manifests))


def test_folder_that_becomes_a_link(manifests: Manifests) -> None:
    """A base that is swapped for a link to another folder is reported, with all that it had."""
    subprocess.run(["git", "mv", "base", "evil"], cwd=manifests.checkout, check=True)
    link(manifests, "base", "evil")
    manifests.commit("Swap", {})

    found = told(check(manifests))

    assert ("prod", "base") in found
    assert ("prod", "base/api.yaml") in found


def test_renamed_files(manifests: Manifests) -> None:
    """A rename is what it is: a file that goes, and one that prod reads from now on."""
    subprocess.run(
        ["git", "mv", "base/api.yaml", "base/apis.yaml"], cwd=manifests.checkout, check=True
    )
    base = edited(manifests, "base/kustomization.yaml", "- api.yaml", "- apis.yaml")
    manifests.commit("Rename", {"base/kustomization.yaml": base})

    assert {"base/api.yaml", "base/apis.yaml", "base/kustomization.yaml"} == {
        path for _, path in told(check(manifests))
    }


def test_generator_file_from_elsewhere(manifests: Manifests) -> None:
    """A file that a generator of the base reads belongs to prod, wherever it lies."""
    base = manifests.file("base/kustomization.yaml")
    base = base.replace(
        "    literals:\n", "    files: [app.conf=../settings/app.conf]\n    literals:\n"
    )
    manifests.commit(
        "Read a file", {"base/kustomization.yaml": base, "settings/app.conf": "level=1\n"}
    )
    manifests.commit("Edit it", {"settings/app.conf": "level=2\n"})

    document = check(manifests)

    assert [("prod", "settings/app.conf")] == told(document)
    assert "(base/kustomization.yaml:" in messages(document)


def test_list_of_signers(manifests: Manifests) -> None:
    """The file that lists who may approve belongs to every protected environment."""
    config = manifests.file("gitops.yaml") + "\nsigners: .gitops/signers\n"
    manifests.commit("Ask for signatures", {"gitops.yaml": config, ".gitops/signers": "a\n"})
    manifests.commit("Add a key", {".gitops/signers": "a\nb\n"})

    assert [("prod", ".gitops/signers")] == told(check(manifests))


def test_text_names_path_reason_and_way_out(manifests: Manifests) -> None:
    """A person reads which commit, which path with its line, why, and what to do instead."""
    commit = manifests.commit(
        "Smuggle", {"base/api.yaml": manifests.file("base/api.yaml") + "# more\n"}
    )
    result = manifests.gitops("check")

    assert 1 == result.code
    lines = manifests.file("base/api.yaml").count("\n")
    assert [
        f"{commit[:7]} Smuggle",
        f"  error: base/api.yaml:{lines}: prod: prod is built from it (base/kustomization.yaml:6); "
        "no merged proposal brought it",
    ] == result.out.splitlines()[:2]
    assert "1 error" in result.out.splitlines()[-1]
    assert "approved pull request" in result.err


def test_annotations_are_escaped(manifests: Manifests) -> None:
    """Marks for a CI page hold the path and the reason; no subject can add a command of its own."""
    manifests.commit("::error::gotcha ##[warning]x", {"base/a,b:c.yaml": "", PROD: "a: 1\n"})
    result = manifests.gitops("check", "--annotations", "github")
    marks = [text for text in result.out.splitlines() if text.lstrip().startswith("::")]

    assert [
        f"::error file={PROD},line=1,title=gitops check::prod: it is in the overlay of prod"
    ] == [mark.partition(";")[0] for mark in marks]
    assert "##[" not in result.out


def test_annotations_beside_a_document(manifests: Manifests) -> None:
    """With JSON the marks go to standard error, where runners read them too."""
    manifests.commit("Smuggle", {"base/api.yaml": "a: 1\n"})
    result = manifests.gitops("check", "--annotations", "github", "-o", "json")

    assert result.json["findings"]
    assert "::error file=base/api.yaml" in result.err


def test_nothing_is_protected(manifests: Manifests) -> None:
    """Without an environment that asks for pull requests all is well, and that is said."""
    config = edited(manifests, "gitops.yaml", PULL, "    change: commit\n")
    manifests.commit("Trust everybody", {"gitops.yaml": config})
    manifests.commit("Change prod", {PROD: "images: []\n"})
    result = manifests.gitops("check")

    assert 0 == result.code
    assert "no environment is protected" in result.out


def test_first_commit_of_all(tmp_path: Path, manifests: Manifests) -> None:
    """The commit that brings gitops.yaml is checked against nothing, and is free."""
    root = manifests.git("rev-list", "--max-parents=0", "main").strip()
    document = check(manifests, root)

    assert ([], None) == (document["findings"], document["base"])


def test_repository_without_a_policy(manifests: Manifests) -> None:
    """Where neither side of the change has a gitops.yaml, the configuration is wrong."""
    empty = manifests.path.parent / "empty.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(empty)], check=True)
    tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    subprocess.run(
        ["git", f"--git-dir={empty}", "hash-object", "-t", "tree", "-w", "/dev/null"], check=True
    )
    made = subprocess.check_output(
        ["git", f"--git-dir={empty}", "commit-tree", tree, "-m", "x"], text=True
    ).strip()
    subprocess.run(["git", f"--git-dir={empty}", "update-ref", "refs/heads/main", made], check=True)
    result = manifests.gitops("check", "-o", "json", repo=str(empty))

    assert (2, "config") == (result.code, result.json["error"]["code"])


@pytest.mark.parametrize(
    ("revision", "code", "words"),
    [
        ("nonsense", "not-found", "nonsense is no commit"),
        ("..", "usage", "names no commit"),
        (f"main..{'0' * 40}", "usage", "the branch is gone"),
        ("-x", "usage", ""),
        ("--upload-pack=x..main", "usage", ""),
        ("5" * 40, "not-found", "5" * 12),
    ],
)
def test_what_is_no_commit(manifests: Manifests, revision: str, code: str, words: str) -> None:
    """A range that names nothing is an error of its own kind, which says what is wrong."""
    result = manifests.gitops("check", "-o", "json", "--", revision)

    assert code == result.json["error"]["code"]
    assert words in result.json["error"]["message"]


@pytest.mark.parametrize(
    ("content", "rule", "words"),
    [
        ("resources: [../../../x]\n", "outside", "../../../x, which leads out of the repository"),
        ("resources: [/etc]\n", "outside", "/etc, which leads out of the repository"),
        ("resources: [\n", "unreadable", "nobody can tell what it names: it is not valid YAML"),
        pytest.param(
            "resources: [" + ", ".join(f"f{at}" for at in range(60_000)) + "]\n",
            "unreadable",
            "nobody can tell what prod is built from: it names more than 50000 paths",
            marks=pytest.mark.no_cover,  # a million times the same few lines
        ),
    ],
    ids=["outside", "absolute", "broken", "endless"],
)
def test_what_nobody_can_follow(manifests: Manifests, content: str, rule: str, words: str) -> None:
    """What leads out of the repository, and what cannot be followed, is an error of its own."""
    manifests.commit("base: tidy", {"base/kustomization.yaml": content})
    document = check(manifests)

    found = [one for one in document["findings"] if one["rule"] == rule]
    assert ["error"] == [one["level"] for one in found]
    assert words in found[0]["message"]
