"""Values beside `images:` go where the image goes, and come back with it."""

from __future__ import annotations

from checking import BEN, DEV, PROD, check, messages
from manifests import Manifests

VALUES = "overlays/prod/values.yaml"
DEV_VALUES = "overlays/dev/chart/values.yaml"
ALSO = """\
images:
  - name: shop/api
    also:
      - {file: values.yaml, key: image.tag}
      - {file: chart/values.yaml, key: image.tag}
      - file: kustomization.yaml
        key: configMapGenerator[0].literals[*]
        pattern: "^VERSION=(?P<value>.*)$"
"""
GENERATOR = "configMapGenerator:\n  - name: about\n    literals: [VERSION=1.4.0]\n"


def prepare(manifests: Manifests, change: str = "commit") -> None:
    """Let values follow shop/api in dev and prod; prod takes commits, and waits for nobody."""
    config = manifests.file("gitops.yaml")
    config = config.replace("    change: pull-request", f"    change: {change}")
    config = config.replace("    after: [stage]", "    # after: [stage]")
    config = config.replace("    requires: [qa-passed]", "    # requires: [qa-passed]")
    manifests.commit(
        "Let values follow",
        {
            "gitops.yaml": config + ALSO,
            PROD: manifests.file(PROD) + GENERATOR,
            VALUES: "image:\n  tag: 1.4.0 # of the chart\n",
            DEV_VALUES: "image: {tag: 1.4.0}\n",
        },
    )


def api(manifests: Manifests, ref: str = "main") -> tuple[str, str]:
    """What stands in prod's chart values, and in its generator."""
    literal = manifests.file(PROD, ref).partition("VERSION=")[2].partition("]")[0]
    return manifests.file(VALUES, ref).strip(), literal


def test_there_and_back(manifests: Manifests) -> None:
    """Deploy, rollback and undo write all of it in one commit, and `check` takes it for that."""
    prepare(manifests)
    before = api(manifests)
    assert 0 == manifests.gitops("deploy", "shop/api:1.5.0", "--to", "dev", "--to", "prod").code
    assert ("image:\n  tag: 1.5.0 # of the chart", "1.5.0") == api(manifests)
    assert "image: {tag: 1.5.0}\n" == manifests.file(DEV_VALUES)
    named = manifests.git("show", "--format=", "--name-only", "main").split()
    assert {DEV, DEV_VALUES, PROD, VALUES} == set(named)

    back = manifests.gitops("rollback", "prod", "--yes", "--reason", "INC-42")
    assert (0, before) == (back.code, (api(manifests)[0].replace("1.5.0", "1.4.0"), "1.4.0"))
    head = manifests.git("rev-parse", "main").strip()
    document = check(manifests, f"{head}^..{head}")
    assert ["rollback"] == [one["standing"] for one in document["commits"]], messages(document)

    assert 0 == manifests.gitops("undo", "prod", "--yes").code
    assert ("image:\n  tag: 1.5.0 # of the chart", "1.5.0") == api(manifests)
    assert "is 1." not in manifests.gitops("status", "prod").err


def test_a_proposal_brings_them(manifests: Manifests) -> None:
    """What waits for approval has them, is still a change of images, and lands with them."""
    prepare(manifests, "pull-request")
    assert 0 == manifests.gitops("deploy", "shop/api:1.5.0", "--to", "prod").code
    assert ("image:\n  tag: 1.5.0 # of the chart", "1.5.0") == api(manifests, "gitops/prod")

    manifests.commit("Note", {VALUES: manifests.file(VALUES) + "note: x\n"})
    landed = manifests.gitops("approve", "prod", "--yes", env=BEN)
    assert 0 == landed.code, landed.err
    assert ("image:\n  tag: 1.5.0 # of the chart\nnote: x", "1.5.0") == api(manifests)


def test_who_bumps_the_image_alone_is_told(manifests: Manifests) -> None:
    """`status`, `diff` and `validate` name the value that did not follow."""
    prepare(manifests)
    bumped = manifests.file(PROD).replace('newTag: "1.4.0"', 'newTag: "1.5.0"')
    manifests.commit("Bump", {PROD: bumped})

    want = f"prod: {PROD}:"
    assert want in manifests.gitops("status", "prod").err
    assert want in manifests.gitops("diff", "stage", "prod").err
    found = manifests.gitops("validate", "-o", "json").json["problems"]
    assert any(
        "is VERSION=1.4.0, and shop/api makes it VERSION=1.5.0" in one["message"] for one in found
    )
