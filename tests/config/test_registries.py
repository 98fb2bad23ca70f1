"""`registries:`, `pin:` and `platforms:` of gitops.yaml."""

from __future__ import annotations

from datetime import timedelta

import jsonschema
import pytest
from ruamel.yaml import YAML

from gitops.config import config_schema, load_config
from gitops.core.environments.environment import Provenance, RegistryRules
from gitops.core.environments.image_rules import SignerIdentity
from gitops.core.environments.rows import CleanupRow
from gitops.errors import ConfigError

TEXT = """\
apiVersion: gitops/v1
kind: Config
environments:
  - {{name: stage, overlay: o/stage{stage}}}
  - {{name: prod, overlay: o/prod, after: [stage]{prod}}}
{top}
"""


def text(stage: str = "", prod: str = "", top: str = "") -> bytes:
    """Return a file with these further keys."""
    return TEXT.format(
        stage=f", {stage}" if stage else "", prod=f", {prod}" if prod else "", top=top
    ).encode()


def test_nothing_said_asks_nobody() -> None:
    """Without the keys images are written as they were asked for."""
    found = load_config(text())
    assert (found.registries, [row.pin for row in found.environments]) == (None, ["tag", "tag"])


def test_what_is_said_is_read() -> None:
    """The words of the documentation."""
    top = "registries: {unavailable: refuse, hosts: [Registry.example.com, '127.0.0.1:5000']}"
    keys = "pin: both, platforms: [linux/amd64, linux/arm64/v8]"
    found = load_config(text(keys, keys, top))
    assert found.registries == RegistryRules(True, ("registry.example.com", "127.0.0.1:5000"))
    assert found.environments[1].pin == "both"
    assert found.environments[1].platforms == ("linux/amd64", "linux/arm64/v8")
    assert load_config(text(top="registries: {}")).registries == RegistryRules()


def test_proofs_that_are_asked_for() -> None:
    """An environment's own word goes first; keys are there to be asked for."""
    top = "provenance: {required: true}"
    found = load_config(text("provenance: {keys: [cosign.pub]}", "provenance: {}", top))
    first, second = found.environments
    assert found.provenance_of(first) == Provenance(True, ("cosign.pub",))
    assert found.provenance_of(second) == Provenance(False)
    plain = load_config(text(top=top))
    assert plain.provenance_of(plain.environments[0]) == Provenance(True)
    assert load_config(text()).provenance == Provenance(False)


def test_certificates_that_count() -> None:
    """Identities ask for a signature as keys do."""
    row = "{issuer: 'https://id.example.com', identity: 'https://git.example.com/shop/**'}"
    top = f"provenance: {{identities: [{row}], trustedRoot: .gitops/root.json}}"
    found = load_config(text(top=top)).provenance
    who = SignerIdentity("https://id.example.com", "https://git.example.com/shop/**")
    assert Provenance(True, (), (who,), ".gitops/root.json") == found
    assert found.asks_for_signature


WRONG = {
    text(top="provenance: {identities: []}"): "",
    text(top="provenance: {identities: [{issuer: 'https://a.b'}]}"): "identity: is missing",
    text(top="provenance: {identities: [{issuer: a.b, identity: a@b.c}]}"): "is no issuer",
    text(top="provenance: {identities: [{issuer: 'https://a.b', identity: 'a b'}]}"): "is no ident",
    text(top="provenance: true"): "must be a mapping",
    text(top="provenance: {keys: ['../x']}"): "",
    text(top="provenance: {required: maybe}"): "must be",
    text(top="registries: {unavailable: maybe}"): "must be warn or refuse",
    text(top="registries: {hosts: ['https://a.b']}"): "is no host",
    text(top="registries: {hosts: [a b]}"): "is no host",
    text(top="registries: [a.b]"): "must be a mapping",
    text("pin: always"): "must be tag, digest or both",
    text("platforms: [arm]"): "is no platform, like linux/amd64",
    text("platforms: []"): "",
}


@pytest.mark.parametrize("content", WRONG)
def test_what_is_wrong_is_said(content: bytes) -> None:
    """With its place; editors see it by the schema."""
    with pytest.raises(ConfigError) as caught:
        load_config(content)
    assert WRONG[content] in str(caught.value.reasons)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(YAML(typ="safe").load(content), config_schema())


@pytest.mark.parametrize(
    ("provenance", "words"),
    [
        ("{identities: [{issuer: 'https://a.b', identity: '**@*'}]}", "is true of anybody"),
        ("{keys: [a.pub], trustedRoot: root.json}", "is only read with `identities`"),
    ],
)
def test_trust_that_asks_for_nobody(provenance: str, words: str) -> None:
    """A pattern that anybody fits, and a root that nobody reads."""
    with pytest.raises(ConfigError) as caught:
        load_config(text(top=f"provenance: {provenance}"))
    assert words in str(caught.value.reasons)


@pytest.mark.parametrize("stage", ["", "pin: both"])
def test_pins_that_no_promotion_could_compare(stage: str) -> None:
    """`after` compares tag and digest: an environment before must keep the same of them."""
    with pytest.raises(ConfigError) as caught:
        load_config(text(stage, "pin: digest"))
    assert "is digest, and `pin` of stage is" in str(caught.value.reasons)
    assert load_config(text("pin: both", "pin: tag")).environments[1].pin == "tag"


def test_cleanup_is_read() -> None:
    """The row of the documentation, and what is left out."""
    row = (
        '{images: ["shop/*"], tags: "feature-*", branches: ["feature/**"], olderThan: 14d, keep: 3}'
    )
    found = load_config(text(top=f"cleanup: [{row}]")).cleanup
    wanted = CleanupRow(("shop/*",), "feature-*", ("feature/**",), timedelta(days=14), 3, 20)
    assert found == (wanted,)
    assert load_config(text()).cleanup == ()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("{images: ['*'], tags: 'feature-*'}", "needs `branches`, or `olderThan`"),
        ("{images: [], tags: x, olderThan: 1d}", "images"),
        ("{tags: x, olderThan: 1d}", "images: is missing"),
        ("{images: [a], olderThan: 1d}", "tags: is missing"),
        ("{images: [a], tags: 'a b', olderThan: 1d}", "is no pattern"),
        ("{images: [a], tags: x, olderThan: soon}", "is no duration"),
        ("{images: [a], tags: x, olderThan: 1d, releases: 0}", "from 1 to 10000"),
        ("{images: [a], tags: x, branches: ['refs/heads/a']}", "write the short name"),
    ],
)
def test_a_cleanup_that_would_take_too_much_is_refused(row: str, words: str) -> None:
    """A pattern alone takes new builds, too; no release to go back to is no choice."""
    with pytest.raises(ConfigError) as caught:
        load_config(text(top=f"cleanup: [{row}]"))
    assert words in str(caught.value.reasons)
