"""The difference of two builds: object by object, bounded, and without secrets."""

from __future__ import annotations

import pytest

from gitops.core.compare.manifest_diff import diff_manifests

SERVICE = (
    "apiVersion: v1\nkind: Service\nmetadata:\n  name: api\n  namespace: shop\nspec:\n  port: 1\n"
)
SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: db
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: hunter1
data:
  password: aHVudGVyMg==
  user: YW5h
stringData:
  note: |
    hunter3
    line
  other: hunter4
type: Opaque
"""


def test_objects() -> None:
    """Objects that came, changed and went are told, in the order of the newer build."""
    before = f"{SERVICE}---\nkind: Old\nmetadata:\n  name: x\n"
    after = f"kind: New\nmetadata:\n  name: y\n---\n{SERVICE.replace('port: 1', 'port: 2')}"

    assert [("New y", "added"), ("Service shop/api", "changed"), ("Old x", "removed")] == [
        (one.name, one.kind) for one in diff_manifests(before, after)
    ]


def test_lines() -> None:
    """A change is shown with its surroundings, and the indent of YAML."""
    (one,) = diff_manifests(SERVICE, SERVICE.replace("port: 1", "port: 2"))

    assert ("-  port: 1", "+  port: 2") == one.lines[-2:]
    assert "   namespace: shop" in one.lines


def test_equal_builds() -> None:
    """Nothing is told of what stays, wherever it moved in the file."""
    assert () == diff_manifests(f"{SERVICE}---\n{SECRET}", f"{SECRET}---\n{SERVICE}")


@pytest.mark.parametrize("kind", ["Secret", "'Secret'", "secret"])
@pytest.mark.parametrize("side", ["added", "removed", "changed"])
def test_secrets_are_hidden(kind: str, side: str) -> None:
    """No value of a Secret is shown, in no case; that one differs is."""
    old = SECRET.replace("kind: Secret", f"kind: {kind}")
    new = old.replace("aHVudGVyMg==", "b3RoZXI=").replace("hunter3", "hunter5")
    before, after = {"added": ("", new), "removed": (old, ""), "changed": (old, new)}[side]
    text = "\n".join(line for one in diff_manifests(before, after) for line in one.lines)

    for word in ("hunter", "aHVudGVyMg", "b3RoZXI", "YW5h"):
        assert word not in text
    assert ("password: (hidden, another value)" in text) == (side == "changed")


def test_secret_that_cannot_be_read() -> None:
    """A Secret that is no YAML for us is not shown at all."""
    (one,) = diff_manifests("", "kind: Secret\nmetadata:\n  name: x\ndata: {a: [hunter\n")

    assert ("Secret x", ("@@ -0,0 +1 @@", "+(a Secret that cannot be read is not shown)")) == (
        one.name,
        one.lines,
    )


def test_bounds() -> None:
    """Long objects, many objects and long lines are cut, and it is said by how much."""
    many = "---\n".join(f"kind: A\nmetadata:\n  name: n{n}\nx: y\n" for n in range(500))
    found = diff_manifests("", many)
    long = diff_manifests("", f"kind: A\nx: {'y' * 1000}\n")
    huge = diff_manifests("", "kind: A\n" + "x: y\n" * 5000)

    assert sum(len(one.lines) for one in found) <= 600
    assert sum(one.cut for one in found) > 1000
    assert max(len(line) for line in long[0].lines) <= 300
    assert ((), 5001) == (huge[0].lines, huge[0].cut)


def test_control_characters() -> None:
    """Nothing that a terminal obeys is left in a line."""
    (one,) = diff_manifests("", 'kind: A\nx: "\x1b[31m"\n')

    assert not any("\x1b" in line for line in one.lines)


def test_same_name_twice() -> None:
    """Two objects of one name are both told."""
    found = diff_manifests("", f"{SERVICE}---\n{SERVICE}")

    assert ["Service shop/api", "Service shop/api (2)"] == [one.name for one in found]
