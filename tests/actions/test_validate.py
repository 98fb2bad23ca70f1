"""`gitops validate`: every fault of a repository as a problem with a place, never an exception."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NoReturn

import pytest

from gitops.actions.validate import ValidateReport, validate
from gitops.adapters.local.folder import sample_files
from gitops.config import load_config
from gitops.core.hold import Hold, render_hold
from gitops.core.report import Problem
from gitops.errors import GitopsError, ManifestError, NotFound, Unavailable

NOW = datetime(2026, 12, 24, 9, tzinfo=UTC)
DEV = "overlays/dev/kustomization.yaml"
HOLD = render_hold(Hold("ana", datetime(2026, 1, 2, tzinfo=UTC), "INC-42"))


class Files:
    """A snapshot made of a dictionary."""

    branch = "main"
    commit = "0" * 40

    def __init__(self, files: Mapping[str, bytes], links: tuple[str, ...] = ()) -> None:
        self._files = files
        self._links = links

    def read(self, path: str) -> bytes | None:
        if path in self._links:
            raise ManifestError("is a symbolic link", path=path)
        return self._files.get(path)

    def mark(self, path: str) -> str | None:
        """See `ports.Snapshot`."""
        inside = [one for one in self._files if not path or f"{one}/".startswith(f"{path}/")]
        return repr([(one, self._files[one]) for one in sorted(inside)]) if inside else ""

    def prepare(self, directories: Iterable[str], names: Sequence[str] = ()) -> None:
        """See `ports.Snapshot`."""

    def entries(self, directory: str) -> tuple[str, ...]:
        prefix = f"{directory}/" if directory else ""
        inside = [path[len(prefix) :] for path in self._files if path.startswith(prefix)]
        return tuple(sorted({path.partition("/")[0] + "/" * ("/" in path) for path in inside}))


def no_branch(name: str) -> NoReturn:
    """There is no other branch."""
    raise NotFound(f"no branch {name} in memory")


def check(changes: Mapping[str, str | bytes | None] = {}, **more) -> ValidateReport:
    """Validate the sample with some files replaced, or taken away (None)."""
    files = dict(sample_files())
    for path, content in changes.items():
        if content is None:
            del files[path]
        else:
            files[path] = content.encode() if isinstance(content, str) else content
    return validate(Files(files, **more), load_config, NOW, no_branch)


def images(text: str) -> str:
    """Return the overlay dev with this `images:` list; its entries begin on line 5."""
    return f"kind: Kustomization\nresources:\n- ../../base\nimages:\n{text}"


def shown(report: ValidateReport) -> list[str]:
    """Return the problems as lines."""
    return [
        f"{one.path}:{one.line}:{one.column}: {one.level}: {one.message}" for one in report.problems
    ]


def test_the_sample_is_well():
    """Nothing to complain about, and everything was looked at."""
    assert check() == ValidateReport((), 5)
    assert check().exit_code == 0


def test_no_config():
    """Without gitops.yaml there is one error; the way out is in it."""
    report = check({"gitops.yaml": None})

    assert shown(report) == ["gitops.yaml:1:1: error: is not there: `gitops init` makes one"]
    assert (report.exit_code, report.overlays) == (2, 0)


def test_config_problems_come_with_their_places():
    """Each reason of the config reader becomes one problem; holds are looked at all the same."""
    report = check(
        {"gitops.yaml": "kind: Config\nenvironments: [a]\n", ".gitops/hold.yaml": "by: [\n"}
    )

    assert [(one.path, one.line, one.column) for one in report.problems] == [
        ("gitops.yaml", 1, 1),
        ("gitops.yaml", 2, 16),
        (".gitops/hold.yaml", 2, 1),
    ]
    assert report.problems[0] == Problem("gitops.yaml", 1, 1, "error", "apiVersion: is missing")


def test_config_that_is_a_link():
    """What a snapshot refuses to read is a problem too."""
    report = check(links=("gitops.yaml",))

    assert shown(report) == ["gitops.yaml:1:1: error: is a symbolic link"]


def test_overlay_that_does_not_exist():
    """gitops.yaml names it, so the error is there: exit code 2."""
    report = check({path: None for path in sample_files() if path.startswith("overlays/dev/")})

    assert shown(report) == [
        "gitops.yaml:15:1: error: dev: the overlay overlays/dev does not exist"
    ]
    assert report.exit_code == 2


def test_overlay_without_a_kustomization():
    """A folder with other files in it is no overlay."""
    report = check({DEV: None, "overlays/dev/notes.txt": "x"})

    assert shown(report) == [
        "gitops.yaml:15:1: error: dev: the overlay overlays/dev has no kustomization"
    ]


def test_overlay_with_two_kustomizations():
    """kustomize refuses two of them, so nobody can know which one is meant."""
    report = check({"overlays/dev/Kustomization": "resources: []"})

    assert [(one.path, one.level) for one in report.problems] == [("overlays/dev", "error")]
    assert report.exit_code == 3


def test_overlay_that_does_not_parse():
    """Broken YAML has its place in the overlay."""
    report = check({DEV: "images:\n- name: [\n"})

    (problem,) = report.problems
    assert (problem.path, problem.level, report.exit_code) == (DEV, "error", 3)


ENTRIES = [
    ("- {name: shop/api, newTag: v1}\n", []),
    (
        "- {name: shop/api, newTag: v1}\n- {name: shop/api, newTag: v2}\n",
        [(6, "error", "shop/api stands here twice: first on line 5")],
    ),
    (
        "- {name: shop/api, newTag: v1, tagSuffix: -x}\n",
        [(5, "warning", "shop/api has a tagSuffix, which kustomize applies twice")],
    ),
    (
        "- {name: shop/api}\n",
        [(5, "warning", "shop/api pins neither tag nor digest: what the base says runs")],
    ),
    (
        "- {name: shop/apy, newTag: v1}\n",
        [
            (
                5,
                "warning",
                "no manifest that it builds on uses shop/apy: this changes nothing",
            )
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), ENTRIES)
def test_entries(text, expected):
    """What kustomize does not do as one thinks is named where it stands."""
    found = check({DEV: images(text)}).problems

    assert [(one.line, one.level, one.message) for one in found] == expected
    assert {one.path for one in found} <= {DEV}


def test_only_entries_that_cannot_be_edited_are_errors():
    """An alias that two entries share cannot be changed for one: only these are refused."""
    text = "- {name: shop/api, newTag: &tag v1}\n- {name: shop/web, newTag: *tag}\n"
    text += "- {name: busybox, newTag: v1}\n"
    report = check({DEV: images(text), "overlays/dev/job.yaml": "image: busybox\n"})

    lines = {(one.path, one.line, one.level) for one in report.problems}
    assert lines == {(DEV, 5, "error"), (DEV, 6, "error")}
    assert len(report.problems) == 2
    assert report.exit_code == 3


def test_template_as_a_tag():
    """Replacing `${TAG}` would destroy somebody's template: automation cannot work there."""
    report = check({DEV: images('- {name: shop/api, newTag: "${TAG}"}\n')})

    (problem,) = report.problems
    assert (problem.path, problem.line, problem.level) == (DEV, 5, "error")


