"""`provenance:` in gitops.yaml: images must have been built from what they are said to be."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace

from fake_registry import MemoryRegistry
from forge_world import PROD, STAGE, make_world
from gitops.actions.approve import ApproveRequest, approve
from gitops.actions.context.named import Named
from gitops.actions.context.session import Session
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.history import history
from gitops.actions.promote import PromoteRequest, promote
from gitops.actions.status import status
from gitops.adapters.registry.verify import ImageSignatures
from gitops.core.images.manifest import OCI_MANIFEST, REVISION, SOURCE, digest_of
from gitops.core.images.name import ImageName
from gitops.core.images.provenance import BASE_NAME
from gitops.core.images.signed import ENVELOPE, PAYLOAD, SIGNATURE, signature_tag
from gitops.core.report import WriteReport
from gitops.errors import Refused, Unavailable
from images import Pushed, push_image, push_referrer
from keyless import BUNDLE_TYPE, ISSUER, WORKFLOW, Keyless, statement

API = ImageName("registry.example.com", "shop/api")
BASE = ImageName("registry.example.com", "base/python")
URL = "https://git.example.com/shop/api.git"
COMMIT = "5f2c5f2c" * 5
OTHER = "91c091c0" * 5
OURS = {SOURCE: "https://git.example.com/shop/api", REVISION: COMMIT}


class Sources:
    """One source repository."""

    def __init__(self) -> None:
        self.branches = {"main": COMMIT, "release/1.5": COMMIT}

    def heads(self, url: str) -> Mapping[str, str]:
        return self.branches

    def find(self, url: str, branch: str, commit: str) -> str | None:
        return commit if commit == self.branches.get(branch) else None

    def is_older(self, url: str, branch: str, commit: str, than: str) -> bool:
        return False

    def times(
        self, url: str, commits: Collection[str], *, typed: bool = False
    ) -> Mapping[str, datetime]:
        return {}

    def create_branch(self, url: str, branch: str, commit: str, start: str) -> bool:
        return False


class Shop:
    """A world whose images are in a registry, and must prove where they come from."""

    def __init__(self, rule: str = "{required: true}") -> None:
        top = f"provenance: {rule}\nimages: [{{name: shop/api, source: '{URL}'}}]"
        self.world = make_world('accepts: ["release/*"]', top, approvals=None)
        pins = f"images:\n  - name: shop/api\n    newName: {API}\n    newTag: '1.4.0'\n".encode()
        self.world.repository.commit({STAGE: pins, PROD: pins}, "begin\n")
        self.registry = MemoryRegistry()
        self.sources = Sources()

    def push(self, tag: str, **more: Mapping[str, str]) -> Pushed:
        """Push an image."""
        return push_image(self.registry, API, tag, salt=tag, **more)  # type: ignore[arg-type]

    def session(self) -> Session:
        """A call that may ask."""
        return replace(
            self.world.session(),
            registry=self.registry,
            sources=self.sources,
            signatures=ImageSignatures(),
        )

    def deploy(self, tag: str = "1.5.0", **more: object) -> WriteReport:
        """Deploy an image to stage, built from COMMIT of release/1.5."""
        known: dict[str, object] = {"ref": "release/1.5", "commit": COMMIT, **more}
        request = DeployRequest((f"shop/api:{tag}",), ("stage",), **known)  # type: ignore[arg-type]
        return deploy(self.session(), request)

    def message(self) -> str:
        """What the newest commit says."""
        return self.world.repository.commits[self.world.repository.head() or ""].info.message


@pytest.fixture
def shop() -> Shop:
    """A shop."""
    return Shop()


def test_a_proved_image_goes(shop: Shop) -> None:
    """What it says agrees with what is deployed, and the commit records it."""
    shop.push("1.5.0", annotations=OURS)
    assert "committed" == shop.deploy().outcome
    line = f"Gitops-Provenance: shop/api git.example.com/shop/api@{COMMIT} (annotation)"
    assert line in shop.message()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "it does not say where it was built from"),
        ({**OURS, REVISION: OTHER}, "it was built from 91c091c, and not from 5f2c5f2"),
        ({**OURS, SOURCE: "https://evil.example.com/x"}, "comes from https://evil.example.com/x"),
    ],
)
def test_what_does_not_agree_is_refused(shop: Shop, said: Mapping[str, str], words: str) -> None:
    """The reason says what it is, and an override passes and records it."""
    shop.push("1.5.0", labels=said)
    head = shop.world.repository.head()
    with pytest.raises(Refused) as caught:
        shop.deploy()
    assert words in str(caught.value) + str(caught.value.reasons)
    assert head == shop.world.repository.head()

    shop.deploy(override="built by hand")
    assert "Gitops-Override: built by hand (passed: stage: shop/api is not proved" in shop.message()


def test_labels_of_the_base_image(shop: Shop) -> None:
    """A base that was built from the same repository passes its labels on: no proof."""
    push_image(shop.registry, BASE, "3", labels=OURS)
    named = {BASE_NAME: f"{BASE}:3"}
    shop.push("1.5.0", labels=OURS, annotations=named)
    with pytest.raises(Refused, match="labels are those of its base image"):
        shop.deploy()


def test_a_registry_that_does_not_answer(shop: Shop) -> None:
    """Silence proves nothing."""

    def fault(verb: str) -> None:
        raise Unavailable("registry.example.com is away")

    shop.registry.fault = fault
    with pytest.raises(Refused, match=r"was not looked at: registry\.example\.com is away"):
        shop.deploy()


def test_a_promotion_takes_what_was_tested(shop: Shop) -> None:
    """The commit that stage recorded is what the image must say, also when its tag moved."""
    shop.push("1.5.0", annotations=OURS)
    shop.deploy()
    shop.push("1.5.0", annotations={**OURS, REVISION: OTHER})
    with pytest.raises(Refused) as caught:
        promote(shop.session(), PromoteRequest(("prod",)))
    reason = "prod: shop/api is not proved: it was built from 91c091c, and not from 5f2c5f2"
    assert reason in caught.value.reasons


def test_no_commit_named(shop: Shop) -> None:
    """Then what it was built from must be on a branch that the environment takes."""
    shop.push("1.5.0", annotations={**OURS, REVISION: OTHER})
    with pytest.raises(Refused, match="91c091c is on no branch that stage accepts"):
        shop.deploy(ref=None, commit=None)
    shop.push("1.5.1", annotations=OURS)
    assert "committed" == shop.deploy("1.5.1", ref=None, commit=None).outcome


def test_an_approval_asks_again(shop: Shop) -> None:
    """A proposal whose image has become another one does not land; who looks asks nobody."""
    shop.push("1.5.0", annotations=OURS)
    shop.deploy()
    promote(shop.session(), PromoteRequest(("prod",)))
    shop.push("1.5.0", annotations={**OURS, REVISION: OTHER})
    asked = len(shop.registry.asked)
    status(shop.session(), ["prod"])
    assert asked == len(shop.registry.asked)

    with pytest.raises(Refused) as caught:
        approve(shop.session(), ApproveRequest(Named(("prod",))))
    assert "it was built from 91c091c" in str(caught.value) + str(caught.value.reasons)


def test_what_was_proved_is_shown_after_it_was_merged(shop: Shop) -> None:
    """Landing a proposal records what was proved then; history and status tell it."""
    shop.push("1.5.0", annotations=OURS)
    shop.deploy()
    promote(shop.session(), PromoteRequest(("prod",)))
    shop.world.forge.approve(1, "ben")
    approve(shop.session(), ApproveRequest(Named(("prod",))))
    line = f"shop/api git.example.com/shop/api@{COMMIT} (annotation)"
    (newest, *_) = history(shop.session(), "prod").releases
    assert [line] == [str(proof) for proof in newest.proofs]
    (told,) = status(shop.session(), ["prod"]).overlays
    assert [line] == [str(proof) for proof in told.proofs]
    assert 1 == shop.message().count("Gitops-Provenance: ")


# `keys:`: one of them must have signed.

KEY = ec.generate_private_key(ec.SECP256R1())


def signed_shop() -> Shop:
    """A shop that asks for a signature, and the image that is signed."""
    made = Shop("{keys: [.gitops/cosign.pub]}")
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    made.world.repository.commit({".gitops/cosign.pub": public}, "key\n")
    return made


def sign(shop: Shop, digest: str, about: str, key: ec.EllipticCurvePrivateKey) -> None:
    """Push what `cosign sign --key` does for `digest`, about another image maybe."""
    critical = {
        "type": "cosign container image signature",
        "image": {"docker-manifest-digest": about},
    }
    content = json.dumps({"critical": critical, "optional": None}).encode()
    signature = base64.b64encode(key.sign(content, ec.ECDSA(SHA256()))).decode()
    config = b"{}"
    for blob in (content, config):
        shop.registry.put_blob(API, blob)
    layer = {"mediaType": PAYLOAD, "digest": digest_of(content), "size": len(content)}
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "x", "digest": digest_of(config), "size": 2},
        "layers": [{**layer, "annotations": {SIGNATURE: signature}}],
    }
    body = json.dumps(manifest).encode()
    shop.registry.put_manifest(API, signature_tag(digest, "sig"), body, OCI_MANIFEST)


def test_signed() -> None:
    """A signature of this image by the key lets it go, and is told."""
    shop = signed_shop()
    pushed = shop.push("1.5.0", annotations=OURS)
    sign(shop, pushed.digest, pushed.digest, KEY)
    assert "committed" == shop.deploy().outcome
    assert "(annotation, signed)" in shop.message()


@pytest.mark.parametrize("how", ["none", "another key", "another image"])
def test_not_signed(how: str) -> None:
    """No signature, one by somebody else, and one of another image are none."""
    shop = signed_shop()
    pushed = shop.push("1.5.0", annotations=OURS)
    if how == "another key":
        other = ec.generate_private_key(ec.SECP256R1())
        sign(shop, pushed.digest, pushed.digest, other)
    if how == "another image":
        sign(shop, pushed.digest, shop.push("1.4.9").digest, KEY)
    with pytest.raises(Refused, match=r"no key that `provenance\.keys` names has signed it"):
        shop.deploy()


def test_a_key_that_is_not_there() -> None:
    """What cannot be checked is not passed."""
    shop = Shop("{keys: [.gitops/none.pub]}")
    shop.push("1.5.0", annotations=OURS)
    with pytest.raises(Refused, match=r"names \.gitops/none\.pub, which is not there"):
        shop.deploy()


# Statements signed with a key (`cosign attest --key`), and certificates (`identities:`).

PROVENANCE = "https://slsa.dev/provenance/v1"
KEYS = {
    "ecdsa p-256": ec.generate_private_key(ec.SECP256R1()),
    "ecdsa p-384": ec.generate_private_key(ec.SECP384R1()),
    "rsa": rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}


def built(digest: str, commit: str = COMMIT) -> dict[str, object]:
    """What a build states of an image."""
    source = {"uri": "git+https://git.example.com/shop/api.git", "digest": {"gitCommit": commit}}
    return statement(digest, PROVENANCE, {"buildDefinition": {"resolvedDependencies": [source]}})


def seal(key: object, content: bytes) -> bytes:
    """Sign as cosign does with such a key."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(content, ec.ECDSA(SHA384() if key.key_size == 384 else SHA256()))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding.PKCS1v15(), SHA256())
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    return key.sign(content)


