"""`gitops diff` between moments: what changed, by whom, when, and between which source commits."""

from __future__ import annotations

import pytest

from manifests import Manifests

OLD, NEW = "a" * 40, "b" * 40
SOURCE = "https://git.example.com/shop/api.git"


def deploy(manifests: Manifests, tag: str, source: str, environment: str = "dev") -> str:
    """Put a tag into an environment, and return the release."""
    words = ("deploy", f"shop/api:{tag}", "--to", environment, "--ref", "main", "--commit", source)
    done = manifests.gitops(*words, "-o", "json")
    assert done.code == 0, done.err
    return str(done.json["commit"])


@pytest.fixture
def released(manifests: Manifests) -> tuple[Manifests, str, str]:
    """Two releases of dev, of two source commits."""
    return manifests, deploy(manifests, "1.5.0", OLD), deploy(manifests, "1.6.0", NEW)


@pytest.mark.parametrize("how", ["since commit", "since tag", "at", "both"])
def test_what_changed_since_a_release(released: tuple[Manifests, str, str], how: str) -> None:
    """By commit or tag, as --since or behind @; exit 1 as for every difference."""
    manifests, first, second = released
    words = {
        "since commit": ["dev", "--since", first[:9]],
        "since tag": ["dev", "--since", "1.5.0"],
        "at": ["dev@1.5.0", "dev"],
        "both": [f"dev@{first}", f"dev@{second}"],
    }[how]
    done = manifests.gitops("diff", *words, "-o", "json")
    document = done.json

    assert done.code == 1
    assert document["left"] == f"dev@{first[:7]}"
    assert document["right"] == ("dev" if how != "both" else f"dev@{second[:7]}")
    (found,) = document["differences"]
    assert found["left"]["tag"] == "1.5.0"
    assert found["right"]["tag"] == "1.6.0"
    assert found["commit"] == second
    assert found["author"] == "Mona Test"
    assert found["sources"] == {"left": OLD, "right": NEW, "url": None}


def test_in_words_with_a_link(released: tuple[Manifests, str, str]) -> None:
    """Who, when, the source commits, and the page that compares them where it is known."""
    manifests, first, second = released
    config = manifests.file("gitops.yaml")
    manifests.commit(
        "Sources", {"gitops.yaml": f"{config}images:\n  - {{name: shop/api, source: {SOURCE}}}\n"}
    )
    text = manifests.gitops("diff", "dev", "--since", "1.5.0").out

    assert f"dev@{first[:7]}" in text
    assert f"by Mona Test in {second[:7]}".removeprefix("by ") in text
    assert f"aaaaaaa..bbbbbbb https://git.example.com/shop/api/compare/{OLD}...{NEW}" in text


def test_since_the_newest_stable_one(released: tuple[Manifests, str, str]) -> None:
    """`stable` is what the ledger says; nothing stable is said."""
    manifests, _, _ = released
    none = manifests.gitops("diff", "dev", "--since", "stable")

    assert none.code == 3
    assert "no release of dev was recorded as stable" in none.err


def test_since_the_one_before(released: tuple[Manifests, str, str]) -> None:
    """`previous` is the newest release with other images; where none was stable it is named."""
    manifests, first, _ = released
    done = manifests.gitops("diff", "dev", "--since", "previous", "-o", "json")
    unseen = manifests.gitops("diff", "dev", "--since", "stable")

    assert (1, f"dev@{first[:7]}") == (done.code, done.json["left"])
    assert "`gitops diff dev --since previous`" in unseen.err
    assert 3 == manifests.gitops("diff", "stage@previous", "stage").code


def test_nothing_changed(released: tuple[Manifests, str, str]) -> None:
    """The newest release is what is there: exit 0."""
    manifests, _, second = released
    done = manifests.gitops("diff", "dev", "--since", second)

    assert done.code == 0
    assert done.out == f"dev@{second[:7]} and dev pin the same images\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["dev"], 2),
        (["dev", "test", "--since", "1.5.0"], 2),
        (["dev@1.5.0", "--since", "1.5.0"], 2),
        (["dev", "--since", "9.9.9"], 3),
        (["dev@", "test"], 3),
        (["nowhere@1.5.0", "test"], 3),
    ],
)
def test_what_makes_no_sense(
    released: tuple[Manifests, str, str], words: list[str], code: int
) -> None:
    """One side too few or too many, a release or an environment that is not there."""
    done = released[0].gitops("diff", *words)

    assert done.code == code, done.err
    assert done.err.startswith("error: ")


def test_another_environment_then(released: tuple[Manifests, str, str]) -> None:
    """The sides may be of two environments."""
    manifests, first, _ = released
    deploy(manifests, "1.5.0", OLD, "test")
    done = manifests.gitops("diff", f"dev@{first}", "test", "-o", "json")

    assert done.code == 0, done.out