def test_template_as_a_digest():
    """The same holds for an entry that pins a digest only."""
    report = check({DEV: images('- {name: shop/api, digest: "${DIGEST}"}\n')})

    (problem,) = report.problems
    assert (problem.path, problem.line, problem.level) == (DEV, 5, "error")


def test_images_that_are_no_list():
    """A wrong type is one error, and no further word about missing images."""
    (problem,) = check({DEV: "images: {a: b}\n"}).problems

    assert (problem.path, problem.line, problem.level) == (DEV, 1, "error")


def test_overlay_without_images():
    """There is nothing to deploy to."""
    report = check({DEV: "resources: [../../base]\n"})

    assert shown(report) == [f"{DEV}:1:1: warning: no images: gitops has nothing to change here"]
    assert report.exit_code == 0


def test_image_updater_file():
    """A file of Argo CD Image Updater beside the overlay wins over what gitops writes."""
    report = check({"overlays/dev/.argocd-source-shop.yaml": "kustomize: {}\n"})

    assert shown(report) == [
        "overlays/dev/.argocd-source-shop.yaml:1:1: warning: "
        "Argo CD puts this over the overlay's images: changes seem to do nothing"
    ]


def test_image_that_an_earlier_environment_lacks():
    """prod takes what stage released: an image that stage does not have can never go there."""
    stage = sample_files()["overlays/stage/kustomization.yaml"].decode()
    report = check(
        {"overlays/stage/kustomization.yaml": stage.partition("  - name: shop/web\n    newT")[0]}
    )

    (problem,) = report.problems
    assert (problem.path, problem.level) == ("overlays/prod/kustomization.yaml", "warning")
    assert problem.message == "shop/web is not in stage, where prod wants it first"


