"""Images that are deployed when they are pushed: a real registry calls a real server."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cli.commands.test_images_update import Shop
from gitops.server.service import Service
from gitops.server.settings import parse_settings
from images import HttpShelf
from manifests import Manifests
from server.live import serving
from servers.gitea import GiteaServer
from servers.processes import Processes, free_port
from servers.programs import find_program
from servers.registry import DockerRegistry

SECRET = "0123456789abcdef"
ACCESS = 'access:\n  - {{may: [deploy], environments: [dev, test], who: ["registry:{host}"]}}\n'


@contextmanager
def served(
    shop: Shop, every: float = 3600.0, port: int = 0, hook: str = "registry"
) -> Iterator[Service]:
    """A server that looks by itself every so many seconds, and when it is called."""
    settings = f"hooks: [{{kind: {hook}, name: main, secret: {SECRET}}}]\n"
    file = parse_settings(settings.encode(), "settings.yaml")
    with serving(str(shop.manifests.path), file=file, port=port) as service:
        service.images._every = every
        yield service


def await_(question: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not question():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


def call(service: Service) -> int:
    """Call as a registry does."""
    request = urllib.request.Request(
        f"{service.settings.listen.url}/hooks/registry/main",
        json.dumps({"events": []}).encode(),
        {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return int(answer.status)


def get(url: str, **headers: str) -> str:
    """Return a page."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
        return str(answer.read().decode())


def reasons(service: Service) -> dict[str, str]:
    """What was found last: overlay -> why it does not get the newest tag, or what came of that."""
    known = service.images.known
    images = known.images if known is not None else ()
    return {one.finding.overlay.label: one.told or one.finding.why for one in images}


@pytest.fixture
def shop(
    manifests: Manifests, docker_registry: DockerRegistry, monkeypatch: pytest.MonkeyPatch
) -> Shop:
    monkeypatch.setenv("GITOPS_CACHE", "off")
    host = docker_registry.open
    return Shop(manifests, host, docker_registry.new_path(), ACCESS.format(host=host))


