"""`images prune`: what goes, what stays and why, and what a crash leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fake_archive import FakeArchive
from fake_registry import MemoryRegistry
from forge_world import PROD, STAGE, World, make_world
from gitops.actions.context.session import Session
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.images.removing import Act
from gitops.actions.images.states import add_details, read_states
from gitops.actions.images_prune import PruneReport, PruneRequest, prune
from gitops.core.images.name import ImageName
from gitops.core.images.untagged import untagged_from
from gitops.errors import Conflict, Denied, GitopsError, NotFound, Unavailable, UsageError
from images import Pushed, push_image, push_index, push_referrer, tag_again

API = ImageName("registry.example.com", "shop/api")
SOURCE = "https://git.example.com/shop/api.git"
CLEANUP = (
    f"images: [{{name: shop/api, source: '{SOURCE}'}}]\n"
    "cleanup: [{images: ['shop/*'], tags: 'feature-*', branches: ['feature/**'], "
    "olderThan: 14d, keep: 0}]"
)
OLD = "2025-11-01T10:00:00Z"
YOUNG = "2026-01-04T10:00:00Z"  # the clock of the tests stands on 2026-01-05


class FakeSources:
    """`ports.Sources` with one repository.

    Attributes:
        branches: branch -> commit.
        merged: commits that are on main.
    """

    def __init__(self) -> None:
        self.branches = {"main": "a" * 40}
        self.merged: set[str] = set()
        self.error: GitopsError | None = None

    def heads(self, url: str) -> Mapping[str, str]:
        """See `ports.Sources`."""
        assert url == SOURCE
        if self.error is not None:
            raise self.error
        return dict(self.branches)

    def find(self, url: str, branch: str, commit: str) -> str | None:
        """See `ports.Sources`."""
        assert (url, branch) == (SOURCE, "main")
        return commit if commit in self.merged else None


class Shop:
    """A world whose overlays take shop/api from a registry in memory."""

    def __init__(self, top: str = CLEANUP) -> None:
        self.world: World = make_world("", top)
        self.registry = MemoryRegistry()
        self.sources = FakeSources()
        self.pins("1.4.0")
        self.push("1.4.0")
        self.acts: list[Act] = []

    def pins(self, tag: str, path: str = STAGE, branch: str = "main", digest: str = "") -> None:
        """Let an overlay pin a tag, by hand."""
        text = f"images:\n  - name: shop/api\n    newName: {API}\n    newTag: '{tag}'\n"
        text += f"    digest: {digest}\n" if digest else ""
        self.world.repository.commit({path: text.encode()}, "by hand\n", branch=branch)

    def push(self, tag: str | None, *, created: str = OLD, salt: str | None = None) -> Pushed:
        """Push an index; the same salt is the same image."""
        return push_index(
            self.registry, API, tag, salt=tag or "" if salt is None else salt, created=created
        )

    def session(self) -> Session:
        """A call."""
        return replace(
            self.world.session(),
            registry=self.registry,
            sources=self.sources,  # type: ignore[arg-type]
            archive=lambda: FakeArchive(self.world.repository),  # type: ignore[return-value,arg-type]
        )

    def prune(self, *, act: bool = True, **more: object) -> PruneReport:
        """Run it."""
        request = PruneRequest(act=act, **more)  # type: ignore[arg-type]
        return prune(self.session(), request, self.acts.append)

    def fate(self, tag: str) -> tuple[str, str]:
        """Return what a plan says of one tag."""
        return next(
            (one.action, one.reason) for one in self.prune(act=False).fates if one.tag == tag
        )

    @property
    def tags(self) -> set[str]:
        """What is there."""
        return set(self.registry.repositories[API].tags)

    def has(self, digest: str | None) -> bool:
        """Say whether a manifest is there."""
        return digest in self.registry.repositories[API].manifests


def test_a_merged_feature_goes_with_all_that_is_its_own() -> None:
    """Index, platform images, attestation, signature and its list; nothing else is touched."""
    shop = Shop()
    pushed = shop.push("feature-login-5f2c5f2")
    signature = push_referrer(shop.registry, API, pushed)
    release = shop.registry.repositories[API].tags["1.4.0"]
    assert shop.fate("feature-login-5f2c5f2") == (
        "delete",
        "its branch is gone, and nothing uses it",
    )
    assert len(shop.tags) == 3  # a plan deletes nothing
    report = shop.prune()
    assert report.error is None
    assert shop.tags == {"1.4.0"}
    gone = (pushed.digest, *pushed.children, pushed.attestation, signature.digest)
    assert not any(shop.has(one) for one in gone)
    assert shop.has(release)
    assert [(act.done, act.fate.tag) for act in shop.acts] == [("deleted", "feature-login-5f2c5f2")]
    assert set(gone[1:]) <= set(shop.acts[0].also)


def test_a_branch_that_lives_keeps_its_builds() -> None:
    """Unmerged: kept. Merged, or gone: it may go."""
    shop = Shop()
    shop.push("feature-login-5f2c5f2")
    shop.sources.branches["feature/login"] = "b" * 40
    assert shop.fate("feature-login-5f2c5f2") == ("keep", "feature/login is not merged")
    shop.sources.merged.add("b" * 40)
    assert shop.fate("feature-login-5f2c5f2")[1].startswith("feature/login is merged")


@pytest.mark.parametrize("pin", ["tag", "digest", "child"])
@pytest.mark.parametrize("branch", ["main", "gitops/prod", "somebody/elses"])
def test_what_any_branch_names_is_kept(pin: str, branch: str) -> None:
    """By tag, by digest, by the digest of a platform: in any file of any branch."""
    shop = Shop()
    pushed = shop.push("feature-login-5f2c5f2")
    named = {
        "tag": f"{API}:feature-login-5f2c5f2",
        "digest": f"{API}@{pushed.digest}",
        "child": f"{API}@{pushed.children[1]}",
    }[pin]
    files = {"charts/values.yaml": f'image: "{named}"\n'.encode()}
    shop.world.repository.commit(files, "x\n", branch=branch)
    action, reason = shop.fate("feature-login-5f2c5f2")
    assert (action, reason) == ("keep", f"charts/values.yaml on {branch}")
    shop.prune()
    assert shop.has(pushed.digest)


def test_a_release_to_go_back_to_is_kept() -> None:
    """What an overlay pinned lately stays pullable; `releases` says how many."""
    shop = Shop()
    shop.push("feature-login-5f2c5f2")
    shop.pins("feature-login-5f2c5f2")
    shop.pins("1.4.0")
    assert shop.fate("feature-login-5f2c5f2")[1].startswith("a rollback of stage may take it")
    for number in range(25):
        shop.pins(f"1.5.{number}")
    assert shop.fate("feature-login-5f2c5f2")[0] == "delete"


def test_what_runs_is_kept_and_a_blind_cluster_ends_it() -> None:
    """A live workload counts; a cluster that cannot be seen might run anything."""
    shop = Shop()
    shop.push("feature-login-5f2c5f2")
    running = FakeClusters([f"{API}:feature-login-5f2c5f2"])

    def plan() -> PruneReport:
        session = replace(shop.session(), clusters=running)  # type: ignore[arg-type]
        return prune(session, PruneRequest(act=True))

    assert plan().fates[0].reason == "runs in fake"
    running.error = Unavailable("fake is down")
    with pytest.raises(Unavailable):
        plan()
    assert "feature-login-5f2c5f2" in shop.tags


class FakeClusters:
    """Clusters that run images."""

    name = "fake"

    def __init__(self, images: list[str]) -> None:
        self.images = tuple(images)
        self.error: GitopsError | None = None
        self.applications_ = self

    def at_hand(self, config: object, environment: object, *, within: float) -> tuple[object, ...]:
        """See `ports.Clusters`."""
        return (self,)

    def applications(self) -> FakeClusters:
        """See `ports.Cluster`."""
        if self.error is not None:
            raise self.error
        return _Reading(self)


class _Reading(FakeClusters):
    def __init__(self, told: FakeClusters) -> None:
        self.images = told.images

    @property
    def applications(self) -> tuple[FakeClusters, ...]:  # type: ignore[override]
        """Itself, as the only Application."""
        return (self,)


def test_a_sibling_keeps_the_image() -> None:
    """A release with the same digest: only the feature's tag goes."""
    shop = Shop()
    pushed = shop.push("feature-login-5f2c5f2")
    tag_again(shop.registry, API, pushed, "1.5.0")
    assert shop.fate("feature-login-5f2c5f2") == ("untag", "the image stays: 1.5.0 names it")
    shop.prune()
    assert shop.tags == {"1.4.0", "1.5.0"}
    assert shop.has(pushed.digest)
    assert all(shop.has(child) for child in pushed.children)