def test_automatic_without_a_branch():
    """An environment that follows nothing by itself is a slip."""
    text = sample_files()["gitops.yaml"].decode().replace("accepts: [main], ", "", 1)
    report = check({"gitops.yaml": text})

    assert shown(report) == [
        "gitops.yaml:15:1: warning: "
        "dev deploys automatically and accepts no branch: nothing ever comes"
    ]


def test_holds_are_read():
    """Holds that are right are no problem, of one environment and of everything."""
    assert check({".gitops/holds/dev.yaml": HOLD, ".gitops/hold.yaml": HOLD}).problems == ()


def test_hold_that_cannot_be_read():
    """It counts as held, so somebody must know."""
    report = check({".gitops/holds/dev.yaml": "by: ana\nreason: [\n"})

    (problem,) = report.problems
    assert (problem.path, problem.level) == (".gitops/holds/dev.yaml", "error")


def test_hold_of_nothing():
    """A hold whose name no environment has holds nothing, whatever its author thinks."""
    report = check({".gitops/holds/prd.yaml": HOLD, ".gitops/holds/shop/dev.yaml": HOLD})

    assert shown(report) == [
        ".gitops/holds/prd.yaml:1:1: error: holds nothing: no environment has this name; "
        "every deploy and promotion is refused until it is settled",
        ".gitops/holds/shop/dev.yaml:1:1: warning: holds nothing: no environment has this name",
    ]


# --- one overlay for each app -----------------------------------------------------------------

APPS = """\
apiVersion: gitops/v1
kind: Config
environments:
  - {name: dev, overlay: "apps/{app}/overlays/dev"}
  - {name: prod, overlay: "apps/{app}/overlays/prod", after: [dev]}
"""
OVERLAY = b"images:\n- {name: shop/api, newTag: v1}\nresources: [all.yaml]\n"
MANIFEST = b"image: shop/api\n"
WEB = MANIFEST + b"image: shop/web\n"


def check_apps(*overlays: str, **files: bytes) -> ValidateReport:
    """Validate a repository with these overlays (`shop/dev`)."""
    tree = {"gitops.yaml": APPS.encode(), "apps/README.md": b""}
    for name in overlays:
        app, _, environment = name.partition("/")
        folder = f"apps/{app}/overlays/{environment}"
        tree |= {f"{folder}/kustomization.yaml": OVERLAY, f"{folder}/all.yaml": MANIFEST}
    tree |= {path.replace("__", "/"): content for path, content in files.items()}
    return validate(Files(tree), load_config, NOW, no_branch)


def test_apps():
    """Every overlay of every app is looked at; an app need not be everywhere."""
    assert check_apps("shop/dev", "shop/prod", "till/dev") == ValidateReport((), 3)


