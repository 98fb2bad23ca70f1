"""What registries may answer that real ones on this machine do not: pages, limits, traps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from time import monotonic
from typing import cast

import pytest

from fakes import FakeClock
from gitops import wiring
from gitops.actions.images.known import note
from gitops.adapters.gitrepo.cache.index import KeptIndex, shelf_of
from gitops.adapters.registry.first_look import FirstLook
from gitops.core.images.manifest import OCI_MANIFEST, digest_of
from gitops.core.images.name import ImageName
from gitops.errors import Denied, GitopsError, NotFound, TimedOut, Unavailable
from gitops.ports import Registry
from servers.loopback import Handler, Loopback

SECRET = "swordfish-of-ana"
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": f"sha256:{'e' * 64}",
        },
    }
).encode()
DIGEST = digest_of(MANIFEST)


@dataclass
class Answer:
    """What the server says."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """What the server was asked, and from which port."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    port: int = 0


class Script(Loopback):
    """A server that answers as it is told.

    Attributes:
        answers: (method, path) -> answers, the last of which is given again and again.
        asked: all requests, oldest first.
    """

    def __init__(self) -> None:
        script = self

        class Scripted(Handler):
            def answer(self) -> None:
                told, port = dict(self.headers), self.client_address[1]
                asked = Asked(self.command, self.path, told, self.read_body(), port)
                script.asked.append(asked)
                found = script.answers.get((self.command, self.path))
                found = script.otherwise(asked) if found is None else found
                answer = found if isinstance(found, Answer) else found[0]
                if isinstance(found, list) and len(found) > 1:
                    found.pop(0)
                if self.command == "HEAD":
                    answer = Answer(answer.status, b"", answer.headers)
                self.say(answer.status, answer.headers.items(), answer.body)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

        super().__init__(Scripted)
        self.answers: dict[tuple[str, str], Answer | list[Answer]] = {}
        self.asked: list[Asked] = []
        self.otherwise: Callable[[Asked], Answer] = lambda _: Answer(404)

    @property
    def host(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")

    @property
    def name(self) -> ImageName:
        """A repository there."""
        return ImageName(self.host, "shop/api")

    def give(self, method: str, path: str, *answers: Answer) -> None:
        """Answer `path`, below `/v2/shop/api/` or whole."""
        whole = path if path.startswith("/") else f"/v2/shop/api/{path}"
        self.answers[method, whole] = list(answers)


@pytest.fixture
def server() -> Iterator[Script]:
    """A registry that answers as told."""
    with Script() as made:
        yield made


@pytest.fixture
def other() -> Iterator[Script]:
    """Another server."""
    with Script() as made:
        yield made


def open_registry(*hosts: str, within: float = 10.0) -> Registry:
    """Return the adapter as it is wired, with a password for some hosts."""
    told = {"auths": {host: {"username": "ana", "password": SECRET} for host in hosts}}
    made = FirstLook({"DOCKER_AUTH_CONFIG": json.dumps(told)}, FakeClock(), within)
    return cast("Registry", made)


def show(error: GitopsError) -> str:
    """Return all that people see of an error."""
    return f"{error.message} {error.hint}"


def test_all_pages_of_tags_are_read(server: Script) -> None:
    """The next page is where `Link` says, relative or whole; short pages end nothing."""
    link = {"Link": '</v2/shop/api/tags/list?last=b&n=2>; rel="next"'}
    server.give("GET", "tags/list?n=1000", Answer(200, b'{"tags": ["a", "b"]}', link))
    whole = {"Link": f'<{server.url}/v2/shop/api/tags/list?last=c>; rel="next"'}
    server.give("GET", "tags/list?last=b&n=2", Answer(200, b'{"tags": ["c"]}', whole))
    server.give("GET", "tags/list?last=c", Answer(200, b'{"tags": null}'))
    assert list(open_registry().tags(server.name)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b'{"tags": ["a"]}', {"Link": "<http://127.0.0.1:9/x>; rel=next"}, "another server"),
        (b'{"tags": ["a"]}', {"Link": "<?n=1000>; rel=next"}, "in a circle"),
        (b'{"tags": "all"}', {}, "is none"),
        (b"<html>sign in</html>", {}, "not as a registry"),
        (b"[" * 100_000, {}, "not as a registry"),
        (b'{"tags": [' + b'"a",' * 3_000_000 + b'"a"]}', {}, "longer than"),
        (b'{"tags": []}', {"Content-Encoding": "gzip"}, "compressed"),
    ],
)
def test_lists_that_are_traps_are_told(
    server: Script, body: bytes, headers: Mapping[str, str], words: str
) -> None:
    """Pages elsewhere, circles, floods, login pages: an error that says so, and soon."""
    server.give("GET", "tags/list?n=1000", Answer(200, body, headers))
    with pytest.raises(Unavailable, match=words):
        list(open_registry().tags(server.name))


