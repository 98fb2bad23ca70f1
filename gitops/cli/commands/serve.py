"""`gitops serve`: the page."""

import sys
from typing import Annotated

from gitops.cli.options import Branch, Option, OptionGroup, Repo


class ServeOptions(OptionGroup):
    """What is served, to whom and where."""

    repo: Repo = "."
    branch: Branch = None
    settings: Annotated[
        str | None,
        Option(
            "--settings",
            metavar="FILE",
            help="The server's own settings: who may sign in, secrets; default: nobody signs in, "
            "and whoever runs it is the person.",
            values="folder",
        ),
    ] = None
    read_only: Annotated[bool, Option("--read-only", help="Only show: nobody may act.")] = False
    listen: Annotated[
        str,
        Option(
            "--listen",
            metavar="HOST:PORT",
            help="Where to listen; port 0: a free one.",
        ),
    ] = "127.0.0.1:8080"
    demo: Annotated[
        bool,
        Option(
            "--demo",
            help="Serve a throw-away repository with a story in it, as one of its people, and open "
            "the browser.",
        ),
    ] = False


def serve(options: ServeOptions) -> int:
    """Serve the page: what runs where, and the ways to change it, for people with a browser."""
    from importlib.util import find_spec

    from gitops.core.text.extras import extra_hint
    from gitops.errors import NotFound

    missing = [one for one in ("starlette", "uvicorn", "jinja2") if find_spec(one) is None]
    if missing:
        raise NotFound(
            f"the page needs what the extra [server] installs: no {', '.join(missing)} here",
            hint=extra_hint("server"),
        )
    if options.demo:
        return _serve_demo(options)
    _run(options, options.repo)
    return 0


def _run(options: ServeOptions, repository: str) -> None:
    from gitops.cli.lasting import last
    from gitops.cli.render.terminal import line
    from gitops.server.run import serve as run
    from gitops.server.settings import ServerSettings, read_listen, read_settings

    file = read_settings(options.settings) if options.settings is not None else None
    settings = ServerSettings(
        repository=repository,
        branch=options.branch,
        listen=read_listen(options.listen),
        read_only=options.read_only,
        public_url=(file.get("publicUrl") or None) if file is not None else None,
        file=file,
        demo=options.demo,
    )

    def started(url: str) -> None:
        line(f"Serving {repository} at {url} (Ctrl-C ends it)")
        sys.stdout.flush()
        if options.demo:
            _open_browser(url)

    last()
    run(settings, started)


def _open_browser(url: str) -> None:
    """Show the page, while the server goes on to start: some browsers end before they answer.

    Where there is no screen there are only browsers that would take the terminal, and wait for a
    server that waits for them.
    """
    import os
    import threading
    import webbrowser

    screens = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform != "linux" or any(os.environ.get(name) for name in screens):
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _serve_demo(options: ServeOptions) -> int:
    """Serve the story; whoever runs it is nobody in it, and nothing of it is kept."""
    import os
    import tempfile
    from pathlib import Path

    from gitops.cli.render.terminal import line
    from gitops.server.demo.story import tell_story

    os.environ["GITOPS_CACHE"] = "off"
    os.environ |= {"GIT_COMMITTER_NAME": "gitops", "GIT_COMMITTER_EMAIL": "gitops@example.com"}
    line("Telling the story: six apps, four environments, nine days")
    with tempfile.TemporaryDirectory(prefix="gitops-demo-") as folder:
        _run(options, str(tell_story(Path(folder))))
    return 0


COMMANDS = {"serve": serve}