def test_app_with_none_at_all():
    """A folder among the apps without an overlay of any environment is no app, and no mistake."""
    report = check_apps("shop/dev", "shop/prod", apps__till__base="x")

    assert report == ValidateReport((), 2)


def test_environment_without_apps():
    """Before the first app goes to prod, that is no error; without any app the path is wrong."""
    assert shown(check_apps("shop/dev")) == [
        "gitops.yaml:5:1: warning: prod has no app: no folder matches apps/{app}/overlays/prod"
    ]
    assert [one.level for one in check_apps().problems] == ["error", "error"]


@pytest.mark.parametrize("app", ["dev", "ledger"])
def test_app_named_like_an_environment(app):
    """Their proposal branches, gitops/dev and gitops/dev/prod, cannot both exist."""
    report = check_apps(f"{app}/dev", f"{app}/prod")

    assert shown(report) == [
        f"gitops.yaml:4:1: error: apps/{app}/: "
        f"an app must not be called {app}: branches gitops/{app} would clash"
    ]


@pytest.mark.parametrize("app", ["my shop", "a..b", "x.lock", "-x"])
def test_app_that_cannot_be_a_branch(app):
    """The app's name is part of a branch: Git must be able to have it."""
    report = check_apps(f"{app}/dev", f"{app}/prod")

    assert shown(report) == [
        f"gitops.yaml:4:1: error: apps/{app}/: "
        f"an app called {app!r} cannot have a branch gitops/{app}/…"
    ]


def test_hold_of_an_app():
    """Holds of apps lie in the folder of the app."""
    report = check_apps("shop/dev", "shop/prod", **{".gitops__holds__shop__dev.yaml": HOLD})

    assert report.problems == ()


# --- images found ------------------------------------------------------------------------------


def used(overlay: str, **files: str) -> list[str]:
    """Return the warnings about the overlay dev with `shop/api` pinned, and these files around."""
    text = f"{overlay}\nimages: [{{name: shop/api, newTag: v1}}]\n"
    tree = {path.replace("__", "/"): content for path, content in files.items()}
    found = check({DEV: text, **tree}).problems
    return [one.message for one in found if one.path == DEV]


OUTSIDE = ["dev names ../../../x, which leads out of the repository"]
NOT_USED = ["no manifest that it builds on uses shop/api: this changes nothing"]


@pytest.mark.parametrize(
    ("overlay", "files", "expected"),
    [
        ("resources: [a.yaml]", {"a.yaml": "image: shop/api:1@sha256:00"}, []),
        ("resources: [a.yaml]", {"a.yaml": "image: shop/api@sha256:00"}, []),
        ("resources: [a.json]", {"a.json": '{"image": "shop/api"}'}, []),
        ("resources: [a.yaml]", {"a.yaml": "- {name: x, image: 'shop/api'}"}, []),
        ("resources: [a.yaml]", {"a.yaml": "image:\n  reference: shop/api:1"}, []),
        ("resources: [a.yaml]", {"a.yaml": "image: &i shop/api:1"}, []),
        ("resources: [a.yaml]", {"a.yaml": "a: &i shop/api:1\nimage: *i"}, []),
        ("resources: [a.yaml]", {"a.yaml": "image: !!str shop/api:1"}, []),
        ("resources: [a.yaml]", {"a.yaml": "image: >-\r\n  shop/api:1@sha256:00"}, []),
        ("resources: [a.yaml]", {"a.yaml": "image: # the newest\n  shop/api"}, []),
        ("resources: [a.yaml]", {"a.yaml": "image:\n  'shop/api'"}, []),
        ("resources: [a.yaml]", {"a.yaml": "? image\n: shop/api"}, []),
        ("resources: [a.json]", {"a.json": '{"image":\n"shop/api:1"}'}, []),
        ("resources: [a.yaml]", {"a.yaml": "image: &i shop/web"}, NOT_USED),
        ("resources: [a.yaml]", {"a.yaml": "image: reg:5000/shop/api:1"}, NOT_USED),
        ("resources: [a.yaml]", {"a.yaml": "myimage: shop/api"}, NOT_USED),
        ("patches: [{patch: '{image: shop/api}'}]", {}, []),
        ("patches: [path: p.yaml]", {"p.yaml": "image: shop/api"}, []),
        ("resources: [a.yaml]", {"a.yaml": "kind: X"}, NOT_USED),
        ("resources: [https://git.example.com/x?ref=v1]", {}, []),
        ("resources: [../../../x]", {}, OUTSIDE),
        ("resources: [missing.yaml]", {}, ["dev names missing.yaml, which is not there"]),
        ("helmCharts: [{name: x}]", {}, []),
        ("resources: [../loop]", {}, NOT_USED),
    ],
)
def test_images_found(overlay, files, expected):
    """An image that no manifest uses is named; where that cannot be told, nothing is said."""
    placed = {f"overlays__dev__{path}": content for path, content in files.items()}
    loop = {"overlays__loop__kustomization.yaml": "resources: [../dev]"}

    assert used(overlay, **placed, **loop) == expected