def attest(shop: Shop, digest: str, said: Mapping[str, object], key: object) -> None:
    """Push what `cosign attest --key` does: a statement in its envelope, at the tag for it."""
    payload, kind = json.dumps(said).encode(), "application/vnd.in-toto+json"
    content = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    sealed = base64.b64encode(seal(key, content)).decode()
    envelope = {
        "payloadType": kind,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": "", "sig": sealed}],
    }
    push_layer(shop, signature_tag(digest, "att"), ENVELOPE, json.dumps(envelope).encode())


def push_layer(shop: Shop, tag: str, kind: str, content: bytes) -> None:
    """Push a manifest with one layer."""
    for blob in (content, b"{}"):
        shop.registry.put_blob(API, blob)
    layer = {"mediaType": kind, "digest": digest_of(content), "size": len(content)}
    config = {"mediaType": "x", "digest": digest_of(b"{}"), "size": 2}
    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]}
    shop.registry.put_manifest(API, tag, json.dumps(body).encode(), OCI_MANIFEST)


@pytest.mark.parametrize("kind", KEYS)
def test_a_statement_signed_with_a_key(kind: str) -> None:
    """Keys of each kind sign; what the statement says goes before what the image says."""
    key = KEYS[kind]
    made = Shop("{keys: [.gitops/cosign.pub]}")
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    made.world.repository.commit({".gitops/cosign.pub": public}, "key\n")
    pushed = made.push("1.5.0", annotations={**OURS, REVISION: OTHER})
    other = made.push("1.5.1", annotations=OURS)

    attest(made, other.digest, built(pushed.digest), key)  # of another image
    with pytest.raises(Refused, match=r"no key that `provenance\.keys` names has signed it"):
        made.deploy("1.5.1")
    attest(made, pushed.digest, built(pushed.digest), key)
    assert "committed" == made.deploy().outcome
    assert f"@{COMMIT} (statement, signed)" in made.message()


