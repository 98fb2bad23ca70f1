"""Deploy, promote and rollback look at images before they write."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from fake_registry import MemoryRegistry
from fakes import FakeSnapshot
from forge_world import PROD, STAGE, make_world
from gitops.actions.context.named import Named
from gitops.actions.context.session import Session
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.promote import PromoteRequest, promote, promote_eligible
from gitops.actions.rollback import RollbackRequest, rollback
from gitops.core.images.name import ImageName
from gitops.core.kustomization import image_values
from gitops.core.kustomization.image import ImageValue
from gitops.core.report import WriteReport
from gitops.errors import Denied, GitopsError, Refused, Unavailable
from images import Pushed, push_image, push_index, tag_again

HOST = "registry.example.com"
API = ImageName(HOST, "shop/api")
FOREIGN = "sha256:" + "ab" * 32
LOOKS = "registries: {}"


class Shop:
    """A world whose images are at a registry.

    Attributes:
        registry: where 1.4.0 and 1.5.0 of shop/api are.
        pushed: what they are.
    """

    def __init__(self, keys: str = "", top: str = LOOKS, *, prod: str | None = None) -> None:
        self.world = make_world(keys if prod is None else prod, top)
        config = self.world.repository.show("gitops.yaml") or b""
        if keys:
            stage = b"overlay: overlays/stage"
            config = config.replace(stage, stage + f", {keys}".encode())
        pins = f"images:\n  - name: shop/api\n    newName: {API}\n    newTag: '1.4.0'\n".encode()
        files = {"gitops.yaml": config, STAGE: pins, PROD: pins}
        self.world.repository.commit(files, "begin\n")
        self.registry = MemoryRegistry()
        self.pushed: dict[str, Pushed] = {
            tag: push_index(self.registry, API, tag, salt=tag) for tag in ("1.4.0", "1.5.0")
        }

    def session(self) -> Session:
        """A call that may ask the registry."""
        return replace(self.world.session(), registry=self.registry)

    def deploy(self, image: str, to: str = "stage", **more: object) -> WriteReport:
        """Deploy an image."""
        request = DeployRequest((image,), (to,) if to else (), **more)  # type: ignore[arg-type]
        return deploy(self.session(), request)

    def value(self, path: str = STAGE, branch: str = "main") -> ImageValue:
        """Return what an overlay pins."""
        content = self.world.repository.show(path, branch) or b""
        return image_values(content, path)["shop/api"]

    def breaks(self, error: GitopsError, *verbs: str) -> None:
        """Let the registry fail."""

        def fault(verb: str) -> None:
            if not verbs or verb in verbs:
                raise error

        self.registry.fault = fault


def test_a_tag_that_is_not_there_is_refused() -> None:
    """Nothing is written, and the nearest tags are told."""
    shop = Shop()
    head = shop.world.repository.head()
    with pytest.raises(Refused, match=r"no tag 1\.5\.1; the nearest are 1\.5\.0, 1\.4\.0"):
        shop.deploy("shop/api:1.5.1")
    assert shop.world.repository.head() == head


def test_a_missing_tag_is_no_skip_for_a_branch() -> None:
    """With --ref, too, the call is refused: what is not there goes nowhere."""
    with pytest.raises(Refused, match=r"no tag 9\.9"):
        Shop().deploy("shop/api:9.9", "", ref="release/9")


def test_a_repository_that_is_not_there_is_refused() -> None:
    """A misspelt name is not told as a missing tag."""
    with pytest.raises(Refused, match="has no repository shop/apj"):
        Shop().deploy(f"shop/api={HOST}/shop/apj:1.5.0")


def test_an_override_passes_and_is_recorded() -> None:
    """Who knows that the image comes later may insist."""
    shop = Shop()
    shop.deploy("shop/api:1.6.0", override="the build is late")
    message = shop.world.repository.commits[shop.world.repository.head() or ""].info.message
    assert "Gitops-Override: the build is late (passed: stage:" in message


def test_a_tag_that_is_there_is_written_as_asked() -> None:
    """`pin: tag` looks, and writes what was typed; one question is asked."""
    shop = Shop()
    shop.deploy("shop/api:1.5.0")
    assert shop.value() == ImageValue(str(API), "1.5.0")
    assert shop.registry.asked == [("resolve", f"{API}:1.5.0")]


@pytest.mark.parametrize(("pin", "tag"), [("digest", None), ("both", "1.5.0")])
def test_a_pinned_environment_gets_the_digest(pin: str, tag: str | None) -> None:
    """What the tag names is looked up once and written, without any other key."""
    shop = Shop(f"pin: {pin}", "")
    shop.deploy("shop/api:1.5.0")
    assert shop.value() == ImageValue(str(API), tag, shop.pushed["1.5.0"].digest)
    assert shop.deploy("shop/api:1.5.0").outcome == "unchanged"


def test_a_tag_that_moves_in_a_race_is_looked_up_once() -> None:
    """All tries of one call write one digest, whatever the tag names later."""
    shop = Shop("pin: both", "")

    def rival() -> None:
        push_image(shop.registry, API, "1.5.0", salt="moved")
        shop.world.repository.commit({"other": b"x"}, "meanwhile\n")

    shop.world.repository.rivals.append(rival)
    shop.deploy("shop/api:1.5.0")
    assert shop.value().digest == shop.pushed["1.5.0"].digest
    assert len(shop.registry.asked) == 1


def test_a_moved_tag_is_another_image() -> None:
    """The same tag deployed again pins what it names now."""
    shop = Shop("pin: both", "")
    shop.deploy("shop/api:1.5.0")
    moved = push_image(shop.registry, API, "1.5.0", salt="moved")
    assert shop.deploy("shop/api:1.5.0").outcome == "committed"
    assert shop.value().digest == moved.digest


def test_a_digest_is_looked_at_as_well() -> None:
    """A digest that is not there is refused; one that is stays, under `pin: digest` too."""
    shop = Shop("pin: digest", "")
    with pytest.raises(Refused, match=f"has no {FOREIGN}"):
        shop.deploy(f"shop/api@{FOREIGN}")
    digest = shop.pushed["1.5.0"].children[0]
    shop.deploy(f"shop/api@{digest}")
    assert shop.value() == ImageValue(str(API), None, digest)


def test_a_pair_that_the_registry_does_not_know_is_refused() -> None:
    """Tag and digest of two different images never stand side by side."""
    shop = Shop()
    with pytest.raises(Refused, match="and not sha256:"):
        shop.deploy(f"shop/api:1.5.0@{shop.pushed['1.4.0'].digest}")
    shop.deploy(f"shop/api:1.5.0@{shop.pushed['1.5.0'].digest}")
    assert shop.value().tag == "1.5.0"


def test_a_platform_that_is_missing_is_refused() -> None:
    """An image must be there for all that the clusters of an environment run on."""
    shop = Shop("platforms: [linux/amd64, linux/s390x]")
    with pytest.raises(Refused, match=r"not there for linux/s390x \(only linux/amd64, linux/arm"):
        shop.deploy("shop/api:1.5.0")
    shop = Shop("platforms: [linux/arm64/v8]")
    shop.deploy("shop/api:1.5.0")
    push_image(shop.registry, API, "single", platform="linux/amd64")
    with pytest.raises(Refused, match="linux/arm64/v8"):
        shop.deploy("shop/api:single")


def test_a_platform_that_its_index_only_names_is_refused() -> None:
    """Somebody deleted the image, and not the index: nothing could be pulled there."""
    shop = Shop("platforms: [linux/arm64]")
    shop.registry.repositories[API].manifests.pop(shop.pushed["1.5.0"].children[1])
    with pytest.raises(Refused, match=r"not there for linux/arm64 \(only linux/amd64\)"):
        shop.deploy("shop/api:1.5.0")
    shop = Shop("platforms: [linux/amd64]")  # of others nobody asks
    shop.registry.repositories[API].manifests.pop(shop.pushed["1.5.0"].children[1])
    assert "committed" == shop.deploy("shop/api:1.5.0").outcome


@pytest.mark.parametrize(
    "error", [Unavailable("it is down"), Denied("who are you?", hint="docker login")]
)
def test_a_silent_registry_is_a_warning_or_a_bar(error: GitopsError) -> None:
    """As `registries:` says; the error keeps its kind, so that scripts know whether to try."""
    shop = Shop()
    shop.breaks(error)
    report = shop.deploy("shop/api:1.5.0")
    assert report.outcome == "committed"
    assert any("was not looked at" in text and error.message in text for text in report.warnings)
    shop = Shop(top="registries: {unavailable: refuse}")
    shop.breaks(error)
    with pytest.raises(type(error), match=error.message):
        shop.deploy("shop/api:1.5.0")


def test_a_digest_that_cannot_be_known_is_never_left_out() -> None:
    """`pin:` is a promise: what cannot be pinned is not written by its tag alone."""
    shop = Shop("pin: digest", "registries: {unavailable: warn}")
    shop.breaks(Unavailable("it is down"))
    with pytest.raises(Unavailable) as caught:
        shop.deploy("shop/api:1.5.0")
    assert "needs the digest" in (caught.value.hint or "")
    assert shop.deploy(f"shop/api@{FOREIGN}").outcome == "committed"


def test_nothing_said_asks_nobody() -> None:
    """Without `registries:` and `pin:` no registry is asked, whatever its images are called."""
    shop = Shop(top="")
    shop.deploy("shop/api:9.9.9")
    promote(shop.session(), PromoteRequest(("prod",)))
    rollback(shop.session(), RollbackRequest(Named(("stage",))))
    assert shop.registry.asked == []


def test_a_name_without_a_host_reaches_nobody() -> None:
    """`shop/api` could be anybody's at a public registry."""
    shop = Shop()
    assert shop.deploy("shop/api=shop/api:9.9.9").outcome == "committed"
    assert shop.registry.asked == []
    shop = Shop("pin: digest")
    with pytest.raises(Refused, match="names no registry to ask"):
        shop.deploy("shop/api=shop/api:9.9.9")
    assert shop.deploy(f"shop/api=shop/api@{FOREIGN}").outcome == "committed"


