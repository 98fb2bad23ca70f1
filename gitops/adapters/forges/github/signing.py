"""Commits that GitHub makes and signs for an App: `Verified` in its pages, without a key of ours.

What GitHub's description says and is relied on: a commit made through the interface by an App,
without author and committer of its own, is signed by GitHub; the answer has the signature and what
was signed, so that the very same object can be made here, and pushed as any other.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from gitops.adapters.forges.github.app import installation_token, words_of
from gitops.adapters.forges.transport.rest import Json, RestApi, open_calls
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.errors import Unavailable
from gitops.ports import Clock

PatchedFile = tuple[str, str, bytes | None]
"""Path, mode (`100644`), and content; None: the file goes."""


class AppSigner:
    """Makes signed commits in one repository on GitHub; nobody is asked before the first one.

    Args:
        app: what the App proves itself by.
        budget: seconds that one commit may take.
    """

    def __init__(
        self,
        address: ForgeAddress,
        app: ForgeToken,
        clock: Clock,
        budget: float,
        environ: Mapping[str, str],
    ) -> None:
        self._address = address
        self._app = app
        self._clock = clock
        self._budget = budget
        self._environ = environ
        self._api: RestApi | None = None
        self._calls = open_calls(address, app, clock, budget)

    def commit(
        self,
        base_tree: str | None,
        files: Sequence[PatchedFile],
        parents: Sequence[str],
        message: str,
    ) -> tuple[str, str, Sequence[bytes]]:
        """Make a commit there; return its id, its tree's, and what its object may be here.

        Of the last, the one with that id is it. Raises what `installation_token` raises, Denied,
        Unavailable.
        """
        api = self._opened()
        with self._calls.door():
            entries = [self._entry(api, *one) for one in files]
            body: dict[str, object] = {"tree": entries}
            if base_tree is not None:
                body["base_tree"] = base_tree
            tree = str(api.send("POST", "/git/trees", body=body)["sha"])
            said = {"message": message, "tree": tree, "parents": list(parents)}
            made = api.send("POST", "/git/commits", body=said)
            proof = made.get("verification") or {}
            if not (proof.get("verified") and proof.get("signature") and proof.get("payload")):
                raise Unavailable(
                    f"{self._address.name} made a commit and did not sign it",
                    hint="only what an App makes is signed: GITHUB_APP_ID must be an App's",
                )
            signed = _objects(str(proof["payload"]), str(proof["signature"]))
            return str(made["sha"]), tree, signed

    def _opened(self) -> RestApi:
        if self._api is None:
            token = installation_token(
                self._address, self._app, self._clock, self._budget, self._environ
            )
            self._calls = open_calls(self._address, token, self._clock, self._budget)
            root = f"{self._address.api_url}/repos/{self._address.repository}"
            header = f"Bearer {token.secret}"
            self._api = RestApi(self._calls, root, self._environ, header, words_of)
        return self._api

    def _entry(self, api: RestApi, path: str, mode: str, content: bytes | None) -> Json:
        entry: dict[str, object] = {"path": path, "mode": mode, "type": "blob"}
        if content is None:
            return {**entry, "sha": None}
        try:
            return {**entry, "content": content.decode("utf-8")}
        except UnicodeDecodeError:
            text = base64.b64encode(content).decode()
            blob = api.send("POST", "/git/blobs", body={"content": text, "encoding": "base64"})
            return {**entry, "sha": str(blob["sha"])}


def _objects(payload: str, signature: str) -> list[bytes]:
    """Return the bodies that a signed commit may have: the signature ends with a line's end or not.

    `gpgsig` stands behind the other headers, each of its lines but the first begins with a blank.
    """
    headers, _, message = payload.partition("\n\n")
    found = []
    for text in (signature, signature.rstrip("\n"), f"{signature.rstrip()}\n"):
        folded = text.replace("\n", "\n ")
        found.append(f"{headers}\ngpgsig {folded}\n\n{message}".encode("utf-8", "surrogateescape"))
    return list(dict.fromkeys(found))
