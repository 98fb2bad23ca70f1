"""The one door to the `kubernetes` client: requests as JSON, streams, and errors in our words.

Plain requests through its `ApiClient`, which brings what is hard: kubeconfig files, client
certificates, exec plugins, tokens that are renewed. Its generated calls bring nothing that is
needed here. What it does by itself is kept in check:

- a client of our own for each context, never the global configuration;
- time limits and sizes for every answer (it has none), no silent retries (it has three);
- the proxy is the one for the scheme of the server, and `no_proxy` holds (35.0 takes the proxy for
  HTTP last, and forgets `no_proxy`);
- what an exec plugin or the client logs becomes part of our message and is not printed;
- after a 401 the configuration is read again, once: a token file may have been renewed.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from msgspec import Struct

from gitops import tracing
from gitops.core.text.extras import extra_hint
from gitops.core.text.plain import one_line
from gitops.errors import Conflict, Denied, GitopsError, NotFound, TimedOut, Unavailable

KubernetesQuery = Sequence[tuple[str, str]]

INSTALL = extra_hint("cluster")
RIGHTS = "docs/how-to/watch-health.md has the Role that gitops needs"
_CONNECT = 3.0  # seconds
_DEFAULT = "~/.kube/config"
_MERGE = "application/merge-patch+json"


class ListAgain(Unavailable):
    """The server does not know any more what it is asked to go on from (410)."""


class KubernetesResponse(Struct, frozen=True):
    """What a server answered.

    Attributes:
        data: a JSON object.
        time: of the server's clock.
    """

    data: Mapping[str, Any]
    time: datetime


class Connection:
    """One context of a kubeconfig (None: the current one), or the pod that this runs in.

    Args:
        name: what messages call it.
        environ: the caller's environment, for proxies and for being in a pod.
        within: seconds that one request may take, with its answer.

    Attributes:
        rights: what somebody is told who has too few.
    """

    def __init__(
        self, name: str, context: str | None, environ: Mapping[str, str], within: float
    ) -> None:
        self.name = name
        self.host = ""
        self.rights = RIGHTS
        self._context = context
        self._environ = environ
        self._within = within
        self._lock = threading.Lock()
        self._client: Any = None
        self._said: list[str] = []

    def open(self) -> None:
        """Find out where to send requests, where that is not known yet. Raises NotFound."""
        self._connected()

    def get(self, path: str, query: KubernetesQuery = ()) -> KubernetesResponse:
        """Read `path`."""
        return self._ask("GET", path, query, None)

    def patch(self, path: str, body: Mapping[str, Any]) -> KubernetesResponse:
        """Apply a merge patch (RFC 7396)."""
        return self._ask("PATCH", path, (), body)

    def post(self, path: str, body: Mapping[str, Any]) -> KubernetesResponse:
        """Create an object."""
        return self._ask("POST", path, (), body)

    def put(self, path: str, body: Mapping[str, Any]) -> KubernetesResponse:
        """Put an object in place of another."""
        return self._ask("PUT", path, (), body)

    def delete(self, path: str) -> KubernetesResponse:
        """Delete an object."""
        return self._ask("DELETE", path, (), None)

    def text(self, path: str, query: KubernetesQuery = (), *, most: int = 1) -> str:
        """Read an answer that is no JSON: chunks of it until there are `most` bytes or more."""
        parts = self._opened(path, query, (min(_CONNECT, self._within), self._within))
        found = b""
        for part in parts:
            found += part
            if len(found) >= most:
                break
        return found.decode("utf-8", "replace")

    def stream(self, path: str, query: KubernetesQuery, *, longest: float) -> Iterator[bytes]:
        """Open an answer that goes on for `longest` seconds at most, and return its chunks."""
        return self._opened(path, query, (_CONNECT, longest + 10.0))

    def _opened(
        self, path: str, query: KubernetesQuery, times: tuple[float, float]
    ) -> Iterator[bytes]:
        response, _ = self._send("GET", path, query, None, times, whole=False)
        return self._chunks(response)

    def _chunks(self, response: Any) -> Iterator[bytes]:
        from urllib3.exceptions import HTTPError

        from gitops.adapters.http.answers import AnswerRefused

        try:
            yield from response.stream(65536)
        except HTTPError as error:
            raise self._unreachable(error) from None
        except AnswerRefused as error:
            raise self._unread(error) from None
        finally:
            response.close()

    def _ask(
        self, method: str, path: str, query: KubernetesQuery, body: Mapping[str, Any] | None
    ) -> KubernetesResponse:
        times = (min(_CONNECT, self._within), self._within)
        data, headers = self._send(method, path, query, body, times)
        if not isinstance(data, dict):
            raise self._no_json()
        return KubernetesResponse(data, read_date(headers.get("Date")))

    def _send(
        self,
        method: str,
        path: str,
        query: KubernetesQuery,
        body: Mapping[str, Any] | None,
        times: tuple[float, float],
        *,
        whole: bool = True,
    ) -> tuple[Any, Any]:
        """Send a request; one that is not let in is sent again with the configuration read anew.

        Returns the parsed JSON (or the open response, not `whole`), and the headers.
        """
        client = self._connected()
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        from gitops.adapters.http.answers import AnswerRefused

        headers = {"Accept": "application/json, */*"}
        if body is not None:
            headers["Content-Type"] = _MERGE if method == "PATCH" else "application/json"
        for again in (True, False):
            try:
                with self._quiet(), tracing.span("cluster", "client", method=method):
                    data, _, received = client.call_api(
                        path,
                        method,
                        query_params=list(query),
                        header_params=dict(headers),
                        body=body,
                        response_type="object",
                        auth_settings=["BearerToken"],
                        _preload_content=whole,
                        _request_timeout=times,
                    )
                return data, received
            except ApiException as error:
                if error.status == 401 and again:
                    client = self._connected(renew=True)
                    continue
                raise self._refused(error) from None
            except (HTTPError, OSError) as error:
                raise self._unreachable(error) from None
            except AnswerRefused as error:
                raise self._unread(error) from None
            except (ValueError, RecursionError):  # no text, or a document nested without end
                raise self._no_json() from None
        raise AssertionError("the second try returns or raises")

    def _connected(self, *, renew: bool = False) -> Any:
        with self._lock:
            if self._client is None or renew:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Any:
        try:
            from kubernetes import client, config
        except ImportError:
            raise NotFound(
                "the Kubernetes client is not installed, so no cluster can be asked", hint=INSTALL
            ) from None
        import urllib3

        urllib3.disable_warnings()  # of `insecure-skip-tls-verify`, which is the user's choice
        settings = client.Configuration()
        settings.retries = False
        self._said.clear()
        try:
            with self._quiet():
                if self._context is None and _is_pod(self._environ):
                    config.load_incluster_config(client_configuration=settings)
                else:
                    config.load_kube_config(
                        config_file=self._environ.get("KUBECONFIG") or _DEFAULT,
                        context=self._context,
                        client_configuration=settings,
                        persist_config=False,
                    )
        except Exception as error:  # noqa: BLE001 - of a broken file anything comes: YAML's, TypeError
            words = one_line(str(error), 200)
            raise NotFound(
                f"{self.name}: the kubeconfig does not lead to a cluster: {words}",
                hint="`kubectl config get-contexts` lists its contexts; KUBECONFIG names the file",
            ) from None
        self.host = settings.host
        settings.proxy = _proxy(self._environ, settings.host)
        settings.no_proxy = self._environ.get("no_proxy") or self._environ.get("NO_PROXY")
        made = client.ApiClient(settings)
        from gitops.adapters.http.pools import bound

        bound(made.rest_client.pool_manager)
        return made

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Keep the client's log off the terminal, and remember what it said."""
        keeper = _Keeper(self._said)
        root = logging.getLogger()
        root.addHandler(keeper)
        try:
            yield
        finally:
            root.removeHandler(keeper)

    def _refused(self, error: Any) -> GitopsError:
        """Turn an answer with a status into our words."""
        words = _words(error)
        said = f" ({one_line(self._said[-1], 200)})" if self._said else ""
        match error.status:
            case 401:
                return Denied(
                    f"{self.name} does not accept the credentials: expired, or wrong{said}",
                    hint="log in again; the kubeconfig says how",
                )
            case 403:
                return Denied(f"{self.name}: {words}", hint=self.rights)
            case 404:
                return NotFound(f"{self.name}: {words}")
            case 409:
                return Conflict(f"{self.name}: {words}")
            case 410:
                return ListAgain(f"{self.name} answers 410: {words}")
            case 400 | 422:
                return Denied(f"{self.name} refuses it: {words}")
            case _:
                return Unavailable(f"{self.name} answers {error.status}: {words}")

    def _no_json(self) -> GitopsError:
        return Unavailable(f"{self.name} sent something that is no JSON object")

    def _unread(self, error: Exception) -> GitopsError:
        return Unavailable(f"{self.name} is unavailable: {error}")

    def _unreachable(self, error: Exception) -> GitopsError:
        from urllib3.exceptions import ConnectTimeoutError, ProtocolError, ReadTimeoutError

        if isinstance(error, ReadTimeoutError):
            return TimedOut(f"{self.name} did not answer in time")
        if isinstance(error, ConnectTimeoutError):
            return Unavailable(f"{self.name} cannot be reached: no connection in time")
        if isinstance(error, ProtocolError):
            return Unavailable(f"{self.name} closed the connection")
        return Unavailable(f"{self.name} cannot be reached: {_reason(error)}")