def test_a_registry_of_another_host_is_not_asked() -> None:
    """With `hosts` nothing else is contacted, whatever `newName` says."""
    shop = Shop(top=f"registries: {{hosts: [{HOST}]}}")
    report = shop.deploy("shop/api=evil.example/shop/api:1.5.0")
    assert any("none of `registries.hosts`" in text for text in report.warnings)
    assert shop.registry.asked == []
    shop = Shop("pin: both", f"registries: {{hosts: [{HOST}]}}")
    with pytest.raises(Refused, match="needs its digest"):
        shop.deploy("shop/api=evil.example/shop/api:1.5.0")


def test_a_value_that_stays_is_not_looked_at() -> None:
    """A deploy that changes nothing asks nothing."""
    shop = Shop()
    assert shop.deploy("shop/api:1.4.0").outcome == "unchanged"
    assert shop.registry.asked == []


def test_promotion_carries_the_digest_that_was_released() -> None:
    """What ran in stage goes on, also when its tag has moved meanwhile."""
    shop = Shop("pin: both", "")
    shop.deploy("shop/api:1.5.0")
    push_image(shop.registry, API, "1.5.0", salt="moved")
    with pytest.raises(Refused, match="and not sha256:"):
        promote(shop.session(), PromoteRequest(("prod",)))
    tag_again(shop.registry, API, shop.pushed["1.5.0"], "1.5.0")
    promote(shop.session(), PromoteRequest(("prod",)))
    digest = shop.pushed["1.5.0"].digest
    assert shop.value(PROD, "gitops/prod") == ImageValue(str(API), "1.5.0", digest)