@pytest.fixture
def calling(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A registry of its own that calls a port: its host, and the port."""
    with ExitStack() as stack:
        taken = set[int]()
        port, ours = free_port(taken), free_port(taken)
        config = tmp_path / "registry.yml"
        config.write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {tmp_path / 'images'}}}}}\n"
            f'http: {{addr: "127.0.0.1:{port}"}}\n'
            "notifications:\n  endpoints:\n    - name: gitops\n"
            f"      url: http://127.0.0.1:{ours}/hooks/registry/main\n"
            f'      headers: {{Authorization: ["Bearer {SECRET}"]}}\n'
            "      timeout: 5s\n      threshold: 1\n      backoff: 1s\n"
        )
        processes = Processes(tmp_path)
        stack.callback(processes.stop_all)
        program = find_program("docker-registry")
        processes.start("registry", [program, "serve", str(config)], {"HOME": str(tmp_path)})

        def answers() -> bool:
            try:
                return get(f"http://127.0.0.1:{port}/v2/") is not None
            except OSError:
                return False

        await_(answers)
        yield f"127.0.0.1:{port}", ours


def test_a_push_is_a_commit(
    manifests: Manifests, calling: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry itself calls after `docker push`; the commit says in whose name it came."""
    monkeypatch.setenv("GITOPS_CACHE", "off")
    host, port = calling
    shop = Shop(manifests, host, "shop/api", ACCESS.format(host=host))
    with served(shop, port=port) as service:
        await_(lambda: service.images.known)
        shop.push("main-2", 2)
        await_(lambda: shop.tag("dev") == "main-2")

    told = manifests.git("log", "-1", "--format=%an <%ae>%n%B", "main")
    assert f"gitops on behalf of {host} <registry@gitops.invalid>" in told
    assert "Gitops-Via: registry\n" in told
    assert f"Gitops-Actor: registry:{host}\n" in told
    assert "dev, test: shop/api" in told
    assert "main-2" == shop.tag("test")


def test_gitea_calls_for_its_packages(
    manifests: Manifests, gitea: GiteaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own registry, asked with Docker's credentials, and its own hook, signed by it."""
    user, host = gitea.users["ana"], gitea.url.removeprefix("http://")
    auths = {"auths": {host: {"username": "ana", "password": user.token}}}
    monkeypatch.setenv("GITOPS_CACHE", "off")
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps(auths))
    shelf = HttpShelf(host, "ana", user.token)
    path = f"ana/api-{uuid.uuid4().hex[:10]}"
    shop = Shop(manifests, host, path, ACCESS.format(host=host), shelf)
    with served(shop, hook="gitea") as service:
        await_(lambda: service.images.known)
        url = f"{service.settings.listen.url}/hooks/gitea/main"
        config = {"url": url, "content_type": "json", "secret": SECRET}
        hook = {"type": "gitea", "active": True, "config": config, "events": ["package"]}
        made = gitea.call("POST", "/user/hooks", hook, user="ana")
        try:
            shop.push("main-2", 2)
            await_(lambda: shop.tag("dev") == "main-2")
        finally:
            gitea.ask("DELETE", f"/user/hooks/{made['id']}", user="ana")

    assert f"Gitops-Actor: registry:{host}\n" in manifests.git("log", "-1", "--format=%B", "main")


def test_a_missed_hook_is_found(shop: Shop) -> None:
    """It looks by itself; an environment for which no row of `access:` has it stays as it is."""
    shop.push("main-2", 2)
    shop.push("release-1.4-2", 2)
    with served(shop, every=0.2) as service:
        await_(lambda: shop.tag("dev") == "main-2")
        await_(lambda: "stage" in reasons(service))
        shop.push("main-3", 3)
        await_(lambda: shop.tag("dev") == "main-3")
        why = reasons(service)["stage"]

    assert f"no row of `access:` lets registry:{shop.name.host} deploy it to stage" == why
    assert "release-1.4-1" == shop.tag("stage")


def test_held_taken_back_and_older_ones_stay_out(shop: Shop) -> None:
    """Hooks that are sent again, and late ones, change nothing; a rollback's hold holds, and what
    it took back does not come again when that is lifted."""
    with served(shop) as service:
        await_(lambda: service.images.known)
        shop.push("main-2", 2)
        assert 202 == call(service)
        await_(lambda: shop.tag("test") == "main-2")
        assert 0 == shop.manifests.gitops("rollback", "dev", "--yes").code
        shop.push("main-3", 3)
        call(service)
        await_(lambda: shop.tag("test") == "main-3")
        await_(lambda: "held by" in reasons(service).get("dev", ""))
        assert 0 == shop.manifests.gitops("rollback", "test", "--yes").code
        assert 0 == shop.manifests.gitops("resume", "test").code
        shop.push("main-1", 1)
        call(service)
        await_(lambda: "a rollback took it away" in reasons(service).get("test", ""))
        head = shop.manifests.git("rev-parse", "main")
        looks = service.images.looks
        for _ in range(20):
            call(service)
        await_(lambda: service.images.looks > looks)
        looked = service.images.looks

        assert ("main-1", "main-2") == (shop.tag("dev"), shop.tag("test"))
        assert head == shop.manifests.git("rev-parse", "main")
        assert looked - looks <= 2, "once a second at most"


def test_two_replicas_deploy_once(shop: Shop) -> None:
    """Both hear of each push; there is one commit for each."""
    with served(shop) as one, served(shop) as other:
        for service in (one, other):
            await_(lambda service=service: service.images.known)  # type: ignore[misc]
        for hour in (2, 3):
            shop.push(f"main-{hour}", hour)
            threads = [threading.Thread(target=call, args=(each,)) for each in (one, other)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for service in (one, other):
                await_(lambda hour=hour: shop.tag("dev") == f"main-{hour}")  # type: ignore[misc]
                looks = service.images.looks
                call(service)
                await_(lambda service=service, looks=looks: service.images.looks > looks)  # type: ignore[misc]
        log = shop.manifests.git("log", "--format=%s", "-3", "main").split("\n")

    subjects = [line.replace(f"{shop.name}:", "") for line in log]
    assert "dev, test: shop/api main-2 -> main-3" == subjects[0]
    assert "dev, test: shop/api main-1 -> main-2" == subjects[1]
    assert "images are at a registry" == subjects[2]


def test_the_page_and_figures_tell(shop: Shop) -> None:
    """`/images` says what was found and why it does not go in; `/metrics` counts."""
    shop.push("release-1.4-2", 2)
    shop.push("main-2", 2)
    with served(shop) as service:
        await_(lambda: shop.tag("dev") == "main-2")
        await_(lambda: reasons(service).get("dev") == "committed")
        url = service.settings.listen.url
        page = get(f"{url}/images")
        korean = get(f"{url}/images", **{"Accept-Language": "ko"})
        figures = get(f"{url}/metrics")

    assert "Deployed when pushed" in page
    assert "main-2" in page
    assert "no row of `access:` lets" in page
    assert "푸시" in korean
    assert 'gitops_image_deploys{outcome="committed"} 1.0' in figures
    assert "gitops_image_looks " in figures