def test_a_list_that_goes_on_is_left(server: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages in which nothing is are pages, too: all together have a time."""
    monkeypatch.setattr("gitops.adapters.registry.registry._LONGEST_LIST", 0.0)
    link = {"Link": '</v2/shop/api/tags/list?last=b>; rel="next"'}
    server.give("GET", "tags/list?n=1000", Answer(200, b'{"tags": []}', link))
    with pytest.raises(TimedOut, match="does not end"):
        list(open_registry().tags(server.name))


def test_tags_that_are_none_are_left_out(server: Script) -> None:
    """Nothing that a registry calls a tag becomes a path."""
    server.give("GET", "tags/list?n=1000", Answer(200, b'{"tags": ["../x", "ok", "a b"]}'))
    assert list(open_registry().tags(server.name)) == ["ok"]


def test_a_registry_that_says_when_is_asked_then(server: Script) -> None:
    """429 with `Retry-After` is waited for where there is time, else told with the time."""
    found = Answer(200, b"", {"Docker-Content-Digest": DIGEST})
    server.give("HEAD", "manifests/1", Answer(429, b"", {"Retry-After": "3"}), found)
    assert open_registry().resolve(server.name, "1") == DIGEST
    server.answers.clear()
    late = Answer(429, b"", {"Retry-After": "3600"})
    server.give("HEAD", "manifests/1", late)
    server.give("GET", "manifests/1", late)
    with pytest.raises(Unavailable, match="no more requests") as caught:
        open_registry().resolve(server.name, "1")
    assert "try again at" in (caught.value.hint or "")
    assert len(server.asked) == 4


def test_a_registry_that_stumbles_is_asked_again(server: Script) -> None:
    """A fault of the server is no answer to a read."""
    found = Answer(200, b"", {"Docker-Content-Digest": DIGEST})
    server.give("HEAD", "manifests/1", Answer(503), Answer(502), found)
    assert open_registry().resolve(server.name, "1") == DIGEST


def test_an_old_registry_needs_no_header(server: Script) -> None:
    """Without `Docker-Content-Digest` the bytes are what counts."""
    server.give("HEAD", "manifests/1", Answer(200))
    server.give("GET", "manifests/1", Answer(200, MANIFEST, {"Content-Type": OCI_MANIFEST}))
    assert open_registry().resolve(server.name, "1") == DIGEST


def test_all_four_kinds_are_offered(server: Script) -> None:
    """A registry answers 404 for what it was not offered."""
    server.give("HEAD", "manifests/1", Answer(200, b"", {"Docker-Content-Digest": DIGEST}))
    open_registry().resolve(server.name, "1")
    offered = server.asked[0].headers["Accept"]
    assert sum(word in offered for word in ("index.v1", "manifest.v1", "list.v2", "st.v2")) == 4


@pytest.mark.parametrize("headers", [{}, {"Docker-Content-Digest": DIGEST}])
def test_bytes_of_another_digest_are_refused(server: Script, headers: Mapping[str, str]) -> None:
    """A manifest, or a blob, that is not what was asked for is not believed."""
    lie = MANIFEST + b" "
    server.give("GET", f"manifests/{DIGEST}", Answer(200, lie, headers))
    server.give("GET", f"blobs/{DIGEST}", Answer(200, lie))
    registry = open_registry()
    with pytest.raises(Unavailable, match="another digest"):
        registry.manifest(server.name, DIGEST)
    with pytest.raises(Unavailable, match="is another"):
        registry.blob(server.name, DIGEST)


def test_a_digest_that_becomes_another_is_refused(server: Script) -> None:
    """Asked for a digest, a registry may not name a second one."""
    server.give(
        "HEAD",
        f"manifests/{DIGEST}",
        Answer(200, b"", {"Docker-Content-Digest": f"sha256:{'b' * 64}"}),
    )
    with pytest.raises(Unavailable, match="another digest"):
        open_registry().resolve(server.name, DIGEST)


def _bearer(realm: str) -> Answer:
    scope = 'service="s",scope="repository:shop/api:pull"'
    return Answer(401, b"", {"WWW-Authenticate": f'Bearer realm="{realm}",{scope}'})


def test_a_token_is_fetched_once_and_kept(server: Script) -> None:
    """The challenge leads to a token, with the password; the next call has it already."""
    found = Answer(200, b"", {"Docker-Content-Digest": DIGEST})
    server.give("HEAD", "manifests/1", _bearer(f"{server.url}/token"), found)
    server.give(
        "GET",
        "/token?service=s&scope=repository%3Ashop%2Fapi%3Apull",
        Answer(200, b'{"token": "T0ken"}'),
    )
    registry = open_registry(server.host)
    assert registry.resolve(server.name, "1") == registry.resolve(server.name, "1") == DIGEST
    said = [asked.headers.get("Authorization", "")[:6] for asked in server.asked]
    assert said == ["", "Basic ", "Bearer", "Bearer"]
    assert 1 == len({asked.port for asked in server.asked})  # all of it on one connection


def test_a_stale_token_is_replaced_once(server: Script) -> None:
    """A registry that always asks again is not asked for ever."""
    server.give("HEAD", "manifests/1", _bearer(f"{server.url}/token"))
    server.give("GET", "manifests/1", _bearer(f"{server.url}/token"))
    server.give(
        "GET",
        "/token?service=s&scope=repository%3Ashop%2Fapi%3Apull",
        Answer(200, b'{"token": "T0ken"}'),
    )
    with pytest.raises(Denied, match="does not accept the credentials"):
        open_registry(server.host).resolve(server.name, "1")
    assert len(server.asked) < 10


@pytest.mark.parametrize(
    "realm",
    [
        "http://tokens.example.com/t",
        "ftp://127.0.0.1/t",
        "https://a@b.example/t",
        "nowhere",
        "https://[::1/t",
    ],
)
def test_tokens_are_fetched_over_tls_only(server: Script, realm: str) -> None:
    """A realm that is no https URL gets nothing."""
    server.give("HEAD", "manifests/1", _bearer(realm))
    with pytest.raises(Unavailable, match="for a token"):
        open_registry(server.host).resolve(server.name, "1")


def test_the_password_goes_to_no_stranger(server: Script) -> None:
    """A registry that sends for tokens to a host of others' does not get our password there."""
    server.give("HEAD", "manifests/1", _bearer("https://tokens.example.com/t"))
    with pytest.raises(Denied, match="a stranger to it") as caught:
        open_registry(server.host).resolve(server.name, "1")
    assert SECRET not in show(caught.value)


def test_content_elsewhere_is_fetched_without_credentials(server: Script, other: Script) -> None:
    """Storage gets no token: it would refuse it, and has no right to it."""
    basic = Answer(401, b"", {"WWW-Authenticate": 'Basic realm="r"'})
    content = b"content"
    digest = digest_of(content)
    moved = Answer(307, b"", {"Location": f"{other.url}/store?x=1"})
    server.give("GET", f"blobs/{digest}", basic, moved)
    other.give("GET", "/store?x=1", Answer(200, content))
    assert open_registry(server.host, other.host).blob(server.name, digest) == content
    assert "Authorization" in server.asked[1].headers
    assert "Authorization" not in other.asked[0].headers


@pytest.mark.parametrize(
    "where", ["http://store.example.com/x", "file:///etc/passwd", "https://u:p@store.example/x"]
)
def test_redirects_to_plain_places_are_not_followed(server: Script, where: str) -> None:
    """Without TLS nothing is fetched, except on this machine."""
    server.give("GET", f"blobs/{DIGEST}", Answer(302, b"", {"Location": where}))
    with pytest.raises(Unavailable, match=r"no TLS|no URL"):
        open_registry().blob(server.name, DIGEST)


def test_redirects_end(server: Script) -> None:
    """A circle of redirects is left after a few."""
    here = Answer(302, b"", {"Location": f"/v2/shop/api/blobs/{DIGEST}"})
    server.give("GET", f"blobs/{DIGEST}", here)
    with pytest.raises(Unavailable, match="more than 3 times"):
        open_registry().blob(server.name, DIGEST)


def test_what_a_registry_says_is_shown_without_secrets(server: Script) -> None:
    """Its words are cut to one line; our password and token never come back in them."""
    words = f"no \\u001b[31m{SECRET} for you\\n::error::x"
    body = f'{{"errors": [{{"code": "DENIED", "message": "{words}"}}]}}'.encode()
    basic = Answer(401, b"", {"WWW-Authenticate": 'Basic realm="r"'})
    server.give("HEAD", "manifests/1", basic, Answer(403))
    server.give("GET", "manifests/1", Answer(403, body))
    with pytest.raises(Denied, match="DENIED") as caught:
        open_registry(server.host).resolve(server.name, "1")
    assert SECRET not in show(caught.value)
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_an_answer_that_drips_ends_in_time(begin: bytes) -> None:
    """Each byte comes in time and the last one never: the deadline of the call ends it."""

    class Drip(Handler):
        server_stops: Event

        def do_GET(self) -> None:
            self.wfile.write(begin)
            with suppress(OSError):
                while not self.server_stops.wait(0.02):
                    self.wfile.write(b"x")
                    self.wfile.flush()

    with Loopback(Drip) as server:
        Drip.server_stops = server.stopping
        name = ImageName(server.url.removeprefix("http://"), "shop/api")
        begun = monotonic()
        with pytest.raises(TimedOut):
            open_registry(within=0.3).blob(name, DIGEST)
        assert monotonic() - begun < 5


def test_a_registry_that_is_not_there_is_unavailable() -> None:
    """Nobody listens: told with the host, after a few tries."""
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9 cannot be asked"):
        open_registry().resolve(ImageName("127.0.0.1:9", "shop/api"), "1")


def _untaggable(server: Script) -> None:
    """Script a registry whose tag can be taken away, up to the last step."""
    kept = Answer(200, MANIFEST, {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": DIGEST})
    server.give("HEAD", "manifests/f", kept)
    server.give("GET", f"manifests/{DIGEST}", kept)
    server.otherwise = lambda asked: Answer(200 if asked.method == "HEAD" else 404)


def test_an_immutable_tag_stays(server: Script) -> None:
    """A registry that lets no tag be overwritten is told, and nothing is deleted."""
    _untaggable(server)
    body = b'{"errors": [{"code": "TAG_IMMUTABLE", "message": "the tag is immutable"}]}'
    server.give("PUT", "manifests/f", Answer(409, body))
    with pytest.raises(Denied, match="TAG_IMMUTABLE"):
        open_registry().untag(server.name, "f", expect=DIGEST)
    assert [one.path for one in server.asked if one.method == "DELETE"] == [
        f"/v2/shop/api/manifests/sha256:{'0' * 63}1"
    ]


@pytest.mark.parametrize("status", [401, 403, 405])
def test_a_registry_that_deletes_nothing_is_not_written_to(server: Script, status: int) -> None:
    """Whether anything may be deleted is asked first, of what cannot exist."""
    _untaggable(server)
    server.otherwise = lambda asked: Answer(status if asked.method == "DELETE" else 200)
    with pytest.raises(Denied):
        open_registry().untag(server.name, "f", expect=DIGEST)
    assert {asked.method for asked in server.asked} <= {"HEAD", "GET", "DELETE"}


def _taken(server: Script, asked: Asked) -> Answer:
    """Take the manifest that the tag `f` is to name."""
    found = {"Docker-Content-Digest": digest_of(asked.body), "Content-Type": OCI_MANIFEST}
    server.give("HEAD", "manifests/f", Answer(200, b"", found))
    server.give("GET", f"manifests/{digest_of(asked.body)}", Answer(200, asked.body, found))
    return Answer(201)


def test_a_tag_that_cannot_go_gets_its_image_back(server: Script) -> None:
    """Where the last step is refused the tag names what it named before."""
    _untaggable(server)
    put: list[bytes] = []

    def answer(asked: Asked) -> Answer:
        if asked.method == "PUT":
            put.append(asked.body)
            return _taken(server, asked)
        if asked.method == "DELETE":
            return Answer(404 if "0000" in asked.path else 403)
        return Answer(200)

    server.otherwise = answer
    with pytest.raises(Denied):
        open_registry().untag(server.name, "f", expect=DIGEST)
    assert put[-1] == MANIFEST
    assert len(put) == 2


def test_what_an_earlier_call_began_is_finished(server: Script) -> None:
    """A tag that names the throw-away manifest of a call that died is taken away."""
    _untaggable(server)
    put: list[bytes] = []

    def answer(asked: Asked) -> Answer:
        if asked.method == "PUT":
            put.append(asked.body)
            return _taken(server, asked)
        if asked.method == "DELETE" and "0000" not in asked.path:
            return Answer(500)  # and the process dies here
        return Answer(200 if asked.method == "HEAD" else 404)

    server.otherwise = answer
    with pytest.raises(Unavailable):
        open_registry().untag(server.name, "f", expect=DIGEST)
    dummy = digest_of(put[0])
    found = {"Docker-Content-Digest": dummy, "Content-Type": OCI_MANIFEST}
    server.give("HEAD", "manifests/f", Answer(200, b"", found))

    def finish(asked: Asked) -> Answer:
        if asked.method == "DELETE":
            server.give("HEAD", "manifests/f", Answer(404))
            return Answer(202)
        return Answer(404)

    server.otherwise = finish
    server.asked.clear()
    open_registry().untag(server.name, "f", expect=DIGEST)
    deleted = [asked.path for asked in server.asked if asked.method == "DELETE"]
    assert deleted == [f"/v2/shop/api/manifests/{dummy}"]


def test_a_write_is_carried_nowhere_else(server: Script, other: Script) -> None:
    """A registry that sends a deletion elsewhere is told so."""
    _untaggable(server)
    server.otherwise = lambda _: Answer(307, b"", {"Location": f"{other.url}/x"})
    with pytest.raises(Unavailable, match="not carried there"):
        open_registry().untag(server.name, "f", expect=DIGEST)
    assert other.asked == []


def test_a_new_tag_on_what_is_to_go_is_seen(server: Script) -> None:
    """What came since the caller looked is looked at before anything is deleted."""
    server.give("GET", "tags/list?n=1000", Answer(200, b'{"tags": ["new", "old"]}'))
    server.give("HEAD", "manifests/new", Answer(200, b"", {"Docker-Content-Digest": DIGEST}))
    with pytest.raises(GitopsError, match="its tag new"):
        open_registry().delete(server.name, DIGEST, known={"old": f"sha256:{'c' * 64}"})
    assert all(asked.method != "DELETE" for asked in server.asked)


def test_nothing_there_is_said_by_its_name(server: Script) -> None:
    """The words for a missing tag and a missing repository differ."""
    body = b'{"errors": [{"code": "NAME_UNKNOWN", "message": "x"}]}'
    server.give("GET", "manifests/1", Answer(404, body))
    with pytest.raises(NotFound, match="has no repository shop/api"):
        open_registry().resolve(server.name, "1")


def test_a_question_that_was_begun_is_asked_once(server: Script) -> None:
    """Whoever wants to know later hears what was answered to the first; what fails is met again."""
    server.give("HEAD", "manifests/1", Answer(200, headers={"Docker-Content-Digest": DIGEST}))
    made = FirstLook({}, FakeClock(), 10.0)
    made.begin(server.name, "1")
    assert DIGEST == made.resolve(server.name, "1")
    assert ["HEAD"] == [one.method for one in server.asked]

    silent = ImageName("127.0.0.1:9", "shop/api")
    made.begin(silent, "1")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9 cannot be asked"):
        made.resolve(silent, "1")
    made.close()


def test_a_deploy_loads_no_client_for_a_digest(server: Script) -> None:
    """What else registries may want is loaded when one of them wants it."""
    server.give("HEAD", "manifests/1", Answer(200, headers={"Docker-Content-Digest": DIGEST}))
    program = f"""
import sys
from gitops.adapters.local.clock import SystemClock
from gitops.adapters.registry.first_look import FirstLook
from gitops.core.images.name import ImageName
print(FirstLook({{}}, SystemClock(), 9.0).resolve(ImageName({server.host!r}, "shop/api"), "1"))
assert not set(sys.modules) & {{"http.client", "ssl", "gitops.adapters.registry.access"}}
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert DIGEST == done.stdout.strip()


def test_a_deploy_begins_where_the_last_one_looked(
    server: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the URL of the repository alone, before that is opened; of others nothing is known."""
    monkeypatch.setenv("GITOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    server.give("HEAD", "manifests/1", Answer(200, headers={"Docker-Content-Digest": DIGEST}))
    url = "https://git.example.com/shop/manifests.git"
    note(KeptIndex(shelf_of(os.environ, None, url)), {"shop/api": server.name})

    wiring._look_ahead(f"{url}x", None, ["shop/api:1"])
    assert {} == wiring._looks
    wiring._look_ahead(url, None, ["shop/api:1"])
    look = wiring._looks.pop((url, None))
    assert DIGEST == look.resolve(server.name, "1")
    assert 1 == len(server.asked)
    look.close()