def test_promotion_to_a_registry_that_lacks_the_image() -> None:
    """An environment with its own registry gets nothing that is not there yet."""
    shop = Shop(prod="registry: own")
    shop.deploy("shop/api:1.5.0")
    own = ImageName("prod.example.com", "api")
    push_index(shop.registry, own, "1.4.0", salt="1.4.0")
    pins = f"images:\n  - name: shop/api\n    newName: {own}\n    newTag: '1.4.0'\n".encode()
    shop.world.repository.commit({PROD: pins}, "by hand\n")
    with pytest.raises(Refused, match=r"prod\.example\.com/api has no tag 1\.5\.0"):
        promote(shop.session(), PromoteRequest(("prod",)))
    push_index(shop.registry, own, "1.5.0", salt="1.5.0")
    assert promote(shop.session(), PromoteRequest(("prod",))).outcome == "proposed"


def test_what_was_released_before_the_pin_goes_on_by_its_tag() -> None:
    """A promotion never resolves: that digest might not be what ran. It says so."""
    shop = Shop("pin: both", "")
    pins = f"images:\n  - name: shop/api\n    newName: {API}\n    newTag: '1.5.0'\n".encode()
    shop.world.repository.commit({STAGE: pins}, "by hand\n")
    report = promote(shop.session(), PromoteRequest(("prod",)))
    assert any("goes on by its tag" in text for text in report.warnings)
    assert shop.value(PROD, "gitops/prod").digest is None


def test_a_promotion_by_itself_skips_what_is_not_there() -> None:
    """One registry that is down, or one image that is gone, stops no other environment."""
    for error in (None, Unavailable("it is down")):
        shop = Shop(top="registries: {unavailable: refuse}", prod="deploy: auto")
        shop.deploy("shop/api:1.5.0")
        if error is not None:
            shop.breaks(error)
        del shop.registry.repositories[API].tags["1.5.0"]
        report = promote_eligible(shop.session())
        assert report.outcome == "unchanged"
        reason = "it is down" if error is not None else "has no tag 1.5.0"
        assert reason in report.skipped[0].reason


