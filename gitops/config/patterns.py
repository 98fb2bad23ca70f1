"""What the texts of `gitops.yaml` may be: patterns, and words for what does not match.

Patterns are read by Python and, in the JSON Schema, by editors: both take them the same way.
"""

from __future__ import annotations

import re

from gitops.config.shapes import Text, shown

# The characters that no branch name and no path of ours may hold; U+0020 ends the control range.
_CONTROL = r"\u0000-\u0020\u007f"
_BRANCH_PART = rf"(?![-.])(?:(?!\.\.|@\{{|\.lock(?:/|$))[^/~^:?*\[\]\\{{}}{_CONTROL}])+(?<!\.)"
_BRANCH = rf"(?!refs/|gitops(?:/|$)|HEAD$|@$){_BRANCH_PART}(?:/{_BRANCH_PART})*"
_PATTERN_PART = rf"(?:\{{version\}}|(?:(?!\*\*\*)[^/~^:?\[\]\\{{}}{_CONTROL}])+)"
_ACCEPTS = rf"(?!refs/|[^{{]*\{{version\}}.*\{{version\}}){_PATTERN_PART}(?:/{_PATTERN_PART})*"
_BRANCH_PATTERN = (
    rf"(?!refs/|gitops(?:/|$)|HEAD$|@$)(?:(?!\*\*\*)[^/~^:?\[\]\\{{}}{_CONTROL}])+"
    rf"(?:/(?:(?!\*\*\*)[^/~^:?\[\]\\{{}}{_CONTROL}])+)*"
)
_PATH_PART = r"(?!\.{1,2}(?:/|$)|\.git(?:ops)?(?:/|$))[^/\\{}\u0000-\u001f\u007f]+"
_OVERLAY = (
    rf"\./?|(?![^{{]*\{{app\}}.*\{{app\}})(?:\./)*"
    rf"(?:{_PATH_PART}|\{{app\}})(?:/(?:{_PATH_PART}|\{{app\}}))*/?"
)
_FOLDERS = rf"(?:\./)*(?:(?!\*\*\*){_PATH_PART})(?:/(?!\*\*\*){_PATH_PART})*/?"
_NAME = r"(?!(?:ledger|told)$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_FILE_PART = r"(?!\.{1,2}(?:/|$)|\.git(?:/|$))[^/\\{}\u0000-\u001f\u007f]+"
FILE = Text(
    rf"{_FILE_PART}(?:/{_FILE_PART})*", "is not a file below the root, like .gitops/signers"
)
DURATION = Text(r"(?!0+[smhd]?$)[0-9]{1,7}[smhd]?", "is no duration: 90s, 10m, 24h or 7d")
WORDS = Text(
    r"(?=.*[^ ])[^\u0000-\u001f\u007f]{1,200}",
    "must be some words on one line, at most 200 characters",
)
MOMENT = Text(
    (
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?"
    ),
    "is neither a date nor a time: 2026-12-20, or 2026-12-20T18:00",
)
ZONE = Text(
    r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*",
    "is no time zone: an IANA name such as Asia/Seoul",
)
CRON = Text(
    r"[^ ]+(?: +[^ ]+){4}",
    'is no cron: five fields, minute hour day month weekday, as in "0 18 * * 1-5"',
)
VERSION = Text(
    r"v?[0-9]{1,9}(?:\.[0-9]{1,9}){0,9}", "is no version: 100, 2.0 or 2026.11, in quotes"
)


def _explain_name(text: str) -> str:
    """Say what is wrong with an environment's name."""
    if text == "ledger":
        return "'ledger' is taken: gitops keeps its ledger on the branch gitops/ledger"
    if text == "told":
        return "'told' is taken: gitops keeps what people were told on the branch gitops/told"
    return f"{shown(text)} must be lower-case letters, digits and inner dashes, at most 63"


NAME = Text(_NAME, _explain_name)


def _explain_branch(text: str) -> str:
    """Say what is wrong with the name of a branch."""
    if text.startswith("refs/heads/"):
        return f"write the short name, {shown(text.removeprefix('refs/heads/'))}"
    if text == "gitops" or text.startswith("gitops/"):
        return f"{shown(text)} is taken: proposals and the ledger live on branches gitops/…"
    return f"{shown(text)} is not the name of a branch"


