"""`gitops wait` and `gitops watch`."""

from typing import Annotated

from gitops.cli import streams
from gitops.cli.options import (
    Apps,
    Argument,
    Option,
    OptionGroup,
    PushTimeout,
    Record,
    RepositoryOptions,
    Soak,
    Timeout,
    WriteOptions,
)
from gitops.cli.session import open_for_writing, optional_seconds
from gitops.errors import Unavailable, UsageError


class ReleaseWaitOptions(OptionGroup):
    """What is waited for, and how long."""

    wanted: Annotated[
        str | None,
        Option(
            "--for",
            metavar="ENV=TAG",
            help="Until ENV runs TAG (or NAME:TAG), also when Git does not ask for it yet.",
        ),
    ] = None
    soak: Soak = None
    timeout: Timeout = None
    follow: Annotated[
        bool, Option("--follow", help="Go on with a newer release when one comes.")
    ] = False
    record: Record = True
    app: Apps = ()


def wait(
    options: ReleaseWaitOptions,
    where: RepositoryOptions,
    words: Annotated[
        tuple[str, ...],
        Argument(
            "[ENV...] [COMMIT]",
            "Environments or groups, APP/ENV for one app of it; or --for ENV=TAG. Behind one, a "
            "commit of its branch; default: the newest release.",
            "environment",
        ),
    ] = (),
    push_timeout: PushTimeout = "60s",
) -> int:
    """Follow Argo CD until a release is live and Healthy, or is not going to be.

    Of several environments and apps the newest release of each, together.

    Exit code 0: Healthy. 1: degraded, or its sync failed. 75: not known yet: too slow, superseded,
    suspended, or it waits for a sync by hand.
    """
    names, asked = _asked(words, options.wanted)
    with open_for_writing(where, WriteOptions(push_timeout=push_timeout)) as session:
        from gitops.actions.argocd.tracker import AwaitedImage
        from gitops.actions.context.named import Named
        from gitops.actions.wait import WaitOptions, WaitRequest
        from gitops.actions.wait import wait as run
        from gitops.cli.render.wait import print_waits, view

        waits = WaitOptions(
            soak=optional_seconds(options.soak),
            timeout=optional_seconds(options.timeout),
            follow=options.follow,
            record=options.record,
        )
        request = WaitRequest(
            named=Named(names, options.app),
            asked=AwaitedImage(asked[1], asked[0]) if asked is not None else None,
            options=waits,
        )
        with view(where.output) as show:
            reports = run(session(), request, show=show)
    several = len(reports) > 1 or (reports[0].overlay.app is not None and not options.app)
    return print_waits(reports, where.output, several=several)


def _asked(
    words: tuple[str, ...], wanted: str | None
) -> tuple[tuple[str, ...], tuple[str | None, str] | None]:
    """Return what is named, and (image or None, tag) where `--for` asks for one."""
    if wanted is None:
        if not words:
            raise UsageError("say which environment", hint="gitops wait dev, or --for dev=1.4.2")
        return words, None
    if words:
        raise UsageError("--for names the environment: leave out the other arguments")
    name, equals, text = wanted.partition("=")
    image, _, tag = text.rpartition(":")
    if not name or not equals or not tag or (":" in text and not image):
        raise UsageError(f"--for {wanted!r} is not ENV=TAG", hint="--for dev=1.4.2")
    return (name,), (image or None, tag)


def watch(
    where: RepositoryOptions,
    environments: Annotated[
        tuple[str, ...],
        Argument("[ENV...]", "The environments; default: all in a cluster.", "environment"),
    ] = (),
    once: Annotated[bool, Option("--once", help="Look once and end, for a cron job.")] = False,
    rollback: Annotated[
        bool,
        Option(
            "--rollback",
            help="Roll back what turns out Degraded, in environments with `onAlert: rollback`: "
            "the newest release only, to a stable one, once, with a hold.",
        ),
    ] = False,
    push_timeout: PushTimeout = "60s",
) -> int:
    """Watch environments, and write what becomes of their releases to the ledger.

    Runs until it is stopped, and may be stopped at any time: it keeps nothing. Prints one line for
    each change; with `-o json` one document for each. With --once the exit code is 75 when
    something could not be looked at.
    """
    from gitops.actions.argocd.observer import ObserverState
    from gitops.cli.lasting import last

    if not once:
        last()
    known = ObserverState()
    missed = False
    while True:
        # Opened anew every hour: what a long time of fetching leaves behind goes with it.
        with open_for_writing(where, WriteOptions(push_timeout=push_timeout)) as session:
            from gitops.actions.watch import watch as run
            from gitops.cli.render.wait import print_event

            for event in run(session(), environments, known, once=once, goes_back=rollback):
                print_event(event, where.output)
                missed = missed or event.is_trouble
                if streams.lost() is not None:
                    return 0  # nobody reads on
        if once:
            return Unavailable.exit_code if missed else 0


COMMANDS = {"wait": wait, "watch": watch}
