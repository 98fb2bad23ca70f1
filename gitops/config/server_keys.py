"""Keys that only the server and whoever tells people read: known to all, made where they stand."""

from __future__ import annotations

from collections.abc import Callable

from gitops.config.shapes import Key, Node, Problems, Shape, Text, Value


class Later:
    """A shape that is made when it is used first: most files do not have its key."""

    def __init__(self, make: Callable[[], Shape]) -> None:
        self._make = make

    def read(self, node: Node, path: str, problems: Problems) -> Value | None:
        """Return what the shape makes of it."""
        return self._make().read(node, path, problems)

    def schema(self) -> dict[str, object]:
        """Return the schema of the shape."""
        return self._make().schema()


def server_keys(name: Text, duration: Text) -> dict[str, Key]:
    """Return the keys; `name` is that of an environment."""

    def later(key: str) -> Later:
        def make() -> Shape:
            from gitops.config.server import server_shapes

            return server_shapes(name, duration)[key]

        return Later(make)

    return {
        "access": Key(
            later("access"),
            "Who may do what through `gitops serve`; without it signed-in people look, and nobody "
            "acts.",
        ),
        "jobs": Key(
            later("jobs"),
            "Jobs of CI systems that call the server, and how each proves what it is.",
        ),
        "alerts": Key(
            later("alerts"),
            "Which alerts of monitoring may take a release back, by `onAlert` of the environment.",
        ),
        "notify": Key(
            later("notify"),
            "Who hears of rollbacks, holds, what waits for approval, what is degraded: by `gitops "
            "notify`, or the server.",
        ),
    }
