"""`gitops alerts test`: what would be done about an alert."""

from typing import Annotated

from gitops.cli.options import Argument, RepositoryOptions
from gitops.cli.session import open_for_reading


def test(
    file: Annotated[
        str,
        Argument("FILE", "A body that Alertmanager sent to a webhook; -: standard input.", "file"),
    ],
    where: RepositoryOptions,
) -> int:
    """Say what the server would do about each alert of a body, and why no more; writes nothing.

    Exit 1 when none of them would take anything back.
    """
    from gitops.actions.alerts import AlertMemory, judge_alerts, would_act
    from gitops.cli.render.alerts import print_judged, read_body

    batch = read_body(file)
    with open_for_reading(where, dry_run=True, start="history") as session:
        opened = session()
        _, judged = judge_alerts(opened, batch, AlertMemory())
        asked = tuple(would_act(opened, one) for one in judged)
    return print_judged(asked, where.output)


COMMANDS = {"alerts test": test}