def test_a_shared_child_stays() -> None:
    """A platform image that a kept index has, too, is not deleted with the other."""
    shop = Shop()
    feature = push_index(shop.registry, API, "feature-x-5f2c5f2", salt="same", created=OLD)
    kept = push_index(shop.registry, API, "1.6.0", salt="same", created=OLD, annotations={"v": "1"})
    assert set(feature.children) == set(kept.children)
    assert feature.digest != kept.digest
    shop.prune()
    assert not shop.has(feature.digest)
    assert all(shop.has(child) for child in kept.children)


def test_a_child_of_an_index_that_goes_later_stays_till_then() -> None:
    """With --max one of two goes first: what the other is made of is not broken meanwhile."""
    shop = Shop()
    index = shop.push("feature-b-0000002")
    child = shop.registry.repositories[API].manifests[index.children[0]]
    shop.registry.put_manifest(API, "feature-a-0000001", *child)
    shop.prune(most=1)
    assert "feature-a-0000001" not in shop.tags
    assert all(shop.has(one) for one in index.children)
    shop.prune()
    assert shop.tags == {"1.4.0"}
    assert not any(shop.has(one) for one in index.children)


def test_a_new_index_with_the_same_children_keeps_them() -> None:
    """A release that is pushed while images go shares a platform's image with one of them."""
    shop = Shop()
    pushed = shop.push("feature-x-5f2c5f2")
    came: list[Pushed] = []

    def fault(verb: str) -> None:
        if verb == "retire" and not came:
            salt, more = "feature-x-5f2c5f2", {"v": "2"}
            came.append(
                push_index(shop.registry, API, "1.8.0", salt=salt, annotations=more, created=OLD)
            )

    shop.registry.fault = fault
    shop.prune()
    assert set(came[0].children) == set(pushed.children)
    assert not shop.has(pushed.digest)
    assert all(shop.has(one) for one in came[0].children)


