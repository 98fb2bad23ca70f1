"""The cluster that tests rest on: Argo CD follows a repository in it and judges what it sees."""

from __future__ import annotations

from cluster.shop import Shop, has_health, is_live


def test_a_new_application_goes_live(shop: Shop) -> None:
    """An Application of the sample is Synced and Healthy, and its Deployment runs the image."""
    shop.follow("dev")

    shop.wait("dev", is_live(shop.manifests.git("rev-parse", "main").strip()))

    assert "shop/api:1.4.1" == shop.live_image("dev")


def test_a_broken_tag_is_degraded_and_can_be_taken_back(shop: Shop) -> None:
    """Pods of a `broken` image crash-loop, so the Application is Degraded until the way back."""
    shop.follow("dev")
    shop.wait("dev", is_live(shop.manifests.git("rev-parse", "main").strip()))

    bad = shop.set_tag("dev", "1.5.0-broken")
    shop.refresh("dev")
    shop.wait("dev", has_health(bad, "Degraded"))
    good = shop.set_tag("dev", "1.5.1")
    shop.refresh("dev")
    shop.wait("dev", is_live(good))

    assert "shop/api:1.5.1" == shop.live_image("dev")
