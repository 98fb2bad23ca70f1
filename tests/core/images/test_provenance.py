"""Where an image says that it comes from, and when that counts."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from gitops.core.images.manifest import (
    OCI_INDEX,
    OCI_MANIFEST,
    REVISION,
    SOURCE,
    ImageConfig,
    ImageInfo,
    Manifest,
    PlatformImage,
)
from gitops.core.images.provenance import (
    BASE_DIGEST,
    BASE_NAME,
    Expected,
    SourceClaim,
    built_on,
    judge_claim,
    read_claim,
)
from gitops.core.images.signed import read_envelope, read_payload, read_statement, signature_tag

URL = "https://git.example.com/shop/api.git"
COMMIT = "5f2c5f2c" * 5
OTHER = "91c091c0" * 5
DIGEST = "sha256:" + "ab" * 32
OURS = {SOURCE: "https://git.example.com/shop/api", REVISION: COMMIT}
THEIRS = {SOURCE: "https://github.com/nginx/nginx", REVISION: OTHER}


def info(
    *labels: Mapping[str, str],
    index: Mapping[str, str] | None = None,
    manifest: Mapping[str, str] | None = None,
) -> ImageInfo:
    """An index with an image for each of `labels`."""
    images = tuple(
        PlatformImage(
            Manifest(DIGEST, OCI_MANIFEST, 1, annotations=manifest or {}),
            ImageConfig(None, one),
            None,
        )
        for one in labels
    )
    return ImageInfo(Manifest(DIGEST, OCI_INDEX, 1, annotations=index or {}), images)


@pytest.mark.parametrize(
    ("image", "by"),
    [
        (info(THEIRS, THEIRS, index=OURS, manifest=THEIRS), "annotation"),
        (info(THEIRS, THEIRS, manifest=OURS), "annotation"),
        (info(OURS, OURS), "label"),
    ],
)
def test_where_it_is_looked_for(image: ImageInfo, by: str) -> None:
    """Annotations of the index go before those of its images, and these before labels."""
    found = read_claim(image)
    assert isinstance(found, SourceClaim)
    assert (found.revision, found.by) == (COMMIT, by)
    assert judge_claim(found, Expected(URL, COMMIT)) is None


@pytest.mark.parametrize(
    "source", ["git@git.example.com:shop/api.git", "ssh://git.example.com/shop/api"]
)
def test_a_repository_is_known_by_any_address(source: str) -> None:
    """However it is written."""
    assert judge_claim(SourceClaim(source, COMMIT[:9], "label"), Expected(URL, COMMIT)) is None


def test_a_label_of_the_base_image_is_no_wrong_commit() -> None:
    """Of another repository nothing is believed: what it says is told, and not its commit."""
    against = judge_claim(read_claim(info(THEIRS)), Expected(URL, COMMIT))
    assert against is not None
    assert "comes from https://github.com/nginx/nginx" in against
    assert OTHER[:7] not in against


def test_what_is_inherited_proves_nothing() -> None:
    """A base image of the same repository has the same source: its commit is not ours."""
    told = read_claim(info(OURS), inherited=[OURS])
    assert told == "its labels are those of its base image, and prove nothing"
    assert isinstance(read_claim(info(OURS), inherited=[{**OURS, REVISION: OTHER}]), SourceClaim)
    assert isinstance(read_claim(info({}, index=OURS), inherited=[OURS]), SourceClaim)


def test_platforms_must_agree() -> None:
    """Another commit for one platform, or none at all, is no proof."""
    for other in ({**OURS, REVISION: OTHER}, {}):
        assert "do not say the same" in str(read_claim(info(OURS, other)))


@pytest.mark.parametrize("revision", ["", "main", "5f2c", "x" * 40, "v1.2.3"])
def test_no_commit_is_none(revision: str) -> None:
    """A branch, a tag or too few digits name no commit."""
    assert "does not say where" in str(read_claim(info({**OURS, REVISION: revision})))


def test_another_commit() -> None:
    """Both are told, short."""
    found = judge_claim(SourceClaim(URL, OTHER, "label"), Expected(URL, COMMIT))
    assert found == f"it was built from {OTHER[:7]}, and not from {COMMIT[:7]}"


@pytest.mark.parametrize(
    ("name", "digest", "expected"),
    [
        ("docker.io/library/debian:12", "", "12"),
        ("debian.example.com:5000/debian", "", "latest"),
        ("docker.io/library/debian:12", DIGEST, DIGEST),
        ("docker.io/library/debian:12", "sha256:short", "12"),
        ("debian", "", None),
    ],
)
def test_base_images(name: str, digest: str, expected: str | None) -> None:
    """A base image is what annotations name; a port is no tag."""
    found = built_on(info({}, manifest={BASE_NAME: name, BASE_DIGEST: digest}))
    assert (found.reference if found else None) == expected


def statement(subject: str = DIGEST, **predicate: Any) -> bytes:
    """A statement of SLSA's provenance about one digest."""
    version = "v1" if "buildDefinition" in predicate else "v0.2"
    algorithm, _, value = subject.partition(":")
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "x", "digest": {algorithm: value}}],
            "predicateType": f"https://slsa.dev/provenance/{version}",
            "predicate": predicate,
        }
    ).encode()