@pytest.mark.parametrize(
    ("tag", "created", "reason"),
    [
        ("feature-login-5f2c5f2", YOUNG, "younger than 14d"),
        ("feature-login-5f2c5f2", "1970-01-01T00:00:00Z", "nobody says how old it is"),
        ("feature-login", OLD, "its tag does not say which branch it was built from"),
        ("feature-5f2c5f2", OLD, "not built from feature/**"),
    ],
)
def test_why_a_tag_stays(tag: str, created: str, reason: str) -> None:
    """Each has its reason."""
    shop = Shop()
    shop.push(tag, created=created)
    assert shop.fate(tag) == ("keep", reason)


def test_a_label_that_lies_keeps_it() -> None:
    """A label that names another branch than the tag does proves that one of both is wrong."""
    shop = Shop()
    push_image(
        shop.registry,
        API,
        "feature-login-5f2c5f2",
        labels={"dev.gitops.branch": "feature/other"},
        created=OLD,
    )
    assert (
        shop.fate("feature-login-5f2c5f2")[1]
        == "its label says feature/other, and its tag another branch"
    )


def test_the_newest_stay() -> None:
    """`keep` counts what fits the pattern, the newest first."""
    shop = Shop(CLEANUP.replace("keep: 0", "keep: 2"))
    for number in range(4):
        shop.push(f"feature-x-000000{number}", created=f"2025-10-0{number + 1}T10:00:00Z")
    shop.prune()
    assert shop.tags == {"1.4.0", "feature-x-0000002", "feature-x-0000003"}


