"""`gitops validate --against`: what a change does, where, and what policy says of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from checking import DEV, PROD, edited
from manifests import Manifests, Result

BIN = Path(sys.executable).parent
PATH = {"PATH": f"{BIN}:{os.environ['PATH']}"}
NO_PROGRAMS = "/nowhere"


def change(manifests: Manifests, files: Mapping[str, str | None], message: str = "Change") -> None:
    """Commit files on a branch of their own, and leave it checked out."""
    git = ["git", "-C", str(manifests.checkout)]
    subprocess.run([*git, "fetch", "-q", "origin"], check=True)
    subprocess.run([*git, "checkout", "-q", "-B", "feature", "origin/main"], check=True)
    for name, content in files.items():
        path = manifests.checkout / name
        if content is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", message], check=True)


def against(manifests: Manifests, *arguments: str, env: Mapping[str, str] = PATH) -> Result:
    """Compare what is checked out with main."""
    words = ("validate", "--against", "origin/main", *arguments)
    return manifests.gitops(*words, repo=str(manifests.checkout), env=env)


def environments(document: Any) -> dict[str, Any]:
    """Return name -> what changes of it."""
    return {one["environment"]: one for one in document["environments"]}


def test_images_where(manifests: Manifests) -> None:
    """Images are told for each environment, before and after; other files beside them."""
    dev = edited(manifests, DEV, "newTag: 1.4.1", "newTag: 1.5.0")
    change(manifests, {DEV: dev, "docs/x.md": "x\n"})
    result = against(manifests, "-o", "json")

    found = environments(result.json)
    assert (0, ["dev"], ["docs/x.md"]) == (result.code, list(found), result.json["others"])
    assert [("shop/api", "1.4.1", "1.5.0")] == [
        (one["image"], one["before"]["tag"], one["after"]["tag"]) for one in found["dev"]["images"]
    ]
    assert ([], {"judged": True, "reasons": []}) == (found["dev"]["files"], found["dev"]["policy"])


def test_rendered_difference(manifests: Manifests) -> None:
    """The manifests that change are shown, object by object, as kustomize builds them."""
    change(manifests, {DEV: edited(manifests, DEV, "newTag: 1.4.1", "newTag: 1.5.0")})
    document = against(manifests, "-o", "json").json

    rendering = environments(document)["dev"]["rendering"]
    lines = [line.strip() for line in rendering["objects"][0]["lines"]]
    assert ("changed", ["Deployment shop-dev/api"]) == (
        rendering["state"],
        [one["name"] for one in rendering["objects"]],
    )
    assert "-        image: shop/api:1.4.1" in lines
    assert "+        image: shop/api:1.5.0" in lines
    assert document["renderer"].endswith("kustomize")


def test_base_of_many(manifests: Manifests) -> None:
    """A change of the base is told for each environment that is built from it."""
    api = edited(manifests, "base/api.yaml", "runAsUser: 10001", "runAsUser: 10002")
    change(manifests, {"base/api.yaml": api})
    result = against(manifests)

    assert 0 == result.code
    for label in ("local", "dev", "test", "stage", "prod (protected)"):
        assert f"\n{label}\n" in f"\n{result.out}"
    assert "base/api.yaml: prod is built from it (base/kustomization.yaml:6)" in result.out
    assert 5 == result.out.count("runAsUser: 10002")


def test_policy_keeps_it_out(manifests: Manifests) -> None:
    """Images that policy keeps out of an environment fail the check, with the reason."""
    change(manifests, {PROD: edited(manifests, PROD, '"1.4.0"', '"1.9.0"')})
    result = against(manifests, "-o", "json", "--annotations", "github")

    reasons = environments(result.json)["prod"]["policy"]["reasons"]
    assert (1, "refused") == (result.code, result.json["error"]["code"])
    assert [("shop/api 1.9.0 is not a release of stage", False)] == [
        (one["reason"], one["overridden"]) for one in reasons
    ]
    assert f"::error file={PROD},title=gitops validate::prod: shop/api 1.9.0" in result.err


@pytest.mark.parametrize("name", ["prod", "production"])
def test_an_overlay_that_moves_is_still_the_same(manifests: Manifests, name: str) -> None:
    """Images that come with another folder, or under another name, are shown and judged."""
    moved = "overlays/elsewhere/"
    row = f"- name: {name}\n    formerly: [prod]\n    overlay: {moved[:-1]}\n"
    if name == "prod":
        row = row.replace("    formerly: [prod]\n", "")
    config = edited(manifests, "gitops.yaml", "- name: prod\n    overlay: overlays/prod\n", row)
    files: dict[str, str | None] = {"gitops.yaml": config}
    for path in (manifests.checkout / "overlays/prod").iterdir():
        files[f"overlays/prod/{path.name}"] = None
        files[f"{moved}{path.name}"] = path.read_text().replace('"1.4.0"', '"1.9.0"')
    change(manifests, files)
    result = against(manifests, "-o", "json", "--no-build")

    (found,) = result.json["environments"]
    assert (1, "prod", "changed", []) == (
        result.code,
        found["environment"],
        found["status"],
        result.json["others"],
    )
    assert [("1.4.0", "1.9.0")] == [
        (one["before"]["tag"], one["after"]["tag"]) for one in found["images"]
    ]
    assert ["shop/api 1.9.0 is not a release of stage"] == [
        one["reason"] for one in found["policy"]["reasons"]
    ]


def test_policy_is_that_of_the_base(manifests: Manifests) -> None:
    """A change that frees prod is judged by what main says."""
    config = edited(manifests, "gitops.yaml", "    after: [stage] ", "    after: [] ")
    prod = edited(manifests, PROD, '"1.4.0"', '"1.9.0"')
    change(manifests, {"gitops.yaml": config, PROD: prod})
    result = against(manifests, "-o", "json")

    found = environments(result.json)["prod"]
    assert 1 == result.code
    assert ["gitops.yaml"] == [one["path"] for one in found["files"]]
    assert "after of prod was [stage], is []" == found["files"][0]["reason"]


def test_hold_of_the_base(manifests: Manifests) -> None:
    """A hold that stands on main keeps the change out, until it is lifted."""
    manifests.gitops("hold", "dev", "--reason", "INC-42")
    change(manifests, {DEV: edited(manifests, DEV, "newTag: 1.4.1", "newTag: 1.5.0")})

    assert "held by Mona Test: INC-42" in against(manifests).out


def test_recorded_override(manifests: Manifests) -> None:
    """A reason that a commit of the change records an override for is shown as overridden."""
    message = (
        "prod\n\nGitops-Action: deploy\nGitops-Environment: prod\n"
        "Gitops-Override: INC-1 (passed: prod: shop/api 1.9.0 is not a release of stage)\n"
    )
    change(manifests, {PROD: edited(manifests, PROD, '"1.4.0"', '"1.9.0"')}, message)
    result = against(manifests)

    assert 0 == result.code
    assert "policy: overridden: shop/api 1.9.0 is not a release of stage" in result.out


def test_override_of_something_else(manifests: Manifests) -> None:
    """An override covers the reason that it was given for, and no other."""
    message = (
        "prod\n\nGitops-Action: deploy\nGitops-Environment: prod\n"
        "Gitops-Override: INC-1 (passed: prod: shop/api 1.8.0 is not a release of stage)\n"
    )
    change(manifests, {PROD: edited(manifests, PROD, '"1.4.0"', '"1.9.0"')}, message)
    result = against(manifests)

    assert 1 == result.code
    assert "policy: refused: shop/api 1.9.0 is not a release of stage" in result.out


def test_rollback_is_always_allowed(manifests: Manifests) -> None:
    """A change that rolls back is not held to policy."""
    message = "prod\n\nGitops-Action: rollback\nGitops-Environment: prod\n"
    change(manifests, {PROD: edited(manifests, PROD, '"1.4.0"', '"1.0.0"')}, message)

    assert 0 == against(manifests).code


def test_problems_that_are_new(manifests: Manifests) -> None:
    """What was wrong before does not fail the change; what it breaks does."""
    manifests.commit("Odd", {"overlays/test/.argocd-source-x.yaml": "a: 1\n"})
    change(manifests, {DEV: manifests.file(DEV) + "  - name: shop/api\n    newTag: '2'\n"})
    result = against(manifests, "-o", "json")

    assert 3 == result.code
    assert [(True, "error"), (False, "warning")] == [
        (one["new"], one["level"]) for one in result.json["problems"]
    ]


def test_overlay_that_does_not_build_any_more(manifests: Manifests) -> None:
    """A change after which nothing is built is an error, in the words of kustomize."""
    change(manifests, {"base/api.yaml": None})
    result = against(manifests)

    assert 3 == result.code
    assert "api.yaml" in result.err
    assert "manifests: does not build: after the change:" in result.out


def test_broken_config(manifests: Manifests) -> None:
    """A gitops.yaml that cannot be read any more is exit 2, and told for every environment."""
    change(manifests, {"gitops.yaml": "nonsense\n"})
    result = against(manifests, "-o", "json")

    assert 2 == result.code
    assert {"the file cannot be read any more"} == {
        one["files"][0]["reason"] for one in result.json["environments"]
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("resources: ['https://example.com/x.yaml', api.yaml]\n", "nothing is fetched here"),
        ("resources: ['git@example.com:x/y']\n", "nothing is fetched here"),
        ("helmCharts: [{name: web}]\n", "needs Helm, and nothing is run here"),
        ("transformers: [t.yaml]\n", "needs a plugin (acme/v1), a function"),
    ],
)
def test_untrusted_builds(manifests: Manifests, content: str, words: str) -> None:
    """What a build would fetch or run is found before, and then nothing is built."""
    plugin = (
        "apiVersion: acme/v1\nkind: X\nmetadata:\n  annotations:\n"
        "    config.kubernetes.io/function: |\n      exec: {path: ./x}\n"
    )
    change(manifests, {"base/kustomization.yaml": content, "base/t.yaml": plugin})
    document = against(manifests, "-o", "json").json

    rendering = environments(document)["prod"]["rendering"]
    assert "skipped" == rendering["state"]
    assert words in rendering["problem"]


def test_link_that_leads_out(manifests: Manifests) -> None:
    """A link to a file of the machine is not followed, and its content shown nowhere."""
    secret = manifests.elsewhere / "secret.yaml"
    secret.write_text("kind: ConfigMap\nmetadata:\n  name: hunter2\n")
    change(manifests, {"base/kustomization.yaml": "resources: [x.yaml]\n"})
    link = manifests.checkout / "base/x.yaml"
    link.symlink_to(secret)
    git = ["git", "-C", str(manifests.checkout)]
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "Link"], check=True)
    result = against(manifests)

    assert "hunter2" not in result.out + result.err
    assert "leads out of the repository" in result.out


def test_without_kustomize(manifests: Manifests) -> None:
    """Without a kustomize everything else is told, and a warning says what is missing."""
    change(manifests, {DEV: edited(manifests, DEV, "newTag: 1.4.1", "newTag: 1.5.0")})
    git = manifests.elsewhere / "bin"
    git.mkdir()
    for name in ("git", "sh"):
        found = subprocess.check_output(["sh", "-c", f"command -v {name}"], text=True).strip()
        (git / name).symlink_to(found)
    result = against(manifests, "-o", "json", env={"PATH": str(git)})

    assert (0, None, None) == (
        result.code,
        result.json["renderer"],
        environments(result.json)["dev"]["rendering"],
    )
    assert "nothing was rendered" in result.json["warnings"][0]


def test_comment(manifests: Manifests) -> None:
    """The comment of a pull request has the images, the files, policy and the difference."""
    prod = edited(manifests, PROD, '"1.4.0"', '"1.9.0"')
    base = edited(manifests, "base/api.yaml", "runAsUser: 10001", "runAsUser: 10002")
    change(manifests, {PROD: prod, "base/api.yaml": base})
    path = manifests.elsewhere / "comment.md"
    result = against(manifests, "--comment", str(path))
    text = path.read_text()

    assert 1 == result.code
    assert text.startswith("<!-- gitops validate -->\n")
    for part in (
        "| `prod` | `shop/api` | `1.4.0` | `1.9.0` |",
        "**Policy keeps them out of `prod`:**\n\n- `shop/api 1.9.0 is not a release of stage`",
        "| `base/api.yaml` | `local`, `dev`, `test`, `stage`, `prod` |",
        "of <code>prod</code> as built</summary>\n\n```diff\n",
        "runAsUser: 10002",
    ):
        assert part in text


def test_comment_obeys_nobody(manifests: Manifests) -> None:
    """Names and contents of a change cannot end a block, ping anybody, or make a command of CI."""
    evil = "data:\n  a: |\n    ```\n    ::error::gotcha\n    ##[group]x\n    @admin <b>\n"
    resource = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n{evil}"
    base = edited(
        manifests, "base/kustomization.yaml", "  - api.yaml\n", "  - api.yaml\n  - x.yaml\n"
    )
    name = "docs/`@admin` ::x |.md"
    change(manifests, {"base/x.yaml": resource, "base/kustomization.yaml": base, name: "x\n"})
    path = manifests.elsewhere / "comment.md"
    result = against(manifests, "--comment", str(path))
    text = path.read_text()
    blocks = text.split("````diff\n")[1:]

    assert 5 == len(blocks)
    assert all("@admin" in block.partition("\n````\n")[0] for block in blocks)
    assert not any("@admin" in block.partition("\n````\n")[2] for block in blocks)
    assert [] == [one for one in result.out.splitlines() if one.lstrip().startswith("::")]
    assert "##[" not in result.out


def test_comment_has_room(manifests: Manifests) -> None:
    """However much changes, a comment stays below what forges take."""
    lines = "".join(f"  k{n}: '{'x' * 100}'\n" for n in range(900))
    resource = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\ndata:\n{lines}"
    base = edited(
        manifests, "base/kustomization.yaml", "  - api.yaml\n", "  - api.yaml\n  - x.yaml\n"
    )
    change(manifests, {"base/x.yaml": resource, "base/kustomization.yaml": base})
    path = manifests.elsewhere / "comment.md"
    against(manifests, "--comment", str(path))

    assert len(path.read_text()) <= 60_000
    assert "more not shown" in path.read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--comment", "x.md"),
        ("--fix",),
        ("--dry-run",),
        ("--forge", "--against", "main"),
    ],
)
def test_options_that_make_no_sense(manifests: Manifests, arguments: tuple[str, ...]) -> None:
    """Options that belong to another question are refused."""
    result = manifests.gitops("validate", *arguments, "-o", "json")

    assert (2, "usage") == (result.code, result.json["error"]["code"])


def test_comment_that_cannot_be_written(manifests: Manifests) -> None:
    """A folder that is not there is an error with its path, and nothing is half written."""
    change(manifests, {"docs/x.md": "x\n"})
    result = against(manifests, "--comment", "/nowhere/x.md", "-o", "json")

    assert (3, "cannot write /nowhere/x.md: No such file or directory") == (
        result.code,
        result.json["error"]["message"],
    )


def test_nothing_changes(manifests: Manifests) -> None:
    """A change that touches no environment says so."""
    change(manifests, {"docs/x.md": "x\n"})
    path = manifests.elsewhere / "comment.md"
    result = against(manifests, "--comment", str(path))

    assert (0, "changes no environment." in path.read_text()) == (result.code, True)
    assert "0 environments changed" in result.out


def test_new_environment(manifests: Manifests) -> None:
    """An environment that the change brings is shown as new, with all that it builds."""
    row = "  - {name: eu, overlay: overlays/eu}\n\ndatabases:"
    config = edited(manifests, "gitops.yaml", "\ndatabases:", row)
    overlay = "resources: [../../base]\nimages: [{name: shop/api, newTag: '1'}]\n"
    change(manifests, {"gitops.yaml": config, "overlays/eu/kustomization.yaml": overlay})
    document = against(manifests, "-o", "json").json

    found = environments(document)["eu"]
    assert ("new", [None], ["1"]) == (
        found["status"],
        [one["before"] for one in found["images"]],
        [one["after"]["tag"] for one in found["images"]],
    )
    assert {"added"} == {one["kind"] for one in found["rendering"]["objects"]}


def test_annotations_of_plain_validate(manifests: Manifests) -> None:
    """Problems of a repository can be marked as well."""
    manifests.commit("Odd", {"overlays/test/.argocd-source-x.yaml": "a: 1\n"})
    result = manifests.gitops("validate", "--annotations", "github")

    assert "::warning file=overlays/test/.argocd-source-x.yaml,line=1,title=gitops validate::" in (
        result.out
    )
