"""Approve and undo look at images, too: what is not there goes nowhere, the way back stays open."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fake_registry import MemoryRegistry
from forge_world import MONA, PROD, STAGE, make_world
from gitops.actions.approve import ApproveRequest, approve
from gitops.actions.context.named import Named
from gitops.actions.context.session import Session
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.promote import PromoteRequest, promote
from gitops.actions.rollback import Preview, RollbackRequest, rollback
from gitops.actions.undo import UndoRequest, undo
from gitops.core.git.commit import Identity
from gitops.core.images.name import ImageName
from gitops.core.kustomization import image_values
from gitops.core.report import WriteReport
from gitops.errors import Refused, Unavailable
from gitops.ports import NoForge
from images import push_index

BEN = Identity("Ben", "ben@example.com")
API = ImageName("registry.example.com", "shop/api")
PINS = f"images:\n  - name: shop/api\n    newName: {API}\n    newTag: '1.4.0'\n".encode()


class Shop:
    """Two environments whose images are at a registry; prod asks a forge, or only Git."""

    def __init__(self, top: str = "registries: {}", prod: str = "", *, forge: bool = True) -> None:
        self.world = make_world(prod, top, approvals=None)
        if not forge:
            self.world.missing = NoForge()
        self.world.repository.commit({STAGE: PINS, PROD: PINS}, "begin\n")
        self.registry = MemoryRegistry()
        for tag in ("1.4.0", "1.5.0"):
            push_index(self.registry, API, tag, salt=tag)

    def session(self, who: Identity = MONA) -> Session:
        """A call that may ask the registry."""
        return replace(self.world.session(who), registry=self.registry)

    def propose(self) -> None:
        """Bring 1.5.0 to stage, and propose it for prod."""
        deploy(self.session(), DeployRequest(("shop/api:1.5.0",), ("stage",)))
        promote(self.session(), PromoteRequest(("prod",)))
        if self.world.missing is None:
            self.world.forge.approve(1, "ben")

    def approve(self, **more: str) -> WriteReport:
        """Approve what is proposed for prod."""
        return approve(self.session(BEN), ApproveRequest(Named(("prod",)), **more))  # type: ignore[arg-type]

    def lose(self, tag: str) -> None:
        """Let a tag be deleted."""
        del self.registry.repositories[API].tags[tag]

    def silence(self) -> None:
        """Let the registry be away."""

        def fault(verb: str) -> None:
            raise Unavailable("it is down")

        self.registry.fault = fault

    def tag(self, path: str) -> str | None:
        """What an overlay pins."""
        return image_values(self.world.repository.show(path) or b"", path)["shop/api"].tag


@pytest.mark.parametrize("forge", [True, False])
def test_what_is_gone_is_not_approved(*, forge: bool) -> None:
    """A proposal whose image was deleted meanwhile does not land; an override is recorded."""
    shop = Shop(forge=forge)
    shop.propose()
    shop.lose("1.5.0")
    with pytest.raises(Refused) as caught:
        shop.approve()
    assert f"prod: {API} has no tag 1.5.0; the nearest is 1.4.0" in str(caught.value.reasons)
    assert "1.4.0" == shop.tag(PROD)
    assert "committed" == shop.approve(override="it comes back").outcome
    head = shop.world.repository.commits[shop.world.repository.head() or ""].info.message
    assert "Gitops-Override: it comes back (passed: prod: registry.example.com/shop/api" in head
    assert "1.5.0" == shop.tag(PROD)


@pytest.mark.parametrize("forge", [True, False])
def test_a_silent_registry(*, forge: bool) -> None:
    """It is a warning, or with `unavailable: refuse` an error to try again after."""
    shop = Shop(forge=forge)
    shop.propose()
    shop.silence()
    assert any("was not looked at: it is down" in text for text in shop.approve().warnings)
    assert "1.5.0" == shop.tag(PROD)

    shop = Shop("registries: {unavailable: refuse}", forge=forge)
    shop.propose()
    shop.silence()
    with pytest.raises(Unavailable, match="it is down"):
        shop.approve()
    assert "1.4.0" == shop.tag(PROD)


def test_nothing_said_asks_nobody() -> None:
    """Without `registries:` an approval goes as it always did."""
    shop = Shop("")
    shop.propose()
    shop.approve()
    assert [] == shop.registry.asked


@pytest.mark.parametrize("happens", ["gone", "silent"])
def test_a_proposed_rollback_is_never_barred(happens: str) -> None:
    """Approving the way back tells what is not there, and lets it in."""
    shop = Shop("registries: {unavailable: refuse}", "rollback: pull-request")
    shop.propose()
    shop.approve()
    rollback(shop.session(), RollbackRequest(Named(("prod",))))
    shop.world.forge.approve(2, "ben")
    shop.lose("1.4.0") if happens == "gone" else shop.silence()
    report = shop.approve()
    words = "cannot pull it" if happens == "gone" else "was not looked at"
    assert any(words in text for text in report.warnings)
    assert "1.4.0" == shop.tag(PROD)


@pytest.mark.parametrize("happens", ["gone", "silent"])
def test_an_undo_is_never_barred(happens: str) -> None:
    """What comes back is looked at, and told before it is asked whether that is meant."""
    shop = Shop("registries: {unavailable: refuse}")
    deploy(shop.session(), DeployRequest(("shop/api:1.5.0",), ("stage",)))
    rollback(shop.session(), RollbackRequest(Named(("stage",))))
    shop.lose("1.5.0") if happens == "gone" else shop.silence()
    shown: list[str] = []

    def confirm(preview: Preview) -> bool:
        shown.extend(preview.warnings)
        return True

    report = undo(shop.session(), UndoRequest(Named(("stage",))), confirm=confirm)
    words = "cannot pull it" if happens == "gone" else "was not looked at"
    assert "committed" == report.outcome
    assert any(words in text for text in report.warnings)
    assert any(words in text for text in shown)
    assert "1.5.0" == shop.tag(STAGE)