GIT = f"git+{URL}@refs/heads/main"
VCS = {"vcs": {"source": URL, "revision": COMMIT}}


@pytest.mark.parametrize(
    "predicate",
    [
        {"invocation": {"configSource": {"uri": GIT, "digest": {"sha1": COMMIT}}}},
        {"metadata": {"https://mobyproject.org/buildkit@v1#metadata": VCS}},
        {
            "buildDefinition": {
                "resolvedDependencies": [{"uri": GIT, "digest": {"gitCommit": COMMIT}}]
            },
            "runDetails": {"builder": {"id": "https://builder.example.com"}},
        },
    ],
)
def test_statements_of_builds(predicate: dict[str, Any]) -> None:
    """GitHub's, BuildKit's and the plain form of SLSA say the same in three places."""
    found = read_statement(statement(**predicate), DIGEST)
    (claim,) = found.claims
    assert judge_claim(claim, Expected(URL, COMMIT)) is None


def test_a_statement_about_another_image() -> None:
    """It counts for no image but its own."""
    with pytest.raises(ValueError, match="about another image"):
        read_statement(statement("sha256:" + "cd" * 32), DIGEST)


def test_what_is_signed_in_an_envelope() -> None:
    """The type with its length, and the payload with its own: DSSE's own example, with ours."""
    payload = statement()
    kind = "application/vnd.in-toto+json"
    envelope = {
        "payloadType": kind,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"sig": "AA=="}],
    }
    for whole in (envelope, {"mediaType": "x", "dsseEnvelope": envelope}):
        signed, told = read_envelope(json.dumps(whole).encode(), DIGEST)
        assert signed.content == b"DSSEv1 28 %s %d %s" % (kind.encode(), len(payload), payload)
        assert signed.signatures == (b"\0",)
        assert told.subjects == {DIGEST}


def payload(digest: str = DIGEST, kind: str = "cosign container image signature") -> bytes:
    """What cosign signs."""
    return json.dumps(
        {"critical": {"type": kind, "image": {"docker-manifest-digest": digest}}}
    ).encode()


def test_payloads_of_cosign() -> None:
    """A signature of another image, or of something else, is none of this one."""
    assert read_payload(payload(), "AA==", DIGEST).signatures == (b"\0",)
    for content, sign in (
        (payload("sha256:" + "cd" * 32), "AA=="),
        (payload(kind="x"), "AA=="),
        (payload(), "no base64!"),
        (b"[" * 100_000, "AA=="),
        (b'{"critical": 1}', "AA=="),
    ):
        with pytest.raises(ValueError, match="it "):
            read_payload(content, sign, DIGEST)
    assert signature_tag(DIGEST, "sig") == f"sha256-{'ab' * 32}.sig"
