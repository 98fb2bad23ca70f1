"""A hold: "automation, leave this environment alone", as a small YAML file in Git.

After a rollback it also tells which commit was restored and which was judged bad, since a squash
merge may drop the trailers of a message.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from gitops.core.environments.environment import label_of
from gitops.core.text.plain import one_line, read_moment, timestamp
from gitops.core.yamltext import YamlDocument, compose_first, quote
from gitops.errors import ManifestError

HOLD_ALL_PATH = ".gitops/hold.yaml"

_KEYS = ("by", "since", "reason", "release", "restores", "rolledBack")
_NULL = "tag:yaml.org,2002:null"
_HEADER = "# Automation leaves this alone until `gitops resume`.\n"


class Hold(Struct, frozen=True):
    """Who holds an environment, since when and why.

    Attributes:
        since: None when the file, written by hand, does not say.
        release: the commit of the release that runs while held, or None.
        restores: after a rollback, the commit whose images were put back.
        rolled_back: after a rollback, the commit that was judged bad.
    """

    by: str
    since: datetime | None
    reason: str
    release: str | None = None
    restores: str | None = None
    rolled_back: str | None = None


def hold_path(environment: str, app: str | None) -> str:
    """Return the path, from the repository's root, of the hold of an environment (of one app)."""
    return f".gitops/holds/{label_of(environment, app)}.yaml"


def render_hold(hold: Hold) -> bytes:
    """Return the file that says `hold`; what is None is left out."""
    since = timestamp(hold.since) if hold.since else None
    pairs = {
        "by": hold.by,
        "since": since,
        "reason": hold.reason,
        "release": hold.release,
        "restores": hold.restores,
        "rolledBack": hold.rolled_back,
    }
    lines = (f"{key}: {quote(one_line(text))}\n" for key, text in pairs.items() if text is not None)
    return (_HEADER + "".join(lines)).encode()


def parse_hold(content: bytes, path: str) -> Hold:
    """Read a hold file; unknown keys are passed over.

    Raises ManifestError with the place. Whoever writes a hold wants automation to stop, so callers
    treat a hold that cannot be read as one that stands.
    """
    document = compose_first(content, path)
    texts = _texts(document, path)
    for key in ("by", "reason"):
        if not texts.get(key, ("", 0, 0))[0]:
            raise ManifestError(f"{key} is missing", path=path)
    since = _time(texts["since"], path) if "since" in texts else None
    found = {key: text for key, (text, _, _) in texts.items()}
    return Hold(
        by=found["by"],
        since=since,
        reason=found["reason"],
        release=found.get("release"),
        restores=found.get("restores"),
        rolled_back=found.get("rolledBack"),
    )


def _texts(document: YamlDocument, path: str) -> dict[str, tuple[str, int, int]]:
    """Known key -> (its text as one line, line, column); keys that say null are left out."""
    root = document.root
    if root is None or root.tag != "tag:yaml.org,2002:map":
        raise ManifestError("a hold is a mapping with by, since and reason", path=path)
    texts: dict[str, tuple[str, int, int]] = {}
    for key, value in root.value:
        if key.value not in _KEYS:
            continue
        line, column = document.place(value.start_mark)
        if key.value in texts:
            raise ManifestError(f"{key.value} stands twice", path=path, line=line, column=column)
        if not isinstance(value.value, str):
            raise ManifestError(f"{key.value} is no text", path=path, line=line, column=column)
        if value.tag != _NULL:
            texts[key.value] = (one_line(value.value), line, column)
    return texts


def _time(place: tuple[str, int, int], path: str) -> datetime:
    text, line, column = place
    time = read_moment(text)
    if time is None:
        raise ManifestError(
            f"since is no time: {text!r}",
            path=path,
            line=line,
            column=column,
            hint="write it like 2026-11-24T15:40:16Z",
        )
    return time
