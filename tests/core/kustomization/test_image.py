"""The IMAGE argument: every form of kustomize's grammar, and every accident of it refused."""

import pytest

from gitops.core.kustomization.image import (
    KEEP,
    ImageRequest,
    ImageValue,
    describe_value,
    parse_image,
)
from gitops.errors import UsageError

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
LONG = "sha512:" + "c" * 128
BEFORE = ImageValue("reg/app", "1", A)

FORMS = {
    "app:2": ImageValue("reg/app", "2", None),
    f"app@{B}": ImageValue("reg/app", None, B),
    f"app@{LONG}": ImageValue("reg/app", None, LONG),
    f"app:2@{B}": ImageValue("reg/app", "2", B),
    "app=reg2/app": ImageValue("reg2/app", None, None),
    "app=reg2/app:2": ImageValue("reg2/app", "2", None),
    f"app=reg2/app@{B}": ImageValue("reg2/app", None, B),
    f"app=reg2/app:2@{B}": ImageValue("reg2/app", "2", B),
    "app=reg:5000/team/app:2": ImageValue("reg:5000/team/app", "2", None),
    "app=[::1]:5000/app:2": ImageValue("[::1]:5000/app", "2", None),
    "app=localhost/app": ImageValue("localhost/app", None, None),
    "app=*:2": ImageValue("reg/app", "2", None),
    f"app=*@{B}": ImageValue("reg/app", None, B),
    f"app=*:*@{B}": ImageValue("reg/app", "1", B),
    f"app=*:2@{B}": ImageValue("reg/app", "2", B),
    "app=reg2/app:*": ImageValue("reg2/app", "1", None),
    "app=reg2/app:*@*": ImageValue("reg2/app", "1", A),
    "app=app": ImageValue(None, None, None),
    "app=app:2": ImageValue(None, "2", None),
    f"app=app@{B}": ImageValue(None, None, B),
}


@pytest.mark.parametrize(("text", "after"), FORMS.items(), ids=list(FORMS))
def test_forms(text, after):
    """Each form gives the entry that its row of the table promises."""
    request = parse_image(text)

    assert request.image == "app"
    assert after == request.apply(BEFORE)


NAMES = ["reg:5000/app", "shop/api", "docker.io/library/app", "IMAGE_PLACEHOLDER", "a.pp", "${APP}"]


@pytest.mark.parametrize("name", NAMES)
def test_names(name):
    """NAME is whatever an entry is called, a registry with a port included."""
    assert ImageRequest(name, KEEP, "2", None) == parse_image(f"{name}:2")


@pytest.mark.parametrize("tag", ["1", "v1.2.3", "_x", "A" * 128, "5000", "1.0-rc.1", "true"])
def test_tags(tag):
    """Every tag of the OCI grammar is taken."""
    assert tag == parse_image(f"app:{tag}").tag


REFUSED = {
    "": "is empty",
    "app": "names neither a tag nor a digest",
    "reg:5000/app": "names neither a tag nor a digest",
    "app:": "has nothing after the colon",
    "app=": "has nothing after =",
    "app=reg/app:": "has nothing after the colon",
    "=x:1": "has no name before =",
    ":1": "has no name",
    f"@{A}": "has no name",
    "localhost:5000": "looks like a registry with a port",
    "reg.example.com:5000": "looks like a registry with a port",
    "app:1:2": "has two tags",
    "app=reg/app:1:2": "has two tags",
    "app:b@d": "neither sha256:… nor sha512:…",
    "app@": "neither sha256:… nor sha512:…",
    f"app@md5:{'a' * 32}": "neither sha256:… nor sha512:…",
    f"app@{A[:-1]}": "63 hex digits instead of 64",
    f"app@{LONG}c": "129 hex digits instead of 128",
    f"app@sha256:{'A' * 64}": "in lower case",
    f"app@{A}@{A}": "has two @",
    "app=x=y:1": "has two =",
    "app:1=x": "has a tag or digest before =",
    f"app@{A}=x": "has a tag or digest before =",
    "app=*": "changes nothing",
    "app=*:*": "changes nothing",
    "app=*:*@*": "changes nothing",
    "app=*:2@*": "keeps the old digest under a new tag",
    "app:*": "has a * without =",
    "a*=x:1": "has a * in its name",
    "app:-x": "has a tag that no registry takes",
    "app:.x": "has a tag that no registry takes",
    "app:a/b": "names neither a tag nor a digest",
    "app:ä": "has a tag that no registry takes",
    f"app:{'A' * 129}": "more than 128 characters",
    "a pp:1": "blank or a control character",
    "app:1\n": "blank or a control character",
    "app:\x1b[0m": "blank or a control character",
    "a//b:1": "has an empty part",
    "/b:1": "has an empty part",
    "app=Reg/app": "has a new name that no registry takes",
    "app=reg/APP": "has a new name that no registry takes",
    "app=-.example.com/app": "whose registry is no host",
    f"app={'a' * 256}": "more than 255 characters",
}


@pytest.mark.parametrize(("text", "why"), REFUSED.items(), ids=[repr(key[:30]) for key in REFUSED])
def test_refused(text, why):
    """What kustomize takes by accident, and what no registry takes, is refused with a way out."""
    with pytest.raises(UsageError) as caught:
        parse_image(text)

    assert why in caught.value.message
    assert caught.value.hint


def test_host_or_image_has_a_way_out():
    """A name that looks like a host can still be given a tag of digits."""
    with pytest.raises(UsageError) as caught:
        parse_image("localhost:5000")

    assert "localhost=*:5000" in caught.value.hint
    assert ImageRequest("localhost", KEEP, "5000", None) == parse_image("localhost=*:5000")
    assert parse_image("web:5000").tag == "5000"


SHOWN = [
    (ImageValue(None, "1.4.2", None), "1.4.2"),
    (ImageValue(None, "1.4.2", f"sha256:{'0123456789abcdef' * 4}"), "1.4.2@sha256:0123456789ab"),
    (ImageValue(None, None, f"sha256:{'0123456789abcdef' * 4}"), "sha256:0123456789ab"),
    (ImageValue("reg/app", "1.4.2", None), "reg/app:1.4.2"),
    (ImageValue("reg/app", "1.4.2", A), "reg/app:1.4.2@sha256:aaaaaaaaaaaa"),
    (ImageValue("reg/app", None, A), "reg/app@sha256:aaaaaaaaaaaa"),
    (ImageValue("reg/app", None, None), "reg/app"),
    (ImageValue(), "(unset)"),
    (ImageValue(None, "", ""), "(unset)"),
]


@pytest.mark.parametrize(("value", "text"), SHOWN)
def test_describe_value(value, text):
    """Messages show the name, the tag and twelve digits of the digest, as far as there are any."""
    assert text == describe_value(value)


def test_exactly_removes_what_is_none():
    """A restored value is restored whole."""
    wanted = ImageValue(None, "1", None)

    assert wanted == ImageRequest.exactly("app", wanted).apply(BEFORE)
