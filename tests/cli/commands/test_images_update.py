"""`gitops images update` against a real registry: what goes in, what stays out and why."""

from __future__ import annotations

import pytest

from gitops.core.images.manifest import REVISION, SOURCE
from gitops.core.images.name import ImageName
from images import HttpShelf, push_index
from manifests import Manifests, Result
from servers.registry import DockerRegistry

RULE = """\
images:
  - name: shop/api
    on: push
    tags:
      - {match: "main-*", branch: main}
      - {match: "release-{version}-*", branch: "release/{version}"}
"""


class Shop:
    """The sample, whose dev, test and stage have shop/api at a registry, at main-1 or so."""

    def __init__(
        self,
        manifests: Manifests,
        host: str,
        path: str,
        more: str = "",
        shelf: HttpShelf | None = None,
    ) -> None:
        self.manifests = manifests
        self.name = ImageName(host, path)
        self.shelf = shelf or HttpShelf(host)
        self.push("main-1", 1)
        self.push("release-1.4-1", 1)
        config = manifests.file("gitops.yaml").replace("environments:", f"{RULE}environments:", 1)
        files: dict[str, str | None] = {"gitops.yaml": config + more}
        for name in ("dev", "test", "stage"):
            path = f"overlays/{name}/kustomization.yaml"
            lines = manifests.file(path).splitlines()
            at = next(number for number, one in enumerate(lines) if "name: shop/api" in one)
            tag = "release-1.4-1" if name == "stage" else "main-1"
            lines[at + 1 : at + 2] = [f"    newName: {self.name}", f"    newTag: {tag}"]
            files[path] = "\n".join(lines) + "\n"
        manifests.commit("images are at a registry", files)

    def push(self, tag: str, hour: int, **more: object) -> None:
        """Push an image that was made at this hour."""
        created = f"2026-11-20T{hour:02}:00:00Z"
        push_index(self.shelf, self.name, tag, created=created, salt=f"{tag} {hour}", **more)  # type: ignore[arg-type]

    def update(self, *words: str) -> Result:
        return self.manifests.gitops("images", "update", *words)

    def tag(self, environment: str) -> str:
        """What an overlay pins."""
        text = self.manifests.file(f"overlays/{environment}/kustomization.yaml")
        after = text.partition("name: shop/api")[2]
        return after.partition("newTag: ")[2].split()[0].strip('"')


@pytest.fixture
def shop(manifests: Manifests, docker_registry: DockerRegistry) -> Shop:
    return Shop(manifests, docker_registry.open, docker_registry.new_path())


def test_the_newest_tag_goes_where_its_branch_is_followed(shop: Shop) -> None:
    """A commit for each tag, as CI would have made it; a dry run writes none, a second call too."""
    shop.push("main-2", 2)
    shop.push("main-x", 1)
    shop.push("release-1.4-2", 3)
    head = shop.manifests.git("rev-parse", "main")

    dry = shop.update("--dry-run")
    assert (0, head) == (dry.code, shop.manifests.git("rev-parse", "main")), dry.err
    assert "dev    main-1         -> main-2, made 2026-11-20" in dry.out
    done = shop.update()
    again = shop.update("-o", "json")

    assert 0 == done.code, done.err
    assert ("main-2", "main-2", "release-1.4-2") == tuple(map(shop.tag, ("dev", "test", "stage")))
    told = shop.manifests.git("log", "-2", "--format=%s", "main")
    subjects = told.replace(f"{shop.name}:", "").split("\n")
    assert subjects[:2] == [
        "stage: shop/api release-1.4-1 -> release-1.4-2",
        "dev, test: shop/api main-1 -> main-2",
    ]
    body = shop.manifests.git("log", "-1", "--format=%B", "main")
    assert "Source-Revision: release/1.4\n" in body
    assert "Gitops-Id: push-" in body
    assert [] == again.json["deploys"]
    assert {"current"} == {one["decision"] for one in again.json["images"]}


def test_what_stays_out_says_why(shop: Shop) -> None:
    """An older tag pushed again, a held environment, an image that a rollback took away."""
    shop.push("main-2", 2)
    assert 0 == shop.update().code
    shop.push("main-1", 1)
    assert "main-2         current" in shop.update().out
    assert 0 == shop.manifests.gitops("rollback", "dev", "--yes").code
    assert 0 == shop.manifests.gitops("resume", "dev").code
    taken = shop.update()
    assert "main-2, made 2026-11-20" in taken.out
    assert "stays out: a rollback took it away" in taken.out
    assert "main-1" == shop.tag("dev")
    assert 0 == shop.manifests.gitops("hold", "test", "--reason", "INC-42").code
    shop.push("main-3", 3)
    held = shop.update("-o", "json").json

    assert ("main-3", "main-2") == (shop.tag("dev"), shop.tag("test"))
    found = {one["environment"]: one for one in held["images"]}
    assert "held by" in found["test"]["reason"]
    assert "INC-42" in found["test"]["reason"]
    assert ["main-3"] == [one["tag"] for one in held["deploys"]]


def test_what_a_person_put_back_stays(shop: Shop) -> None:
    """Neither a hand that writes an older tag nor a deploy of one is undone by itself."""
    shop.push("main-2", 2)
    assert 0 == shop.update().code
    path = "overlays/dev/kustomization.yaml"
    text = shop.manifests.file(path).replace("main-2", "main-1")
    shop.manifests.commit("Back", {path: text})
    assert 0 == shop.manifests.gitops("deploy", "shop/api:main-1", "--to", "test").code

    found = shop.update("-o", "json").json
    reasons = {one["environment"]: one["reason"] for one in found["images"]}
    assert "a rollback took it away" in reasons["dev"]
    assert "it was released here before, and left" in reasons["test"]
    assert ("main-1", "main-1") == (shop.tag("dev"), shop.tag("test"))


