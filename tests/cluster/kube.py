"""A small client of a Kubernetes API for tests: any object by its apiVersion, kind and name.

Signing in is the official client's matter (certificates, tokens, exec plugins of a kubeconfig).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from kubernetes import config
from kubernetes.client import ApiException, Configuration

_MERGE = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"

Document = dict[str, Any]


class Kube:
    """Talks to the API server that a kubeconfig names."""

    def __init__(self, kubeconfig: Path, context: str | None = None) -> None:
        settings = Configuration()
        # Tests set proxies that lead nowhere, and this client (35.0.0) forgets `no_proxy`.
        settings.proxy = None
        self._client = config.new_client_from_config(
            str(kubeconfig), context, persist_config=False, client_configuration=settings
        )
        self._resources: dict[str, dict[str, tuple[str, bool]]] = {}

    @property
    def url(self) -> str:
        """Where the API server is."""
        return str(self._client.configuration.host)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        **query: str,
    ) -> tuple[int, Any]:
        """Return the status and the document (or text) of one request.

        Raises urllib3's errors when there is no answer at all.
        """
        where = f"{path}?{urlencode(query)}" if query else path
        try:
            answer = self._client.call_api(
                where,
                method,
                header_params={"Content-Type": content_type, "Accept": "application/json"},
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=(5, 30),
            )
            status, text = answer.status, answer.data
        except ApiException as error:
            status, text = error.status or 0, error.body or b""
            if status == 0:
                raise
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode() if isinstance(text, bytes) else text

    def stream(self, path: str) -> Any:
        """Return an open answer, to be read as it comes (a watch)."""
        return self._client.call_api(
            path,
            "GET",
            auth_settings=["BearerToken"],
            _preload_content=False,
            _return_http_data_only=True,
        )

    def call(self, method: str, path: str, body: Any = None, **rest: str) -> Any:
        """Return the document of a request; AssertionError when the server says no."""
        status, answer = self.ask(method, path, body, **rest)
        assert 200 <= status < 300, f"{method} {path}: {status} {answer}"
        return answer

    def apply(self, document: Mapping[str, Any]) -> Document:
        """Make the object so (server-side apply, by force) and return it."""
        path = self.path_of(document)
        query = {"fieldManager": "tests", "force": "true"}
        return self.call("PATCH", path, dict(document), content_type=_APPLY, **query)

    def get(self, api: str, kind: str, name: str, namespace: str | None = None) -> Document | None:
        """Return an object, None when there is none."""
        path = self.path_of(_named(api, kind, name, namespace))
        status, answer = self.ask("GET", path)
        if status == 404:
            return None
        assert status == 200, f"{path}: {status} {answer}"
        return answer

    def list(self, api: str, kind: str, namespace: str | None = None, **query: str) -> list[Any]:
        """Return the objects of a kind."""
        path = self.path_of(_named(api, kind, "", namespace)).rstrip("/")
        return list(self.call("GET", path, **query)["items"])

    def patch(
        self,
        change: Mapping[str, Any],
        *target: str,
        namespace: str | None = None,
        subresource: str = "",
    ) -> Document:
        """Merge `change` into the object named by `target` (apiVersion, kind, name)."""
        api, kind, name = target
        path = self.path_of(_named(api, kind, name, namespace))
        path += f"/{subresource}" if subresource else ""
        return self.call("PATCH", path, dict(change), content_type=_MERGE)

    def delete(self, api: str, kind: str, name: str, namespace: str | None = None) -> None:
        """Delete an object, if it is there."""
        path = self.path_of(_named(api, kind, name, namespace))
        status, answer = self.ask("DELETE", path)
        assert status in (200, 202, 404), f"{path}: {status} {answer}"

    def path_of(self, document: Mapping[str, Any]) -> str:
        """Return the path of an object, from what the server says about its kind."""
        api, metadata = document["apiVersion"], document["metadata"]
        root = f"/apis/{api}" if "/" in api else f"/api/{api}"
        if document["kind"] not in self._resources.get(api, {}):
            self._resources[api] = {
                one["kind"]: (one["name"], one["namespaced"])
                for one in self.call("GET", root)["resources"]
                if "/" not in one["name"]
            }
        plural, namespaced = self._resources[api][document["kind"]]
        namespace = metadata.get("namespace")
        inside = f"/namespaces/{namespace}" if namespaced and namespace else ""
        return f"{root}{inside}/{plural}/{metadata['name']}"


def _named(api: str, kind: str, name: str, namespace: str | None) -> Document:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api, "kind": kind, "metadata": metadata}
