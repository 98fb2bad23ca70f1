"""Values that follow an image: which bytes they are, and what is refused."""

from __future__ import annotations

import time

import pytest

from gitops.core.environments.follower import Follower, parse_key, wrong_pattern
from gitops.core.kustomization import edit_images
from gitops.core.kustomization.followers import edit_with_followers, image_paths
from gitops.core.kustomization.following import follow, stragglers
from gitops.core.kustomization.image import ImageValue, parse_image
from gitops.errors import ManifestError

DIGEST = "sha256:" + "ab" * 32
REF = r"[?&]ref=(?P<value>[^&]+)"


def after(text: str, *followers: Follower, value: ImageValue | None = None) -> str:
    """What a file becomes when shop/api is at 1.5.0."""
    wanted = [("shop/api", value or ImageValue(tag="1.5.0"))]
    return follow(text.encode(), "values.yaml", wanted, {"shop/api": followers}).decode()


@pytest.mark.parametrize(
    ("key", "value", "pattern", "old", "new"),
    [
        (
            "image.tag",
            "{tag}",
            None,
            "# chart\nimage:\n  name: shop/api # ours\n  tag: 1.4.0   # bumped\nx: 1.4.0\n",
            "# chart\nimage:\n  name: shop/api # ours\n  tag: 1.5.0   # bumped\nx: 1.4.0\n",
        ),
        ("image.tag", "{tag}", None, "image: {tag: '1.4'}\r\n", "image: {tag: '1.5.0'}\r\n"),
        ("a[1].b", "{tag}", None, 'a: [{b: x}, {b: "1"}]', 'a: [{b: x}, {b: "1.5.0"}]'),
        (
            "resources[*]",
            "{tag}",
            REF,
            "resources:\n- ../base\n- https://git.example.com/a//b?ref=1.4.0&timeout=9s\n",
            "resources:\n- ../base\n- https://git.example.com/a//b?ref=1.5.0&timeout=9s\n",
        ),
        (
            "configMapGenerator[name=app].literals[*]",
            "{tag}",
            "^VERSION=(?P<value>.*)$",
            "configMapGenerator:\n- name: app\n  literals:\n  - A=b\n  - VERSION=1.4.0\n",
            "configMapGenerator:\n- name: app\n  literals:\n  - A=b\n  - VERSION=1.5.0\n",
        ),
        (
            'labels[0].pairs["app.kubernetes.io/version"]',
            "v{tag}",
            None,
            "labels:\n- pairs:\n    app.kubernetes.io/version: v1\n",
            "labels:\n- pairs:\n    app.kubernetes.io/version: v1.5.0\n",
        ),
        (
            "spec.c[name=api].env[name=I].value",
            "{name}:{tag}",
            None,
            "spec:\n  c:\n  - name: api\n    env:\n    - name: I\n      value: shop/api:1\n",
            "spec:\n  c:\n  - name: api\n    env:\n    - name: I\n      value: shop/api:1.5.0\n",
        ),
        ("tag", "{tag}", None, '{"tag": "1.4.0", "x": 1}\n', '{"tag": "1.5.0", "x": 1}\n'),
        ("missing.key", "{tag}", None, "image: {tag: a}\n", "image: {tag: a}\n"),
        ("image", "{tag}", None, "image: {tag: a}\n", "image: {tag: a}\n"),
    ],
)
def test_the_bytes(key: str, value: str, pattern: str | None, old: str, new: str) -> None:
    """Just the value is another one; quotes, comments, ends of lines and all others stay."""
    assert new == after(old, Follower("values.yaml", key, value, pattern))


def test_a_tag_that_reads_as_a_number_gets_quotes() -> None:
    """1.10 is no float in a chart's values either."""
    tag = Follower("values.yaml", "tag")
    assert 'tag: "1.10"\n' == after("tag: 1.9.1\n", tag, value=ImageValue(tag="1.10"))


@pytest.mark.parametrize(
    ("old", "why"),
    [
        ("tag: &t 1.4\nother: *t\n", "is shared"),
        ("x: &x {tag: a}\nimage: *x\n", "is shared"),
        ("tag: ${TAG}\n", "is a template"),
        ("tag: |\n  a\n  b\n", "several lines"),
    ],
)
def test_what_is_refused(old: str, why: str) -> None:
    """What would change another value too, or is no plain text, is left alone and named."""
    with pytest.raises(ManifestError, match=why):
        after(old, Follower("values.yaml", "tag"), Follower("values.yaml", "image.tag"))


def test_a_value_that_the_image_cannot_say_is_refused() -> None:
    """A tag is asked for where only a digest is given."""
    with pytest.raises(ManifestError, match="tag follows shop/api, which has no tag then"):
        after("tag: a\n", Follower("values.yaml", "tag"), value=ImageValue(digest=DIGEST))