def test_the_source_commit_comes_from_the_image(
    manifests: Manifests, docker_registry: DockerRegistry
) -> None:
    """As CI would have said it, where the image names its own source; a branch that is gone has
    no builds, and a commit that is not on the branch keeps the image out."""
    shop = Shop(manifests, docker_registry.open, docker_registry.new_path())
    source = manifests.path.as_uri()
    text = manifests.file("gitops.yaml").replace(
        "    on: push", f"    source: {source}\n    on: push"
    )
    head = manifests.commit("name the source", {"gitops.yaml": text})
    shop.push("main-2", 2, annotations={SOURCE: source, REVISION: head})
    shop.push("release-1.4-2", 2)
    done = shop.update("-o", "json")
    body = manifests.git("log", "-1", "--format=%B", "main")
    shop.push("main-3", 3, annotations={SOURCE: source, REVISION: "5f2c" * 10})
    wrong = shop.update("-o", "json")

    assert 0 == done.code, done.out
    assert f"Source-Revision: main@sha1:{head}" in body
    stage = {one["environment"]: one for one in done.json["images"]}["stage"]
    assert "a branch that it follows, and is in the source repository" in stage["reason"]
    assert "release-1.4-1" == shop.tag("stage")
    assert 1 == wrong.code
    assert "5f2c5f2 is not on main" in wrong.json["deploys"][0]["error"]
    assert "main-2" == shop.tag("dev")


def test_numbers_in_tags(manifests: Manifests, docker_registry: DockerRegistry) -> None:
    """`order: version` goes by them, whatever images say of when they were made."""
    shop = Shop(manifests, docker_registry.open, docker_registry.new_path())
    text = manifests.file("gitops.yaml").replace("main-*", "main-{number}")
    text = text.replace("release-{version}-*", "release-{version}-{number}")
    manifests.commit(
        "by numbers", {"gitops.yaml": text.replace("on: push", "on: push\n    order: version")}
    )
    for number, hour in ((9, 9), (10, 3), (2, 5)):
        shop.push(f"main-{number}", hour)
    done = shop.update()

    assert 0 == done.code, done.err
    assert "main-10" == shop.tag("dev")


def test_digests_are_those_that_were_looked_at(
    manifests: Manifests, docker_registry: DockerRegistry
) -> None:
    """`pin: both` keeps them; a tag that moves on is followed to newer images, and to no older."""
    shop = Shop(manifests, docker_registry.open, docker_registry.new_path())
    text = manifests.file("gitops.yaml").replace('match: "main-*"', "match: edge")
    text = text.replace("overlays/dev, acc", "overlays/dev, pin: both, acc")
    manifests.commit("follow one tag", {"gitops.yaml": text})
    pushed = []
    for hour in (2, 3):
        shop.push("edge", hour)
        done = shop.update()
        assert 0 == done.code, done.err
        pushed.append(manifests.file("overlays/dev/kustomization.yaml"))
    shop.push("edge", 2)
    older = shop.update()

    assert "edge" == shop.tag("dev")
    assert pushed[0] != pushed[1]
    assert pushed[1] == manifests.file("overlays/dev/kustomization.yaml")
    assert "stays out: edge@sha256:" in older.out


def test_rules_that_nobody_follows_and_registries_that_are_not_there(
    manifests: Manifests, docker_registry: DockerRegistry
) -> None:
    """Said in words, with the exit code of what it is; the rest goes on."""
    shop = Shop(manifests, docker_registry.open, docker_registry.new_path())
    shop.push("main-2", 2)
    path = "overlays/test/kustomization.yaml"
    text = manifests.file(path).replace(str(shop.name), "127.0.0.1:9/shop/api")
    manifests.commit("another registry", {path: text})
    done = shop.update("-o", "json")
    unknown = shop.update("shop/web")

    assert 75 == done.code
    assert ["unavailable"] == [one["code"] for one in done.json["problems"]]
    assert "main-2" == shop.tag("dev")
    assert 3 == unknown.code
    assert "has no `tags:` for shop/web" in unknown.err


def test_a_proposal_is_made_once(shop: Shop) -> None:
    """Where changes wait for approval, the next call finds it there; a newer image takes its
    place."""
    text = shop.manifests.file("gitops.yaml")
    text = text.replace("overlays/test, acc", "overlays/test, change: pull-request, acc")
    shop.manifests.commit("ask somebody", {"gitops.yaml": text})
    shop.push("main-2", 2)
    first = shop.update("-o", "json").json
    head = shop.manifests.git("rev-parse", "gitops/test")
    again = shop.update("-o", "json").json
    assert head == shop.manifests.git("rev-parse", "gitops/test")
    shop.push("main-3", 3)
    assert 0 == shop.update().code

    assert ["committed"] == [one["result"]["outcome"] for one in first["deploys"]]
    assert ["unchanged"] == [one["result"]["outcome"] for one in again["deploys"]]
    assert ("main-3", "main-1") == (shop.tag("dev"), shop.tag("test"))
    text = shop.manifests.file("overlays/test/kustomization.yaml", "gitops/test")
    assert "newTag: main-3" in text


def test_never_is_only_looked_at(shop: Shop) -> None:
    """A rule can be tried before it is switched on, by naming the image."""
    text = shop.manifests.file("gitops.yaml").replace("on: push", "on: never")
    shop.manifests.commit("off", {"gitops.yaml": text})
    shop.push("main-2", 2)
    named, all_ = shop.update("shop/api"), shop.update()

    assert "-> main-2, made 2026-11-20 " in named.out
    assert "not deployed: `on: never`" in named.out
    assert "no image of gitops.yaml says `on: push`" in all_.out
    assert "main-1" == shop.tag("dev")
