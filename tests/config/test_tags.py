"""`images[].on`, `tags` and `order` of gitops.yaml."""

from __future__ import annotations

import jsonschema
import pytest
import yaml

from gitops.config import config_schema, load_config
from gitops.core.environments.tag_rules import TagRow, TagRule
from gitops.errors import ConfigError

START = """\
apiVersion: gitops/v1
kind: Config
environments: [{name: dev, overlay: o/dev}]
images:
  - name: shop/api
"""
TAGS = """\
    on: push
    order: version
    tags:
      - {match: "main-{number}-*", branch: main}
      - {match: "{version}.{number}", branch: "release/{version}"}
"""


def test_rules_become_values() -> None:
    """The order is `created` where nobody says another; `on: never` switches off."""
    rows = (
        TagRow("main-{number}-*", "main"),
        TagRow("{version}.{number}", "release/{version}"),
    )
    assert {"shop/api": TagRule(rows, "version", True)} == load_config(
        (START + TAGS).encode()
    ).tag_rules
    off = TAGS.replace("push", "never").replace("    order: version\n", "")
    assert {"shop/api": TagRule(rows)} == load_config((START + off).encode()).tag_rules
    assert (
        {}
        == load_config(START.replace("images:", "ignore:").split("ignore:")[0].encode()).tag_rules
    )


def test_editors_know_the_keys() -> None:
    """The schema takes what is right and refuses what no pattern is."""
    schema = config_schema()
    # YAML 1.1 reads `on` as true; what an editor hands to the schema is the word.
    told = yaml.load(START + TAGS, Loader=yaml.BaseLoader)
    jsonschema.validate(told, schema)
    told["images"][0]["tags"][0]["match"] = "main/*"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(told, schema)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("main-{number}-*", "main/*", "9:17: images[0].tags[0].match: 'main/*' is no pattern"),
        ("main-{number}-*", "main-{x}", "9:17: images[0].tags[0].match: 'main-{x}': unknown '{x}'"),
        ("branch: main", "branch: refs/heads/main", "write the short name, 'main'"),
        ("branch: main", "branch: main..x", "'main..x' is no source branch"),
        ("branch: main", 'branch: "r/{version}"', "`match` has none"),
        ("main-{number}-*", "main-*", "has neither {number} nor {version}"),
        ("{version}.{number}", "r-{version}-*", "needs {number}, too"),
        ('"release/{version}"', "main", "10:47: images[0].tags[1].branch: numbers of two rows"),
        ("    on: push\n", "", "8:7: images[0].tags: says which tags there are, and nothing"),
        ("on: push", "on: pull", "6:9: images[0].on: must be push or never, not 'pull'"),
        (TAGS[TAGS.index("    order") :], "", "6:9: images[0].on: push needs `tags`"),
        ("order: version", "order: newest", "7:12: images[0].order: must be created or version"),
        ("      - {match", "      - {mach", "unknown key; did you mean match?"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(old: str, new: str, words: str) -> None:
    """A rule that cannot work is no rule."""
    text = START + TAGS.replace(old, new, 1)
    with pytest.raises(ConfigError) as caught:
        load_config(text.encode())
    assert words in "\n".join(caught.value.reasons)


def test_registries_may_deploy_and_nothing_else() -> None:
    """`registry:HOST` is somebody of `access:`; a word that is no host is nobody."""
    row = 'access: [{may: [deploy], environments: [dev], who: ["registry:127.0.0.1:5000"]}]\n'
    config = load_config((START + TAGS + row).encode())
    assert ("registry:127.0.0.1:5000",) == config.access[0].who
    for old, new, words in (
        ("[deploy]", "[deploy, rollback]", "a registry may `deploy` what is pushed there"),
        ("registry:127.0.0.1:5000", "registry:ghcr.io/shop", "is nobody"),
    ):
        with pytest.raises(ConfigError) as caught:
            load_config((START + TAGS + row.replace(old, new)).encode())
        assert words in "\n".join(caught.value.reasons)
