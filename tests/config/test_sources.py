"""`images:` and `follow:` of gitops.yaml: where images are built from, which release counts."""

from __future__ import annotations

import pytest

from gitops.config import load_config
from gitops.errors import ConfigError

HEAD = """\
apiVersion: gitops/v1
kind: Config
environments:
  - {name: stage, overlay: overlays/stage, follow: any}
  - {name: prod, overlay: overlays/prod}
images:
"""


def test_sources_and_follow_become_values() -> None:
    """Each image has its repository, and an environment follows the newest release by default."""
    rows = (
        "  - {name: shop/api, source: 'https://git.example.com/shop/api.git'}\n"
        "  - {name: shop/web, source: 'git@git.example.com:shop/web.git'}\n"
    )
    config = load_config((HEAD + rows).encode())

    assert {
        "shop/api": "https://git.example.com/shop/api.git",
        "shop/web": "git@git.example.com:shop/web.git",
    } == config.sources
    assert ["any", "newest"] == [row.follow for row in config.environments]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("{name: shop/api, source: 'https://ana:hunter2@git.example.com/api'}", "holds a password"),
        ("{name: shop/api, source: '--upload-pack=x'}", "is not the URL of a repository"),
        ("{name: shop/api, source: 'ext::sh -c x'}", "is not the URL of a repository"),
        ("{name: 'shop/api:1.4', source: 'https://x.example.com/a'}", "is not an image's name"),
        ("{name: shop/api}", "source"),
    ],
)
def test_wrong_sources_are_told(row: str, problem: str) -> None:
    """What is no URL, holds a password or would be an option to Git is refused, without secret."""
    with pytest.raises(ConfigError) as caught:
        load_config((HEAD + f"  - {row}\n").encode())

    (reason,) = caught.value.reasons
    assert problem in reason
    assert "hunter2" not in reason


def test_an_image_has_one_source() -> None:
    """A second row for an image is told with the line of the first."""
    row = "  - {name: shop/api, source: 'https://x.example.com/a'}\n"
    with pytest.raises(ConfigError) as caught:
        load_config((HEAD + row + row).encode())

    assert "there is shop/api already, on line 7" in caught.value.reasons[0]