def test_max_leaves_the_rest_for_later() -> None:
    """So many at once; the next call goes on."""
    shop = Shop()
    for number in range(5):
        shop.push(f"feature-x-000000{number}")
    report = shop.prune(most=2)
    assert (len(report.acts), report.later) == (2, 3)
    assert len(shop.tags) == 4
    shop.prune()
    assert shop.tags == {"1.4.0"}


def test_an_index_whose_child_is_missing_can_go() -> None:
    """What is broken already is deleted as far as it is there."""
    shop = Shop()
    pushed = push_index(
        shop.registry,
        API,
        "feature-x-5f2c5f2",
        annotations={"org.opencontainers.image.created": OLD},
    )
    shop.registry.repositories[API].manifests.pop(pushed.children[0])
    assert shop.prune().error is None
    assert shop.tags == {"1.4.0"}


def test_a_tag_that_moves_meanwhile_is_left() -> None:
    """Between plan and act somebody pushes the tag again: that image stays."""
    shop = Shop()
    shop.push("feature-x-5f2c5f2")
    moved: list[Pushed] = []

    def fault(verb: str) -> None:
        if verb == "retire" and not moved:
            moved.append(shop.push("feature-x-5f2c5f2", salt="new"))

    shop.registry.fault = fault
    report = shop.prune()
    assert report.error is None
    assert [act.done for act in shop.acts] == ["left"]
    assert shop.registry.repositories[API].tags["feature-x-5f2c5f2"] == moved[0].digest


@pytest.mark.parametrize("verb", ["resolve", "retire", "delete"])
def test_a_release_that_gets_the_image_meanwhile_keeps_it(verb: str) -> None:
    """A new tag, or one that moves onto what is to go, right before any request."""
    for tag in ("1.7.0", "latest"):
        shop = Shop()
        shop.push("latest")
        pushed = shop.push("feature-x-5f2c5f2")
        done: list[str] = []

        def fault(
            asked: str,
            shop: Shop = shop,
            pushed: Pushed = pushed,
            tag: str = tag,
            done: list[str] = done,
        ) -> None:
            if asked == verb and not done and "resolve" in dict(shop.registry.asked):
                done.append(tag)
                tag_again(shop.registry, API, pushed, tag)

        if tag == "latest" and verb != "resolve":
            continue  # nobody can see a known tag move in the moment before a deletion
        shop.registry.fault = fault
        shop.prune()
        assert shop.registry.repositories[API].tags[tag] == pushed.digest
        assert all(shop.has(child) for child in (pushed.digest, *pushed.children))


def test_a_registry_that_deletes_nothing_loses_nothing() -> None:
    """405, or no right to: the run ends, and the tag names what it named."""
    shop = Shop()
    pushed = shop.push("feature-x-5f2c5f2")
    shop.registry.sealed = True
    report = shop.prune()
    assert isinstance(report.error, Denied)
    assert shop.registry.repositories[API].tags["feature-x-5f2c5f2"] == pushed.digest


def test_branches_that_move_meanwhile_end_it() -> None:
    """A proposal that comes while the plan is made is not overlooked."""
    shop = Shop()
    shop.push("feature-x-5f2c5f2")
    asked = []

    def fault(verb: str) -> None:
        if verb == "blob" and not asked:
            asked.append(verb)
            shop.pins("feature-x-5f2c5f2", PROD, branch="gitops/prod")

    shop.registry.fault = fault
    with pytest.raises(Conflict, match=r"gitops/prod moved"):
        shop.prune()
    assert "feature-x-5f2c5f2" in shop.tags