BRANCH = Text(_BRANCH, _explain_branch)


def _explain_branch_pattern(text: str) -> str:
    """Say what is wrong with the name of a branch, or a pattern of names."""
    if "***" in text or set(text) & set("?[]{}"):
        return f"{shown(text)}: the wildcards are * and **, and no others"
    return _explain_branch(text)


BRANCH_PATTERN = Text(_BRANCH_PATTERN, _explain_branch_pattern)


def _explain_accepts(text: str) -> str:
    """Say what is wrong with a source-branch pattern."""
    if text.startswith("refs/"):
        return f"write the short name, {shown(text.removeprefix('refs/heads/'))}"
    wrong = _explain_placeholders(text, "{version}")
    if wrong is not None:
        return wrong
    if set(text) & set("?[]"):
        return f"{shown(text)}: the wildcards are *, ** and {{version}}; ? and [ ] are not"
    if "***" in text:
        return f"{shown(text)}: the wildcards are *, ** and {{version}}; *** is not"
    return f"{shown(text)} matches no branch"


ACCEPTS = Text(_ACCEPTS, _explain_accepts)


def _explain_placeholders(text: str, known: str) -> str | None:
    """Say what is wrong with the words in braces: `known` may be one whole part, once."""
    words = re.findall(r"\{[^}]*\}?|\}", text)
    unknown = next((word for word in words if word != known), None)
    if unknown is not None:
        return f"unknown {shown(unknown)} in {shown(text)}: only {known} has a meaning"
    if len(words) > 1:
        return f"{known} stands twice in {shown(text)}"
    if words and known not in text.rstrip("/").split("/"):
        return f"{known} must be a whole part between slashes, not {shown(text)}"
    return None


def _explain_overlay(text: str) -> str:
    """Say what is wrong with the path of an overlay."""
    parts = text.rstrip("/").split("/")
    if text.startswith("/"):
        return f"{shown(text)} must be relative to the root of the repository"
    if "\\" in text:
        return f"write forward slashes, {shown(text.replace(chr(92), '/'))}"
    if ".." in parts:
        return f"{shown(text)} must not hold '..'"
    wrong = _explain_placeholders(text, "{app}")
    if wrong is not None:
        return wrong
    for own in (".git", ".gitops"):
        if own in parts:
            return f"{shown(text)} must not be inside {own}"
    return f"{shown(text)} is not a directory below the root, like overlays/dev"


OVERLAY = Text(_OVERLAY, _explain_overlay)
_SOURCE = (
    r"(?:(?:https?|ssh|git|file)://(?![^/]*:[^/@]*@)[^\s\u0000-\u0020\u007f]{1,400}"
    r"|[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\s\u0000-\u0020\u007f]{1,400})"
)
IMAGE = Text(
    r"[^\s:@*=\u0000-\u0020\u007f]{1,255}",
    "is not an image's name as it stands in `images:`, without a tag",
)


def _explain_source(text: str) -> str:
    """Say what is wrong with the URL of a source repository."""
    if re.match(r"[a-z+]+://[^/]*:[^/@]*@", text):
        return "holds a password: give it to Git's credential helper instead"
    return f"{shown(text)} is not the URL of a repository"


SOURCE = Text(_SOURCE, _explain_source)
_PORT = r"(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_HOST = rf"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{{0,252}}[A-Za-z0-9_])?(?::{_PORT})?"
_FORGE_URL = rf"https?://{_HOST}(?:/[A-Za-z0-9._~-]+)*/?"


def _explain_forge_url(text: str) -> str:
    """Say what is wrong with the URL of a forge."""
    if re.match(r"[A-Za-z+]+://[^/]*@", text):
        return "holds a user or a password: tokens come from the environment"
    return f"{shown(text)} is not the address of a forge's pages, like https://git.example.com"


FORGE_URL = Text(_FORGE_URL, _explain_forge_url)
REPOSITORY = Text(
    r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}",
    "must be letters, digits and . _ / -, at most 200, like shop/manifests",
)
_SUBJECT = r"(?=.*\{summary\})[^\u0000-\u001f\u007f]{1,120}"