def test_renamed_in_the_overlay_itself():
    """The new name is what comes out, not what goes in."""
    entry = "- {name: shop/new, newName: shop/new, newTag: v1}\n"
    (problem,) = check({DEV: images(entry)}).problems

    assert problem.message == "no manifest that it builds on uses shop/new: this changes nothing"


CHAIN = "- {name: shop/api, newName: reg/api}\n- {name: reg/api, newTag: v1}\n"


def test_renamed_for_the_next_entry():
    """Entries run one after the other: one that only renames lets the next one be found."""
    assert check({DEV: images(CHAIN)}).problems == ()
    turned = "".join(reversed(CHAIN.splitlines(True)))
    assert [
        "no manifest that it builds on uses reg/api: this changes nothing",
        "shop/api pins neither tag nor digest: what the base says runs",
    ] == sorted(one.message for one in check({DEV: images(turned)}).problems)


def test_renamed_in_the_base():
    """A base that renames an image decides the name that the overlay must use."""
    base = "images: [{name: api, newName: shop/api}]\nresources: [a.yaml]\n"

    assert (
        used(
            "resources: [../../own]",
            **{"own__kustomization.yaml": base, "own__a.yaml": "image: api"},
        )
        == []
    )


def test_a_freeze_is_shown_with_its_opening() -> None:
    """Nothing is wrong with a freeze that is on: a warning tells until when, exit 0."""
    config = sample_files()["gitops.yaml"].decode() + (
        "freeze:\n"
        '  - {name: year end, environments: [prod], from: "2026-12-20", to: "2027-01-03",\n'
        "     timezone: Asia/Seoul, reason: holidays}\n"
        '  - {name: old, from: "2025-12-20", to: "2026-01-03", reason: holidays}\n'
    )
    report = check({"gitops.yaml": config})
    line = config.split("\n").index("  - name: prod") + 1

    assert [
        f"gitops.yaml:{line}:1: warning: prod is frozen by year end: holidays; "
        "opens 2027-01-03T15:00:00Z"
    ] == shown(report)
    assert 0 == report.exit_code


# --- environments on branches of their own ----------------------------------------------------

OWN = """\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: overlays/dev}
  - {name: prod, overlay: overlays/prod, after: [dev], branch: production}
"""
PROD = "overlays/prod/kustomization.yaml"