AUTHORITY = Keyless()
ROW = f"{{issuer: '{ISSUER}', identity: '{WORKFLOW.replace('release/1.5', 'release/*')}'}}"
TRUST = f"{{identities: [{ROW}], trustedRoot: .gitops/root.json}}"


def certified_shop() -> Shop:
    """A shop that asks for the certificate of its own workflow."""
    made = Shop(TRUST)
    made.world.repository.commit({".gitops/root.json": AUTHORITY.root()}, "root\n")
    return made


def certify(shop: Shop, pushed: Pushed, bundle: Mapping[str, object]) -> None:
    """Push what `cosign sign` does: a bundle that refers to the image."""
    content = json.dumps(bundle).encode()
    push_referrer(shop.registry, API, pushed, artifact_type=BUNDLE_TYPE, content=content)


def test_signed_without_a_key() -> None:
    """The workflow that counts signed it: that goes, and who it was is recorded and shown."""
    shop = certified_shop()
    pushed = shop.push("1.5.0", annotations=OURS)
    certify(shop, pushed, AUTHORITY.bundle(statement(pushed.digest)))
    assert "committed" == shop.deploy().outcome
    assert f"(annotation, signed, by {WORKFLOW})" in shop.message()
    (told,) = status(shop.session(), ["stage"]).overlays
    assert [WORKFLOW] == [proof.signer for proof in told.proofs]


