"""Reading is lenient: history holds every version of a file that ever was."""

import pytest

from gitops.core.kustomization import choose_file, image_values, read_entries
from gitops.core.kustomization.image import ImageValue
from gitops.errors import ManifestError

PATH = "overlays/dev/kustomization.yaml"

READ = {
    "nothing": ("", {}),
    "null": ("---\n---\nimages: [{name: app}]\n", {}),
    "no list": ("resources: []\n", {}),
    "empty list": ("images:\n", {}),
    "number": ("images:\n- name: app\n  newTag: 1.10\n", {"app": ImageValue(None, "1.10")}),
    "name": ("images:\n- name: 123\n  newTag: v1\n", {"123": ImageValue(None, "v1")}),
    "null value": ("images:\n- name: app\n  newTag: ~\n  digest: ''\n", {"app": ImageValue()}),
    "text null": (
        "images:\n- name: app\n  newTag: !!str null\n",
        {"app": ImageValue(None, "null")},
    ),
    "last of two keys": (
        "images:\n- name: app\n  newTag: v1\n  newTag: v2\n",
        {"app": ImageValue(None, "v2")},
    ),
    "keys in other case, as Go sorts them": (
        "images:\n- name: app\n  newtag: v2\n  newTag: v1\n",
        {"app": ImageValue(None, "v2")},
    ),
    "last of two entries": (
        "images:\n- name: app\n  newTag: v1\n- name: b\n- name: app\n  digest: x\n",
        {"app": ImageValue(None, None, "x"), "b": ImageValue()},
    ),
    "last of two lists": (
        "images: [{name: a, newTag: v1}]\nimages: [{name: b, newTag: v2}]\n",
        {"b": ImageValue(None, "v2")},
    ),
    "images, not Images": (
        "images: [{name: a, newTag: v1}]\nImages: [{name: b, newTag: v2}]\n",
        {"a": ImageValue(None, "v1")},
    ),
    "both lists": (
        "imageTags: [{name: a, newTag: v2}]\nimages: [{name: a, newTag: v1}, {name: b}]\n",
        {"a": ImageValue(None, "v2"), "b": ImageValue()},
    ),
    "alias": (
        "x: &t v1\ny: &t v2\nimages:\n- name: app\n  newTag: *t\nz: &t v3\n",
        {"app": ImageValue(None, "v2")},
    ),
    "alias of an entry": (
        "x: &e {name: app, newTag: v1}\nimages:\n- *e\n",
        {"app": ImageValue(None, "v1")},
    ),
    "alias of the list": (
        "x: &l [{name: app, newTag: v1}]\nimages: *l\n",
        {"app": ImageValue(None, "v1")},
    ),
    "merge key": (
        "x: &m {newTag: v1, digest: d}\nimages:\n- <<: *m\n  name: app\n  newTag: v2\n",
        {"app": ImageValue(None, "v2", "d")},
    ),
    "merge key, last as in go-yaml": (
        "x: &m {newTag: v1}\nimages:\n- name: app\n  newTag: v2\n  <<: *m\n",
        {"app": ImageValue(None, "v1")},
    ),
    "merge key of many": (
        "images:\n- <<: [{newTag: v1}, {newTag: v2, digest: d}]\n  name: app\n",
        {"app": ImageValue(None, "v1", "d")},
    ),
    "merged list": (
        "x: &m {images: [{name: app, newTag: v1}]}\n<<: *m\n",
        {"app": ImageValue(None, "v1")},
    ),
    "odd entries": (
        "images:\n-\n- text\n- [a]\n- newTag: v1\n- name: app\n",
        {"app": ImageValue()},
    ),
    "complex keys": (
        "? [a]\n: b\nimages:\n- ? {x: y}\n  : z\n  name: app\n",
        {"app": ImageValue()},
    ),
    "value that is no text": (
        "images:\n- name: app\n  newTag: [v1]\n  digest: {a: b}\n",
        {"app": ImageValue()},
    ),
    "other lists of that name": (
        "x: {images: [{name: b}]}\nimages: [{name: app}]\n",
        {"app": ImageValue()},
    ),
}


@pytest.mark.parametrize(("content", "values"), READ.values(), ids=list(READ))
def test_reading_is_lenient(content, values):
    """History holds all kinds of files: they are read as kustomize reads them, or nearly so."""
    assert values == image_values(content.encode(), PATH)
    assert list(values) == list(image_values(content.encode(), PATH))


def test_entries_have_places():
    """An entry's place is that of its name."""
    content = "\ufeffimages:\n- newTag: v1\n  name: app\n  tagSuffix: -x\n- {name: b}\n"
    first, second = read_entries(content.encode(), PATH)

    assert ("app", 3, 9, "-x") == (first.image, first.line, first.column, first.tag_suffix)
    assert ("b", 5, 10, None) == (second.image, second.line, second.column, second.tag_suffix)
    assert ImageValue(None, "v1") == first.value


@pytest.mark.parametrize("content", [b"[" * 100_000, b"- " * 100_000], ids=["flow", "block"])
def test_deep_files_are_refused(content):
    """Nesting without end does not end the process."""
    with pytest.raises(ManifestError, match="maximum nesting depth"):
        image_values(content, PATH)


def test_mapping_that_merges_itself():
    """A merge key that names what it stands in does not loop."""
    content = b"x: &x\n  <<: *x\nimages:\n- &e\n  <<: *e\n  name: app\n"

    assert image_values(content, PATH) == {"app": ImageValue()}


@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
def test_choose_file(name):
    """Each of kustomize's three names is found."""
    assert name == choose_file(["deployment.yaml", name, "patches/"], "overlays/dev")


def test_choose_no_file():
    """A directory without a kustomization has none."""
    assert choose_file(["deployment.yaml", "KUSTOMIZATION.yaml"], "overlays/dev") is None


def test_two_files():
    """kustomize builds no directory with two of them."""
    with pytest.raises(ManifestError, match=r"kustomization\.yml and Kustomization"):
        choose_file(["Kustomization", "kustomization.yml"], "overlays/dev")
