"""What `gitops.yaml` asks of images before they are written."""

from __future__ import annotations

from msgspec import Struct


class RegistryRules(Struct, frozen=True):
    """`registries:` of `gitops.yaml`: with it, deploys look at images before they write.

    Attributes:
        refuse: a deploy whose registry does not answer is refused; else it is warned about.
        hosts: the registries that may be asked; () is any that an image's name begins with.
        schema: deploys read what images say that they do to the database's schema.
    """

    refuse: bool = False
    hosts: tuple[str, ...] = ()
    schema: bool = False


def may_ask(rules: RegistryRules | None, host: str) -> bool:
    """Say whether `gitops.yaml` lets the registry `host` be asked; `rules` None: any."""
    return rules is None or not rules.hosts or host in rules.hosts


class SignerIdentity(Struct, frozen=True):
    """Somebody whose certificate counts.

    Attributes:
        issuer: the identity provider (URL), to the letter.
        identity: pattern of a certificate's name: `*` inside one path segment, `**` across.
    """

    issuer: str
    identity: str


class Provenance(Struct, frozen=True):
    """`provenance:` of `gitops.yaml`: what an image must prove before it goes somewhere.

    Attributes:
        keys: files on the top-level branch with public keys (PEM), of which one must have signed;
            () asks for no signature with a key.
        identities: whose certificates count in place of a key.
        trusted_root: file on that branch that says whom to trust for certificates and logs; None:
            Sigstore's public service.
    """

    required: bool = False
    keys: tuple[str, ...] = ()
    identities: tuple[SignerIdentity, ...] = ()
    trusted_root: str | None = None

    @property
    def asks_for_signature(self) -> bool:
        """Must somebody have signed?"""
        return bool(self.keys or self.identities)