def test_what_a_certificate_says_of_sources() -> None:
    """A statement that it signs goes first; the certificate's own word is for silent images."""
    shop = certified_shop()
    said = shop.push("1.5.0", annotations={**OURS, REVISION: OTHER})
    ran_for = ("https://git.example.com/shop/api", COMMIT)
    certify(shop, said, AUTHORITY.bundle(built(said.digest), source=ran_for))
    assert "committed" == shop.deploy().outcome
    assert f"@{COMMIT} (statement, signed, by " in shop.message()

    silent = shop.push("1.5.1")
    certify(shop, silent, AUTHORITY.bundle(statement(silent.digest), source=ran_for))
    assert "committed" == shop.deploy("1.5.1").outcome
    assert f"@{COMMIT} (certificate, signed, by " in shop.message()


@pytest.mark.parametrize(
    ("bundle", "words"),
    [
        ({"identity": WORKFLOW.replace("shop/api/", "shop/web/")}, "it is signed by https://githu"),
        ({"identity": WORKFLOW + "/x"}, "it is signed by https://githu"),
        ({"issuer": "https://evil.example.com"}, r"\(https://evil\.example\.com\)"),
        ({"about": "another"}, "has signed it'"),
        ({"by": "another"}, "is not good"),
    ],
)
def test_certificates_that_do_not_count(bundle: dict[str, str], words: str) -> None:
    """Another workflow, another issuer, another image, another authority: refused, with why."""
    shop = certified_shop()
    pushed = shop.push("1.5.0", annotations=OURS)
    about = shop.push("1.4.9").digest if bundle.pop("about", None) else pushed.digest
    authority = Keyless() if bundle.pop("by", None) else AUTHORITY
    certify(shop, pushed, authority.bundle(statement(about), **bundle))
    with pytest.raises(Refused) as caught:
        shop.deploy()
    told = str(caught.value.reasons)
    assert "nobody that `provenance.identities` names has signed it" in told
    assert re.search(words, told), told


def test_a_root_that_is_not_there() -> None:
    """What cannot be checked is not passed."""
    shop = Shop(TRUST)
    shop.push("1.5.0", annotations=OURS)
    with pytest.raises(Refused, match=r"`provenance\.trustedRoot` names \.gitops/root\.json"):
        shop.deploy()