def check_branches(
    main: Mapping[str, bytes],
    production: Mapping[str, bytes] | GitopsError | None,
    looked_at: str = "main",
) -> list[str]:
    """Validate what is on main, or the branch that is looked at, with production beside it."""
    overlay = b"images:\n- {name: shop/api, newTag: v1}\nresources: [all.yaml]\n"
    files = {"gitops.yaml": OWN.encode()}
    for name in ("dev", "prod"):
        files[f"overlays/{name}/kustomization.yaml"] = overlay
        files[f"overlays/{name}/all.yaml"] = MANIFEST
    tips: dict[str, Files] = {"main": Files(files | main)}
    if isinstance(production, Mapping):
        tips["production"] = Files(files | production)
    for name, tip in tips.items():
        tip.branch = name

    def read(branch: str) -> Files:
        if isinstance(production, GitopsError):
            raise production
        return tips[branch] if branch in tips else no_branch(branch)

    start = tips.get(looked_at, tips["main"])
    if looked_at not in tips:
        start.branch = looked_at
    return [
        f"{problem.branch}:{problem.path}:{problem.line} {problem.level}: {problem.message}"
        for problem in validate(start, load_config, NOW, read).problems
    ]


def test_overlays_of_other_branches_are_looked_at() -> None:
    """A fault on production is told with its branch; a stray copy on main is nobody's."""
    broken = {PROD: b"images: [broken\n"}

    assert [] == check_branches({}, {})
    assert [] == check_branches(broken, {})
    (problem,) = check_branches({}, broken)
    assert problem.startswith(f"production:{PROD}:")


def test_feature_branch_stands_for_the_top_level_one() -> None:
    """What is about to become main is looked at as main, beside production."""
    (problem,) = check_branches({DEV: b"images: [broken\n"}, {}, looked_at="feature/x")

    assert problem.startswith(f"None:{DEV}:")


def test_checkout_of_an_environments_branch() -> None:
    """It stands for that environment; the others are read from the top-level branch."""
    broken = {PROD: b"images: [broken\n", DEV: b"images: [broken\n"}
    (problem,) = check_branches({}, broken, looked_at="production")

    assert problem.startswith(f"None:{PROD}:")


@pytest.mark.parametrize(
    ("production", "expected"),
    [
        (None, "error: prod lives on branch production: no branch production in memory"),
        (Unavailable("no network"), "warning: prod lives on branch production: no network"),
    ],
)
def test_branch_that_cannot_be_read(production: GitopsError | None, expected: str) -> None:
    """A missing branch is an error at the environment's line, a silent server a warning."""
    assert [f"None:gitops.yaml:6 {expected}"] == check_branches({}, production)


def test_holds_that_hold_nothing_where_they_are() -> None:
    """A hold of prod on main, and one of everything on production, are read by nobody."""
    strays = {".gitops/holds/prod.yaml": HOLD}
    own = {".gitops/holds/prod.yaml": HOLD, ".gitops/hold.yaml": HOLD}

    assert [
        "None:.gitops/holds/prod.yaml:1 warning: holds nothing: prod lives on production",
        "production:.gitops/hold.yaml:1 warning: holds nothing: the hold of everything is read "
        "from the top-level branch",
        "production:.gitops/holds/dev.yaml:1 warning: holds nothing: dev lives on the top-level "
        "branch",
    ] == check_branches(strays, own | {".gitops/holds/dev.yaml": HOLD})


def test_config_that_nobody_reads() -> None:
    """Another gitops.yaml on production is told; the same one is not worth a word."""
    assert [
        "production:gitops.yaml:1 warning: nothing reads this copy: policy is read from main"
    ] == check_branches({}, {"gitops.yaml": b"kind: Config\n"})


def test_images_before_are_compared_across_branches() -> None:
    """What prod wants and dev does not have is told at production's file."""
    more = b"images:\n- {name: shop/api, newTag: v1}\n- {name: shop/web, newTag: v1}\n"
    found = check_branches(
        {}, {PROD: more + b"resources: [all.yaml]\n", "overlays/prod/all.yaml": WEB}
    )

    assert [
        f"production:{PROD}:3 warning: shop/web is not in dev, where prod wants it first"
    ] == found