def _fails() -> Callable[[Shop], None]:
    return lambda shop: shop.breaks(Unavailable("it is down"))


def _gone(shop: Shop) -> None:
    del shop.registry.repositories[API].tags["1.4.0"]
    shop.registry.repositories[API].manifests.pop(shop.pushed["1.4.0"].digest)


@pytest.mark.parametrize(
    ("happens", "words"), [(_fails(), "was not looked at"), (_gone, "cannot pull it")]
)
@pytest.mark.parametrize("keys", ["", "pin: both"])
def test_a_rollback_is_never_barred(happens: Callable[[Shop], None], words: str, keys: str) -> None:
    """What a registry says, or does not, is told; the rollback goes in."""
    shop = Shop(keys, "registries: {unavailable: refuse}")
    shop.deploy("shop/api:1.5.0")
    happens(shop)
    report = rollback(shop.session(), RollbackRequest(Named(("stage",))))
    assert report.outcome == "committed"
    assert any(words in text for text in report.warnings)
    assert shop.value().tag == "1.4.0"


@pytest.mark.parametrize(("happens", "goes"), [(_fails(), True), (_gone, False)])
def test_a_rollback_that_nobody_asked_for(happens: Callable[[Shop], None], goes: bool) -> None:
    """It never restores what is known to be gone; a silent registry keeps it from nothing."""
    shop = Shop("", "registries: {unavailable: refuse}")
    shop.deploy("shop/api:1.5.0")
    happens(shop)

    def back() -> WriteReport:
        request = RollbackRequest(Named(("stage",)))
        return rollback(shop.session(), request, guard=lambda *_: None)

    if goes:
        assert back().outcome == "committed"
    else:
        with pytest.raises(Refused, match="cannot pull it"):
            back()
    assert shop.value().tag == ("1.4.0" if goes else "1.5.0")


def test_a_fault_of_our_own_is_no_warning() -> None:
    """Only what a registry may do wrong is forgiven."""
    shop = Shop()
    shop.breaks(ZeroDivisionError())  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        shop.deploy("shop/api:1.5.0")


def test_a_checkout_says_early_what_to_ask() -> None:
    """The registry is asked by the caller's files, before the tip is there; the tip decides."""
    shop = Shop("pin: both", "")
    repository = shop.world.repository
    checkout = repository.snapshot("main")
    asked_then: list[int] = []
    fetch = repository.snapshot
    others = set(threading.enumerate())

    def slow(branch: str | None = None) -> object:
        for thread in set(threading.enumerate()) - others:
            thread.join(5)
        asked_then.append(len(shop.registry.asked))
        return fetch(branch)

    repository.snapshot = slow  # type: ignore[method-assign,assignment]
    session = replace(shop.session(), work_tree=checkout)
    deploy(session, DeployRequest(("shop/api:1.5.0",), ("stage",)))
    assert asked_then[0] == 1
    assert shop.registry.asked == [("resolve", f"{API}:1.5.0")]
    assert shop.value().digest == shop.pushed["1.5.0"].digest


def test_a_checkout_decides_nothing() -> None:
    """What the caller's own files say of registries counts for nothing in the end."""
    shop = Shop(top="")
    config = (shop.world.repository.show("gitops.yaml") or b"") + b"registries: {}\n"
    checkout = replace_file(shop, "gitops.yaml", config)
    session = replace(shop.session(), work_tree=checkout)
    assert deploy(session, DeployRequest(("shop/api:9.9.9",), ("stage",))).outcome == "committed"


def replace_file(shop: Shop, path: str, content: bytes) -> FakeSnapshot:
    """Return a checkout of main in which one file is another."""
    commit = shop.world.repository.head() or ""
    files = {**shop.world.repository.commits[commit].files, path: content}
    return FakeSnapshot("main", commit, files)


def test_what_an_image_says_of_the_schema() -> None:
    """With `schema: read` the annotation of an image is kept, in the one request that there is
    anyhow; of it and `--schema` the worse counts. Without, nobody reads it."""
    for top, asked, wanted in (
        ("registries: {schema: read}", "manifest", "breaking"),
        (LOOKS, "resolve", "compatible"),
    ):
        shop = Shop(top=top)
        push_index(shop.registry, API, "1.6.0", annotations={"dev.gitops.schema": "breaking"})
        shop.registry.asked.clear()
        shop.deploy("shop/api:1.6.0", schema="compatible")

        repository = shop.world.repository
        said = repository.commits[repository.branches["main"]].info.message
        assert [asked] == [verb for verb, _ in shop.registry.asked]
        assert f"Gitops-Schema: {wanted}\n" in said