def test_an_anchor_shared_by_equal_values_is_edited() -> None:
    """Where all that share it get the same text it is written once; where one does not, never."""
    both = Follower("values.yaml", "api.tag"), Follower("values.yaml", "worker.tag")
    text = "api: {tag: &v 1.4}\nworker: {tag: *v}\n"
    assert text.replace("1.4", "1.5.0") == after(text, *both)
    with pytest.raises(ManifestError, match="is shared"):
        after(text + "third: *v\n", *both)

    images = b"images:\n- {name: a, newTag: &v v1}\n- {name: b, newTag: *v}\n"
    wanted = [parse_image("a:v2"), parse_image("b:v2")]
    assert images.replace(b"v1", b"v2") == edit_images(images, "k.yaml", wanted).after
    for alone in (wanted[:1], wanted[1:], [wanted[0], parse_image("b:v3")]):
        with pytest.raises(ManifestError, match="is shared"):
            edit_images(images, "k.yaml", alone)


def test_one_file_may_hold_both() -> None:
    """A label that is an alias of the tag goes with it, in the kustomization itself."""
    also = {"app": (Follower("kustomization.yaml", "labels[0].pairs.version"),)}
    text = b"images:\n- name: app\n  newTag: &v v1\nlabels:\n- pairs: {version: *v}\n"
    edit = edit_with_followers({}.get, "o/kustomization.yaml", text, [parse_image("app:v2")], also)
    assert (text.replace(b"v1", b"v2"), ()) == (edit.after, edit.beside)


ALSO = {"app": (Follower("values.yaml", "tag"), Follower("c/v.yaml", "tag"))}
FILES = {
    "o/kustomization.yaml": b"images:\n- name: app\n  newTag: v1\n",
    "o/values.yaml": b"tag: v1\n",
    "p/values.yaml": b"tag: v1\n",
}


def test_files_beside_the_kustomization() -> None:
    """What lies in the same folder follows, in the same edit; what is not there need not."""
    content = FILES["o/kustomization.yaml"]
    edit = edit_with_followers(
        FILES.get, "o/kustomization.yaml", content, [parse_image("app:v2")], ALSO
    )
    assert ["o/kustomization.yaml", "o/values.yaml"] == list(edit.files)
    assert b"tag: v2\n" == edit.files["o/values.yaml"]
    assert FILES["o/values.yaml"] == edit.originals["o/values.yaml"]

    new = FILES | edit.files
    paths = (*edit.files, "o/x")
    assert set(edit.files) == image_paths(FILES.get, new.get, edit.path, paths, ALSO)
    new["o/values.yaml"] = b"tag: v2\nmore: 1\n"
    assert {edit.path} == image_paths(FILES.get, new.get, edit.path, paths, ALSO)


def test_stragglers_are_named_with_their_place() -> None:
    """Whoever bumped the image alone is told where the rest is."""
    found = stragglers(FILES.get, "o/kustomization.yaml", {"app": ImageValue(tag="v2")}, ALSO)
    assert ["o/values.yaml:1: tag is v1, and app makes it v2"] == [str(one) for one in found]


@pytest.mark.parametrize("key", ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[*]b", "a.[0]"])
def test_keys_that_are_none(key: str) -> None:
    """A key that leads nowhere is told when gitops.yaml is read."""
    with pytest.raises(ValueError, match=r"."):
        parse_key(key)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?P<value>a+)+$",
        "(?P<value>(a|b)*)",
        "(?P<value>(?:a+){9})",
        "(?P<value>a)(?=b)",
        r"(?P<value>a)\1",
        ".*.*(?P<value>.*).*",
        "(?P<value>[",
        "(?P<other>a)",
    ],
)
def test_patterns_that_are_not_taken(pattern: str) -> None:
    """What a short text could keep busy for ever is told when gitops.yaml is read."""
    assert wrong_pattern(pattern) is not None


@pytest.mark.parametrize("pattern", [REF, "^VERSION=(?P<value>.*)$", r"v(?P<value>[0-9.]+)\)*"])
def test_patterns_that_are(pattern: str) -> None:
    """Plain ones are."""
    assert wrong_pattern(pattern) is None


def test_the_worst_pattern_that_is_taken_is_quick() -> None:
    """Whoever writes pattern and value cannot keep a reader busy."""
    pattern = "x*(?P<value>x+)y"
    assert wrong_pattern(pattern) is None
    start = time.perf_counter()
    assert "tag: " + "x" * 300 + "\n" == after(
        "tag: " + "x" * 300 + "\n", Follower("values.yaml", "tag", "{tag}", pattern)
    )
    assert time.perf_counter() - start < 5
