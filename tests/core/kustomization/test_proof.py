"""The proof: an edit whose result is not just what was planned never leaves the house."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.core.kustomization.add import add
from gitops.core.kustomization.fields import insert, remove, replace
from gitops.core.kustomization.image import ImageValue
from gitops.core.kustomization.prove import confirm, prove
from gitops.core.kustomization.read import read_lists
from gitops.core.kustomization.refusals import Check
from gitops.core.kustomization.splices import SplicePlan
from gitops.core.yamltext import parse_first
from gitops.errors import ManifestError

CONTENT = """\
# licence
resources:
- ../base
images:
- name: app  # ours
  newTag: v1
- {name: web, newTag: "7"}
- digest: sha256:0
  name: db
patches:
- patch: |
    - op: add
      value: {a: [b, c]}
x: [&a v1, *a]
---
images:
- name: app
  newTag: other
"""


def planned(content=CONTENT):
    """Return a plan that sets app's tag to v2, and the bytes it makes."""
    lists = read_lists(parse_first(content.encode(), "k.yaml"))
    plan = SplicePlan(lists)
    Check(lists).whole()
    replace(plan, lists.items[0], "newTag", "v2")
    return plan, plan.write().encode()


def test_right_result_passes():
    """What was planned, and nothing else, is proven."""
    plan, after = planned()

    assert CONTENT.replace("newTag: v1", "newTag: v2") == after.decode()
    assert after.decode() == prove(plan, after).text


SABOTAGE = {
    "another value": ("newTag: v2", "newTag: v3"),
    "value of another type": ("newTag: v2", "newTag: 2"),
    "value in quotes": ("newTag: v2", "newTag: 'v2'"),
    "value with a tag": ("newTag: v2", "newTag: !!str v2"),
    "value with an anchor": ("newTag: v2", "newTag: &v v2"),
    "another key": ("newTag: v2", "newTog: v2"),
    "one key more": ("newTag: v2", "newTag: v2\n  digest: x"),
    "one key less": ("  newTag: v2\n", ""),
    "keys swapped": ("name: app  # ours\n  newTag: v2", "newTag: v2\n  name: app"),
    "neighbour": ('"7"', '"8"'),
    "neighbour's quotes": ('"7"', "'7'"),
    "comment": ("# ours", "# owers"),
    "comment gone": ("  # ours", ""),
    "licence": ("# licence\n", ""),
    "entry gone": ("- digest: sha256:0\n  name: db\n", ""),
    "text": ("value: {a", "value: {b"),
    "alias": ("*a", "v1"),
    "anchor": ("&a v1, *a", "&b v1, *b"),
    "list in braces": ("- ../base", "[../base]"),
    "second document": ("newTag: other", "newTag: others"),
    "document ends early": ("patches:", "...\npatches:"),
    "no second document": ("---\n", ""),
    "line end": ("- ../base\n", "- ../base\r\n"),
    "blank": ("- ../base\n", "- ../base \n"),
    "broken": ("newTag: v2", "newTag: [v2"),
    "byte order mark": ("# licence", "\ufeff# licence"),
}


@pytest.mark.parametrize(("old", "new"), SABOTAGE.values(), ids=list(SABOTAGE))
def test_sabotage_is_refused(old, new):
    """A result that differs anywhere else, in a byte or in what it means, is refused."""
    plan, after = planned()
    assert old in after.decode()

    with pytest.raises(ManifestError, match="cannot be edited safely") as caught:
        prove(plan, after.decode().replace(old, new, 1).encode())
    assert ("k.yaml", 6, 11) == (caught.value.path, caught.value.line, caught.value.column)


WRONG_SPLICES = {
    "one character late": (1, 1, "v2"),
    "one character early": (-1, -1, "v2"),
    "too much": (0, 3, "v2"),
    "too little": (0, -1, "v2"),
    "another text": (0, 0, "v3"),
    "a hidden second key": (0, 0, "v2\n  newName: evil"),
    "a hidden entry": (0, 0, "v2\n- name: evil"),
    "a hidden document": (0, 0, "v2\n---\n"),
    "a number": (0, 0, "2"),
}


@pytest.mark.parametrize(("start", "end", "text"), WRONG_SPLICES.values(), ids=list(WRONG_SPLICES))
def test_wrong_splice_is_refused(start, end, text):
    """A splice in the wrong place, or with the wrong text, does not give the planned events."""
    plan, _ = planned()
    ((first, last, _),) = plan.splices
    plan.splices[:] = [(first + start, last + end, text)]

    with pytest.raises(ManifestError, match="cannot be edited safely"):
        prove(plan, plan.write().encode())


@pytest.mark.parametrize("what", ["replace", "insert", "remove"])
def test_unplanned_event_is_refused(what):
    """Bytes that nobody planned the meaning of are refused: the two plans check each other."""
    lists = read_lists(parse_first(CONTENT.encode(), "k.yaml"))
    plan = SplicePlan(lists)
    if what == "replace":
        replace(plan, lists.items[0], "newTag", "v2")
    elif what == "insert":
        insert(plan, lists.items[0], [("digest", "sha256:1")])
    else:
        remove(plan, lists.items[0], ["newTag"])
    prove(plan, plan.write().encode())
    plan.events.clear()

    with pytest.raises(ManifestError, match="other values would change"):
        prove(plan, plan.write().encode())


def test_document_that_ends_elsewhere_is_refused():
    """Something new behind the first document changes no event of it, and is refused."""
    plan = SplicePlan(read_lists(parse_first(b"resources: [a]\n", "k.yaml")))
    add(plan, [[("name", "app")]])
    ((start, end, text),) = plan.splices
    plan.splices[:] = [(start, end, text + "---\nevil: true\n")]

    with pytest.raises(ManifestError, match="the document would end elsewhere"):
        prove(plan, plan.write().encode())


def test_value_in_the_wrong_field_is_refused():
    """A plan that is carried out, and is wrong itself, is found by reading the values back."""
    plan, after = planned()
    proven = prove(plan, after)
    item = plan.lists.items[0]
    confirm(plan, proven, {item: ImageValue(None, "v2")}, {})

    for value in (ImageValue("v2"), ImageValue(None, "v2", "x"), ImageValue(None, "v1")):
        with pytest.raises(ManifestError, match="app would not read as asked"):
            confirm(plan, proven, {item: value}, {})
    with pytest.raises(ManifestError, match="new would not read as asked"):
        confirm(plan, proven, {}, {"new": ImageValue(None, "v2")})


def test_overlapping_splices_are_refused():
    """Two splices over the same bytes are no plan."""
    plan, after = planned()
    plan.splices *= 2

    with pytest.raises(ManifestError, match="other bytes would change"):
        prove(plan, after)


@given(
    at=st.integers(0, len(CONTENT)),
    length=st.integers(0, 3),
    text=st.text("a1 \n\r\t-:#'\"{}[]&*!|>.é", max_size=3),
)
def test_no_stray_byte_passes(at, length, text):
    """Whatever is changed beside the planned value, anywhere in the file, is seen."""
    plan, after = planned()
    right = after.decode()
    wrong = right[:at] + text + right[at + length :]

    if wrong == right:
        prove(plan, wrong.encode())
    else:
        with pytest.raises(ManifestError, match="cannot be edited safely"):
            prove(plan, wrong.encode())