def test_nothing_is_gone_where_nobody_may_read() -> None:
    """A source repository that cannot be seen, or shows no branch, has no merged branches."""
    shop = Shop()
    shop.push("feature-x-5f2c5f2")
    shop.sources.error = Denied("no")
    with pytest.raises(Denied):
        shop.prune()
    shop.sources.error = None
    shop.sources.branches = {}
    with pytest.raises(Conflict):
        shop.prune()
    assert "feature-x-5f2c5f2" in shop.tags


def test_without_a_rule_nothing_may_go() -> None:
    """`cleanup:` is asked for by name; so is an image that no overlay has."""
    with pytest.raises(UsageError, match="no `cleanup:`"):
        Shop("").prune()
    with pytest.raises(NotFound, match="no overlay has an image shop/nothing"):
        Shop().prune(images=("shop/nothing",))


# What the generated registries are made of.
TAGS = st.sampled_from(
    [f"feature-{name}-000000{number}" for name in "ab" for number in range(3)]
    + ["1.5.0", "1.6.0", "latest"]
)
IMAGES = st.tuples(
    TAGS, st.sampled_from("xyz"), st.booleans(), st.sampled_from([OLD, YOUNG]), st.booleans()
)
USES = st.lists(
    st.tuples(
        st.sampled_from(["main", "gitops/prod", "other"]),
        st.integers(0, 8),
        st.sampled_from(["tag", "digest", "child"]),
    ),
    max_size=3,
)


def _generate(
    images: list[tuple[str, str, bool, str, bool]], uses: list[tuple[str, int, str]]
) -> tuple[Shop, set[str]]:
    """Return a shop, and all digests that something in use reaches by rule."""
    shop = Shop()
    pushed: list[tuple[str, Pushed]] = []
    for tag, salt, is_index, created, is_signed in images:
        push = push_index if is_index else push_image
        made = push(shop.registry, API, tag, salt=salt, created=created)  # type: ignore[operator]
        if is_signed:
            push_referrer(shop.registry, API, made)
        pushed.append((tag, made))
    for number, (branch, index, how) in enumerate(uses):
        tag, made = pushed[index % len(pushed)]
        word = {"tag": tag, "digest": made.digest, "child": (made.children or (made.digest,))[0]}[
            how
        ]
        files = {f"notes/{number}.yaml": f"image: '{word}'\n".encode()}
        shop.world.repository.commit(files, "x\n", branch=branch)
        if how == "tag":
            made = next(one for name, one in reversed(pushed) if name == tag)
    return shop, _needed(shop, list(_words(shop)))


def _words(shop: Shop) -> set[str]:
    found: set[str] = set()
    for commit in shop.world.repository.branches.values():
        for path, content in shop.world.repository.commits[commit].files.items():
            if path.startswith("notes/"):
                found.add(content.decode().split("'")[1])
    return found


def _needed(shop: Shop, words: list[str]) -> set[str]:
    """Return what is in use by the words of the issue, found out another way than the code does."""
    repository = shop.registry.repositories[API]
    roots = {word for word in words if word in repository.manifests}
    roots |= {repository.tags[word] for word in words if word in repository.tags}
    roots |= {
        digest
        for tag, digest in repository.tags.items()
        if not tag.startswith(("feature-", "sha256-"))
    }
    found: set[str] = set()
    while roots:
        digest = roots.pop()
        if digest in found or digest not in repository.manifests:
            continue
        found.add(digest)
        manifest = shop.registry._manifest(API, digest)
        roots |= {child.digest for child in manifest.children}
        for other in repository.manifests:
            subject = shop.registry._manifest(API, other).subject
            if subject is not None and subject.digest == digest:
                roots.add(other)
    return found


class Crash(BaseException):
    """The process dies."""