def _explain_subject(text: str) -> str:
    """Say why `text` is no form of a subject."""
    if "{summary}" not in text:
        return f"{shown(text)} has no {{summary}} in it, where what was done stands"
    return f"{shown(text)} is not one line of at most 120 characters"


SUBJECT = Text(_SUBJECT, _explain_subject)
# Not one of those that gitops itself reads: a form must not speak for it.
_TRAILER = (
    r"(?!(?:[Gg][Ii][Tt][Oo][Pp][Ss]|[Ss][Oo][Uu][Rr][Cc][Ee]|[Aa][Rr][Gg][Oo][Cc][Dd])-)"
    r"[A-Za-z0-9][A-Za-z0-9-]{0,60}: [^\u0000-\u001f\u007f]{1,200}"
)


def _explain_trailer(text: str) -> str:
    """Say why `text` is no trailer."""
    if re.match(r"(?i)(?:gitops|source|argocd)-", text):
        return f"{shown(text)} is one that gitops itself writes"
    return f"{shown(text)} is no trailer, like `Signed-off-by: {{author}}`"


TRAILER = Text(_TRAILER, _explain_trailer)
LABEL = Text(
    r"(?! )[^\u0000-\u001f\u007f,]{1,50}(?<! )",
    "is no label: at most 50 characters on one line, without a comma",
)
_REVIEWER = r"(?:team:)?[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,98}[A-Za-z0-9_-])?"


def _explain_reviewer(text: str) -> str:
    """Say what is wrong with a reviewer of pull requests."""
    name = text.removeprefix("@")
    if name != text and re.fullmatch(_REVIEWER, name):
        return f"write the login name without @, {shown(name)}"
    return f"{shown(text)} is neither a login name nor team:NAME"


REVIEWER = Text(_REVIEWER, _explain_reviewer)
# `*` stands for any text; one pattern may not be nothing but wildcards.
DATABASE_HOST = Text(
    r"(?=.*[A-Za-z0-9])[A-Za-z0-9_*.:-]{1,253}",
    "is no host: a name or an address, * for any text, no scheme and no port",
)
NAME_OF_SECRET = Text(
    r"(?=.*[a-z0-9])[a-z0-9*.-]{1,253}",
    "is no name of a Secret: lower-case letters, digits, - and .; * any text",
)
STORE_KEY = Text(
    r"(?=.*[A-Za-z0-9])[^\u0000-\u0020\u007f]{1,300}",
    "is no STORE/KEY of outside secrets, like vault/prod/*",
)
SETTING = Text(
    r"(?=[^=]*[A-Za-z0-9])[A-Za-z0-9_.*-]{1,253}(?:=[^\u0000-\u001f\u007f]{1,300})?",
    "is no setting: NAME or NAME=VALUE, * for any text in the name",
)
VALUE_KEY = Text(
    r"[^\u0000-\u001f\u007f]{1,300}", "must be on one line, at most 300 characters, like image.tag"
)
_VALUE_PATTERN = r"(?=.*\(\?P<value>)[^\u0000-\u001f\u007f]{1,200}"
_VALUE_TEXT = r"[^\u0000-\u001f\u007f{}]*"
VALUE = Text(
    rf"{_VALUE_TEXT}(?:\{{(?:name|tag|digest)\}}{_VALUE_TEXT})+",
    "must hold {tag}, {digest} or {name}, and no other braces",
)


def _explain_value_pattern(text: str) -> str:
    """Say what is wrong with the pattern of a value."""
    if "(?P<value>" not in text:
        return f"{shown(text)} has no group (?P<value>…), which is what is replaced"
    return f"{shown(text)} must be on one line, at most 200 characters"


VALUE_PATTERN = Text(_VALUE_PATTERN, _explain_value_pattern)


def _explain_folders(text: str) -> str:
    """Say what is wrong with a pattern of folders."""
    if "***" in text or set(text) & set("{}"):
        return f"{shown(text)}: the wildcards are * and **, and no others"
    return f"{shown(text)} is no folder below the root, or pattern of such, like charts/**"


FOLDERS = Text(_FOLDERS, _explain_folders)
