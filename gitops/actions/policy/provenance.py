"""Was an image built from what it is said to be? Asked where `provenance: {required: true}` says.

The answer is the registry's, of the digest that its tag names now, and asked for once in a call.
Nobody who answers is trusted for not answering: what cannot be proved is a reason against, which an
override may pass. A rollback is never asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from msgspec import Struct

from gitops.actions.context.session import Session
from gitops.actions.context.view import OverlayView
from gitops.core.environments.environment import Provenance, match_branch
from gitops.core.environments.image_rules import SignerIdentity, may_ask
from gitops.core.git.proof import Proof
from gitops.core.git.remote_url import normalised_repository
from gitops.core.images.keyless import signer_that_counts
from gitops.core.images.manifest import Descriptor, ImageInfo, Manifest
from gitops.core.images.name import DOCKER_HUB, ImageName, image_name
from gitops.core.images.provenance import (
    Expected,
    SourceClaim,
    built_on,
    judge_claim,
    read_claim,
    same_commit,
)
from gitops.core.images.signed import (
    BUNDLE,
    ENVELOPE,
    PAYLOAD,
    PREDICATE,
    SIGNATURE,
    SLSA,
    STATEMENT,
    Signed,
    Statement,
    is_signature,
    read_envelope,
    read_payload,
    read_statement,
    signature_tag,
)
from gitops.core.kustomization.image import ImageChange
from gitops.core.policy.reasons import Reason
from gitops.core.text.plain import one_line
from gitops.errors import GitopsError, NotFound, UsageError
from gitops.ports import Registry

_MOST_SIGNATURES = 20
_MOST_BRANCHES = 20
_SHORT = 7


class Proved(Struct, frozen=True):
    """What an image is.

    Attributes:
        claim: where it says that it comes from; a text: why that is nothing.
        signed: somebody who counts signed it, or nobody has to.
        signer: whose certificate signed it.
        doubt: what a signature lacks that does not count, "" for nothing known.
    """

    claim: SourceClaim | str
    signed: bool
    signer: str | None = None
    doubt: str = ""


def judge_provenance(
    view: OverlayView, changes: Sequence[ImageChange], commits: Mapping[str, str]
) -> tuple[Reason, ...]:
    """Return what is against the images that change; () where nobody asks for proofs.

    Args:
        commits: image -> the commit that it was built from, as far as that is known.
    """
    rules = view.tip.config.provenance_of(view.row)
    if not rules.required:
        return ()
    judge = _Judge(view, rules)
    found = ((change, judge.against(change, commits.get(change.image))) for change in changes)
    return tuple(
        Reason("provenance", view.label, f"{change.image} is not proved: {text}")
        for change, text in found
        if text is not None
    )


class _Judge:
    """Judges images for one overlay."""

    def __init__(self, view: OverlayView, rules: Provenance) -> None:
        self._view = view
        self._rules = rules
        self._registry = view.session.registry

    def against(self, change: ImageChange, commit: str | None) -> str | None:
        """Return why an image may not go there, None when it may."""
        value, config = change.after, self._view.tip.config
        what = value.name or change.image
        name, reference = image_name(what), value.digest or value.tag
        if name is None or reference is None:
            return f"{what} names no registry to ask: give newName with a host"
        if not may_ask(config.registries, name.host):
            return f"{name.host} is none of `registries.hosts`"
        source = config.sources.get(change.image)
        if source is None:
            return "gitops.yaml does not say which repository it is built from (`images[].source`)"
        try:
            proved = self._proved(name, reference)
        except GitopsError as error:
            return f"{name} was not looked at: {error.message}"
        against = judge_claim(proved.claim, Expected(source, commit))
        if against is not None:
            return against
        if not proved.signed:
            return _unsigned(self._rules) + (f": {proved.doubt}" if proved.doubt else "")
        if commit is None and isinstance(proved.claim, SourceClaim):
            return self._elsewhere(source, proved.claim.revision)
        return None

    def _elsewhere(self, source: str, revision: str) -> str | None:
        """Return why a commit that nobody named is none that the environment takes.

        After another environment it must be the newest one of its branch, as it is what was tested.
        """
        row, sources = self._view.row, self._view.session.sources
        if sources is None or not row.accepts:
            return None
        heads = {
            branch: head
            for branch, head in sources.heads(source).items()
            if match_branch(row.accepts, branch) is not None
        }
        if any(same_commit(revision, head) for head in heads.values()):
            return None
        if not row.after:
            for branch in list(heads)[:_MOST_BRANCHES]:
                if sources.find(source, branch, revision) is not None:
                    return None
            return f"{revision[:_SHORT]} is on no branch that {row.name} accepts"
        return f"{revision[:_SHORT]} is not the newest commit of a branch that {row.name} accepts"

    def _proved(self, name: ImageName, reference: str) -> Proved:
        """Ask the registry, once in a call."""
        known, trust = self._view.session.proofs, self._trust()
        where = (str(name), reference, trust)
        found = known.get(where)
        if not isinstance(found, Proved):
            info = self._registry.describe(name, reference)
            signed = self._signed(name, info.manifest.digest, trust)
            statements = tuple(_statements(self._registry, name, info))
            claim = read_claim(info, self._inherited(name, info), (*signed.claims, *statements))
            if signed.claims:
                claim = signed.claims[0]  # who signed it is who says it
            elif isinstance(claim, str) and signed.ran_for is not None:
                claim = signed.ran_for  # the image does not say it
            asked = self._rules.asks_for_signature
            found = Proved(claim, signed.good or not asked, signed.signer, signed.doubt)
            known[where] = found
        return found

    def _inherited(self, name: ImageName, info: ImageInfo) -> tuple[Mapping[str, str], ...]:
        """Return the labels of the base image; () where it names none, or cannot be read.

        An image chooses what it names, so only its own registry is asked, Docker Hub, and those of
        `registries.hosts`.
        """
        base = built_on(info)
        config = self._view.tip.config
        hosts = config.registries.hosts if config.registries is not None else ()
        if base is None or base.name.host not in (name.host, DOCKER_HUB, *hosts):
            return ()
        with suppress(GitopsError):
            told = self._registry.describe(base.name, base.reference)
            return tuple(image.config.labels for image in told.images)
        return ()

    def _trust(self) -> _Trust:
        """Return whose signatures count. Raises UsageError for a file that is not there."""
        keys = tuple(self._file(path, "keys") for path in self._rules.keys)
        path = self._rules.trusted_root
        root = self._file(path, "trustedRoot") if path is not None else None
        return _Trust(keys, self._rules.identities, root)

    def _file(self, path: str, key: str) -> bytes:
        content = self._view.tip.snapshot.read(path)
        if content is None:
            raise UsageError(f"`provenance.{key}` names {path}, which is not there")
        return content

    def _signed(self, name: ImageName, digest: str, trust: _Trust) -> _Signatures:
        """Look for signatures of somebody who counts, and for what they say."""
        found = _Signatures()
        if not trust.keys and not trust.identities:
            return found
        for signed, statement in _signatures(self._registry, name, digest):
            if any(
                self._view.session.signatures.is_signed_by(key, one, signed.content)
                for key in trust.keys
                for one in signed.signatures
            ):
                found.good = True
                found.claims += _claims(statement)
            elif trust.identities and signed.bundle is not None:
                self._certified(signed.bundle, digest, trust, found)
        return found

    def _certified(self, bundle: bytes, digest: str, trust: _Trust, found: _Signatures) -> None:
        """Look whether a certificate signed that is one of somebody who counts."""
        try:
            told = self._view.session.signatures.certified(bundle, trust.root)
            if told.kind != STATEMENT:
                raise ValueError("it is no statement about an image")
            statement = read_statement(told.content, digest)
        except ValueError as error:
            found.doubt = one_line(str(error), 200)
            return
        signer = signer_that_counts(told, trust.identities)
        if signer is None:
            found.doubt = f"it is signed by {one_line(str(told), 200)}"
            return
        found.good, found.signer, found.ran_for = True, signer, told.claim
        found.claims += _claims(statement)


class _Trust(Struct, frozen=True):
    """Whose signatures count: public keys, certificates, and who is trusted to certify."""

    keys: tuple[bytes, ...]
    identities: tuple[SignerIdentity, ...]
    root: bytes | None


class _Signatures(Struct):
    """What is signed beside an image by somebody who counts.

    Attributes:
        ran_for: what the signer's certificate says that it ran for.
    """

    good: bool = False
    claims: tuple[SourceClaim, ...] = ()
    signer: str | None = None
    ran_for: SourceClaim | None = None
    doubt: str = ""


def _unsigned(rules: Provenance) -> str:
    keys = "no key that `provenance.keys` names"
    others = "nobody that `provenance.identities` names"
    named = [text for text, some in ((keys, rules.keys), (others, rules.identities)) if some]
    return f"{' and '.join(named)} has signed it"


def _claims(statement: Statement | None) -> tuple[SourceClaim, ...]:
    """Return what a signed statement says of sources; one that only says "signed" says nothing."""
    return () if statement is None or is_signature(statement) else statement.claims


def _signatures(
    registry: Registry, name: ImageName, digest: str
) -> Iterator[tuple[Signed, Statement | None]]:
    """Yield what is signed beside an image: cosign's tags, and what refers to the image."""
    for manifest in _beside(registry, name, digest):
        for layer in manifest.layers[:_MOST_SIGNATURES]:
            with suppress(ValueError):
                if layer.media_type == PAYLOAD:
                    told = layer.annotations.get(SIGNATURE, "")
                    yield read_payload(registry.blob(name, layer.digest), told, digest), None
                elif layer.media_type == ENVELOPE or layer.media_type.startswith(BUNDLE):
                    yield read_envelope(registry.blob(name, layer.digest), digest)