@settings(max_examples=60)
@example(  # it dies while the signature of what an index names, too, is taken away
    [
        ("feature-a-0000000", "y", False, OLD, True),
        ("feature-a-0000001", "y", True, OLD, False),
    ],
    [],
    6,
    True,
)
@given(st.lists(IMAGES, min_size=1, max_size=8), USES, st.integers(0, 60), st.booleans())
def test_nothing_in_use_is_ever_deleted(
    images: list[tuple[str, str, bool, str, bool]],
    uses: list[tuple[str, int, str]],
    dies_at: int,
    crashes: bool,
) -> None:
    """Over generated registries, branches and proposals: also when the process dies anywhere.

    What is in use is there afterwards, each tag in use names what it named; and another call
    finishes what was begun.
    """
    shop, needed = _generate(images, uses)
    repository = shop.registry.repositories[API]
    in_use = {tag: repository.tags[tag] for tag in _words(shop) & set(repository.tags)}
    kept = {
        tag: digest
        for tag, digest in repository.tags.items()
        if not tag.startswith(("feature-", "sha256-"))
    }
    count = 0

    def fault(verb: str) -> None:
        nonlocal count
        if verb in ("retire", "untag", "delete", "restore", "referrers"):
            count += 1
            if crashes and count == dies_at:
                raise Crash

    shop.registry.fault = fault
    with suppress(Crash):
        shop.prune()
    _check(shop, needed, in_use | kept)
    shop.registry.fault = lambda _: None
    shop.prune()
    _check(shop, needed, in_use | kept)
    assert [fate for fate in shop.prune(act=False).fates if fate.action != "keep"] == []
    for digest in repository.tags.values():
        assert untagged_from(shop.registry._manifest(API, digest)) is None


def _check(shop: Shop, needed: set[str], tags: Mapping[str, str]) -> None:
    repository = shop.registry.repositories[API]
    assert needed <= set(repository.manifests)
    assert {tag: repository.tags.get(tag) for tag in tags} == dict(tags)


def test_a_crash_at_each_request_is_finished_later() -> None:
    """One image with all that can belong to it: wherever it ends, the next call ends it all."""
    for dies_at in range(1, 16):
        shop = Shop()
        pushed = shop.push("feature-x-5f2c5f2")
        push_referrer(shop.registry, API, pushed)
        tag_again(shop.registry, API, pushed, "feature-x-0000001")
        count = 0

        def fault(verb: str, at: int = dies_at) -> None:
            nonlocal count
            count += verb not in ("manifest", "blob", "tags", "resolve")
            if count == at:
                raise Crash

        shop.registry.fault = fault
        with suppress(Crash):
            shop.prune()
        shop.registry.fault = lambda _: None
        shop.prune()
        release = shop.registry.repositories[API].tags["1.4.0"]
        manifest = shop.registry._manifest(API, release)
        there = set(shop.registry.repositories[API].manifests)
        assert there == {release, *(child.digest for child in manifest.children)}, dies_at


def test_what_was_begun_and_is_used_by_now_comes_back() -> None:
    """Somebody deploys a tag whose deletion was begun by a call that died."""
    shop = Shop()
    pushed = shop.push("feature-x-5f2c5f2")
    shop.registry.retire(API, "feature-x-5f2c5f2", expect=pushed.digest)
    deploy(shop.session(), DeployRequest((f"shop/api={API}:feature-x-5f2c5f2",), ("stage",)))
    shop.prune()
    assert [act.done for act in shop.acts] == ["restored"]
    assert shop.registry.repositories[API].tags["feature-x-5f2c5f2"] == pushed.digest


def test_the_clock_of_these_tests() -> None:
    """Ages above are true on the day that the tests' clock shows."""
    now = make_world().clock.now()
    assert now - datetime.fromisoformat(YOUNG) < timedelta(days=14)
    assert now > datetime(2025, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("push", "asked"), [(push_image, ["blob"]), (push_index, ["manifest", "blob"])]
)
def test_ages_are_read_of_what_is_known(push: Callable[..., Pushed], asked: Sequence[str]) -> None:
    """The age of an image costs its configuration alone; that of an index its first image, too."""
    registry = MemoryRegistry()
    push(registry, API, "1.4.0", created=OLD)
    states = read_states(registry, API, ["1.4.0"])
    registry.asked.clear()
    add_details(registry, API, states, ["1.4.0"])
    assert states["1.4.0"].created == datetime.fromisoformat(OLD)
    assert [verb for verb, _ in registry.asked] == asked