class _Keeper(logging.Handler):
    """Keeps messages; as a handler of the root logger it also keeps Python from printing them."""

    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message, the newest few of them."""
        self._said.append(record.getMessage())
        del self._said[:-3]


def _is_pod(environ: Mapping[str, str]) -> bool:
    """In a pod, and there is no kubeconfig."""
    if environ.get("KUBECONFIG") or os.path.exists(os.path.expanduser(_DEFAULT)):
        return False
    return bool(environ.get("KUBERNETES_SERVICE_HOST"))


def _proxy(environ: Mapping[str, str], host: str) -> str | None:
    name = "https_proxy" if host.startswith("https:") else "http_proxy"
    return environ.get(name) or environ.get(name.upper()) or None


def _words(error: Any) -> str:
    """The message of a Kubernetes Status, else the reason of the status line."""
    try:
        told = json.loads(error.body or "")
    except (TypeError, ValueError, RecursionError):
        told = None
    words = told.get("message") if isinstance(told, dict) else None
    return one_line(str(words or error.reason or f"status {error.status}"), 300)


def _reason(error: Exception) -> str:
    """The innermost words of a connection that failed, without the object that tells them."""
    text = str(error)
    return one_line(text.rpartition(": ")[2] or text, 200)


def read_date(header: str | None) -> datetime:
    """Read the Date of an answer; this machine's time where there is none."""
    try:
        return parsedate_to_datetime(header or "").astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return datetime.now(UTC).replace(microsecond=0)