def _beside(registry: Registry, name: ImageName, digest: str) -> Iterator[Manifest]:
    for kind in ("sig", "att"):
        with suppress(NotFound):
            yield registry.manifest(name, signature_tag(digest, kind))
    try:
        listed = registry.referrers(name, digest)
    except NotFound:
        return
    for one in listed[:_MOST_SIGNATURES]:
        if (one.artifact_type or "").startswith(BUNDLE):
            yield registry.manifest(name, one.digest)


def _statements(registry: Registry, name: ImageName, info: ImageInfo) -> Iterator[SourceClaim]:
    """Yield what the build said of the images of an index (BuildKit's attestations, unsigned)."""
    images = {image.manifest.digest for image in info.images}
    for child in _attestations(info.manifest.children):
        for layer in registry.manifest(name, child.digest).layers[:_MOST_SIGNATURES]:
            about = layer.annotations.get(PREDICATE, "")
            if layer.media_type != STATEMENT or not about.startswith(SLSA):
                continue  # lists of what is in an image are long
            content = registry.blob(name, layer.digest)
            for digest in images:
                with suppress(ValueError):
                    yield from read_statement(content, digest).claims


def _attestations(children: Iterable[Descriptor]) -> list[Descriptor]:
    return [child for child in children if child.is_attestation][:_MOST_SIGNATURES]


def proof_lines(session: Session, changes: Iterable[ImageChange]) -> tuple[str, ...]:
    """Return what was proved of the images that change, a line for each, as commits record it."""
    lines = []
    for change in changes:
        name = image_name(change.after.name or change.image)
        wanted = (str(name), change.after.digest or change.after.tag)
        for where, proved in session.proofs.items():
            if not isinstance(proved, Proved) or not isinstance(proved.claim, SourceClaim):
                continue
            if isinstance(where, tuple) and where[:2] == wanted:
                lines.append(str(_proof(change.image, proved, proved.claim, where[2])))
    return tuple(dict.fromkeys(lines))


def _proof(image: str, proved: Proved, claim: SourceClaim, trust: object) -> Proof:
    try:
        source = normalised_repository(claim.source)
    except UsageError:
        source = claim.source
    asked = isinstance(trust, _Trust) and bool(trust.keys or trust.identities)
    signed = proved.signed and asked
    return Proof(image, source, claim.revision, claim.by, signed, proved.signer)
