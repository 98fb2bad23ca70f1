"""Which folder of an existing repository is which environment."""

from __future__ import annotations

import pytest

from gitops.config import load_config
from gitops.core.environments.layout import (
    KustomizedFolder,
    Layout,
    find_layout,
    kind_of,
    overlays_among,
    render_config,
    word_of,
)


def found(*paths: str, **named: str) -> Layout:
    """Find the layout of folders; one that begins with `!` pins no image."""
    folders = [
        KustomizedFolder(path.lstrip("!"), () if path.startswith("!") else ("web",))
        for path in paths
    ]
    return find_layout(folders, {path.replace("__", "/"): name for path, name in named.items()})


LAYOUTS: dict[str, tuple[list[str], dict[str, str]]] = {
    "overlays": (
        ["overlays/dev", "overlays/prod", "!base"],
        {"dev": "overlays/dev", "prod": "overlays/prod"},
    ),
    "several of a kind by number": (
        ["envs/prod1", "envs/dev1", "envs/dev2", "!base"],
        {"dev1": "envs/dev1", "dev2": "envs/dev2", "prod1": "envs/prod1"},
    ),
    "below a folder for all there is": (
        ["k8s/overlays/dev", "k8s/overlays/prod"],
        {"dev": "k8s/overlays/dev", "prod": "k8s/overlays/prod"},
    ),
    "an app at the root": (
        ["web/overlays/dev", "api/overlays/dev", "web/overlays/prod", "!web/base"],
        {"dev": "{app}/overlays/dev", "prod": "{app}/overlays/prod"},
    ),
    "one app at the root": (
        ["web/overlays/dev", "web/overlays/prod"],
        {"dev": "{app}/overlays/dev", "prod": "{app}/overlays/prod"},
    ),
    "apps": (
        ["apps/web/overlays/staging", "apps/web/overlays/production", "apps/api/overlays/staging"],
        {"staging": "apps/{app}/overlays/staging", "production": "apps/{app}/overlays/production"},
    ),
    "the environment first": (
        ["dev/web", "dev/api", "prod/web"],
        {"dev": "dev/{app}", "prod": "prod/{app}"},
    ),
    "clusters": (
        ["clusters/dev/apps/web", "clusters/prod/apps/web", "!clusters/prod", "!clusters/dev"],
        {"dev": "clusters/dev/apps/{app}", "prod": "clusters/prod/apps/{app}"},
    ),
    "environments with regions": (
        ["environments/dev/web", "environments/prod-eu/web", "environments/prod-us/web"],
        {
            "dev": "environments/dev/{app}",
            "prod-eu": "environments/prod-eu/{app}",
            "prod-us": "environments/prod-us/{app}",
        },
    ),
    "regions first": (
        ["overlays/eu-prod", "overlays/us-prod", "overlays/staging"],
        {
            "staging": "overlays/staging",
            "eu-prod": "overlays/eu-prod",
            "us-prod": "overlays/us-prod",
        },
    ),
    "apps in two places": (
        [
            *("overlays/dev/cart", "overlays/dev/mail", "overlays/prod/cart", "overlays/qa/cart"),
            *("fraud/envs/dev", "fx/envs/dev", "fx/envs/prod", "!charts/dev/redis"),
        ],
        {
            "dev": "overlays/dev/{app}, {app}/envs/dev",
            "qa": "overlays/qa/{app}",
            "prod": "overlays/prod/{app}, {app}/envs/prod",
        },
    ),
    "an app that is called like one": (
        [
            "apps/test-run/overlays/prod",
            "apps/test-run/overlays/qa",
            "apps/web/overlays/prod",
        ],
        {"qa": "apps/{app}/overlays/qa", "prod": "apps/{app}/overlays/prod"},
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name: str) -> None:
    """The layouts that teams have are found, in the order in which images go through them."""
    paths, wanted = LAYOUTS[name]
    layout = found(*paths)

    assert list(wanted.items()) == [
        (row.name, ", ".join(row.patterns)) for row in layout.environments
    ]
    assert layout.unknown == ()


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_written_can_be_read(name: str) -> None:
    """The proposal is a valid `gitops.yaml` that says what was found."""
    layout = found(*LAYOUTS[name][0])
    config = load_config(render_config(layout).encode())

    assert [(row.name, row.patterns, row.after) for row in layout.environments] == [
        (row.name, row.patterns, row.after) for row in config.environments
    ]


def test_apps_whose_base_pins_the_image() -> None:
    """Their place is one of the environment's too; the base is no folder that nobody knows."""
    folders = [
        KustomizedFolder("overlays/dev/cart", ("cart",)),
        KustomizedFolder("overlays/dev/mail", ("mail",)),
        KustomizedFolder("fraud/envs/dev", (), ("fraud/base", "fraud/envs/patch.yaml")),
        KustomizedFolder("fraud/base", ("fraud",), ("fraud/base", "fraud/base/deploy.yaml")),
        KustomizedFolder("flux/dev/system", (), ("flux/dev/system/gotk.yaml",)),
    ]
    layout = find_layout(folders)

    assert ("overlays/dev/{app}", "{app}/envs/dev") == layout.environments[0].patterns
    assert ((), ("fraud/envs/dev",)) == (layout.unknown, layout.unpinned)


def test_apps_that_no_branch_can_be_named_after() -> None:
    """They are left out, so that what is written is a configuration that counts."""
    layout = found("ledger/envs/dev", "fx/envs/dev", "dev/envs/dev", "fx/envs/prod")
    config = load_config(render_config(layout).encode())

    assert ("ledger", "dev") == layout.ignored
    assert [True, False] == [
        config.environments[0].ignores(one) for one in ("ledger/envs/dev", "fx/envs/dev")
    ]
    assert ("fx/envs/dev", "fx/envs/prod") == overlays_among(
        layout, ["ledger/envs/dev", "fx/envs/dev", "fx/envs/prod", "dev/envs/dev"]
    )


@pytest.mark.parametrize(
    "app", ["my app", "x*", "a:b", "-x", "x.lock", "a..b", "[x]", r"a\\b", "{app}", 'a"b:']
)
def test_apps_whose_names_no_branch_can_have(app: str) -> None:
    """Beside others they are left out; what is written has a way for the rest, and is read."""
    layout = found(f"{app}/envs/dev", "fx/envs/dev")
    (row,) = load_config(render_config(layout).encode()).environments

    assert ((app,), ("{app}/envs/dev",)) == (layout.ignored, row.patterns)
    assert row.ignores(f"{app}/envs/dev")
    assert not row.ignores("fx/envs/dev")


def test_the_only_app_may_have_any_name() -> None:
    """Alone it needs no branch of its own: its folder is the overlay."""
    layout = found("my app/envs/dev", "my app/envs/prod")

    assert ["my app/envs/dev", "my app/envs/prod"] == [row.overlay for row in layout.environments]
    assert layout.ignored == ()


def test_what_is_not_understood_is_told() -> None:
    """Folders with images that nobody names like an environment, and overlays without images."""
    layout = found("overlays/prod", "infra/redis", "!overlays/dev", "!base")

    assert layout.unknown == ("infra/redis",)
    assert layout.unpinned == ("overlays/dev",)


def test_an_application_tells() -> None:
    """A folder that is named like nothing is what the Application that reads it is called."""
    layout = found("k8s/blue", "k8s/green", k8s__blue="prod")

    assert [("prod", "k8s/blue")] == [(row.name, row.overlay) for row in layout.environments]
    assert layout.unknown == ("k8s/green",)


def test_prod_comes_after_the_nearest_environment() -> None:
    """Where there is no stage, prod asks for what the last test environment has."""
    assert [(), (), ("qa",)] == [
        row.after for row in found("envs/prod", "envs/dev", "envs/qa").environments
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("prod", "prod"),
        ("live", "prod"),
        ("prod-eu-west-1", "prod"),
        ("pre-prod", "stage"),
        ("qa", "test"),
        ("development", "dev"),
        ("web", None),
        ("dev-prod", None),
    ],
)
def test_kinds(name: str, kind: str | None) -> None:
    """A name tells what an environment is for, also with a region; two such words tell nothing."""
    assert kind == kind_of(name)


def test_words_of_applications() -> None:
    """`shop-prod` is about prod; `shop` and `dev-to-prod` tell nothing."""
    assert ["prod", None, None] == [word_of(one) for one in ("shop-prod", "shop", "dev-to-prod")]


@pytest.mark.parametrize(
    ("paths", "accepts"),
    [
        (["o/dev", "o/prod"], ("main",)),
        (["o/dev", "o/stage", "o/prod"], ("release/{version}",)),
        (["o/prod"], ("release/{version}",)),
    ],
)
def test_prod_takes_what_its_way_brings(paths: list[str], accepts: tuple[str, ...]) -> None:
    """Without a stage images of main go to prod: a policy that refuses them would help nobody."""
    config = load_config(render_config(found(*paths)).encode())

    assert accepts == config.environments[-1].accepts
