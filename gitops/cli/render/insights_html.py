"""The report of `gitops insights`: one file, its picture in it, no script, nothing fetched."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from gitops.cli.render.insights_words import durations_of, period_words, trend_words
from gitops.core.insights.numbers import Insights, Numbers
from gitops.core.insights.statistics import Quantiles
from gitops.core.text.plain import day, duration_words

_STYLE = """
:root { color-scheme: light; --ink: #1f2933; --faint: #616e7c; --line: #e4e7eb; --bad: #b3452e }
* { box-sizing: border-box }
body { margin: 0; background: #f5f7fa; color: var(--ink); font: 15px/1.55 system-ui, sans-serif }
main { max-width: 1320px; margin: 0 auto; padding: 40px 24px 64px }
h1 { font-size: 28px; margin: 0 } h2 { font-size: 18px; margin: 40px 0 12px }
.period { color: var(--faint); margin: 4px 0 28px }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: 16px }
.card, .picture, .wide { background: #fff; border: 1px solid var(--line); border-radius: 10px }
.card { padding: 16px 18px }
.card b { display: block; font-size: 26px; line-height: 1.2; margin: 4px 0 }
.card span { color: var(--faint); font-size: 13px } .card.bad b { color: var(--bad) }
.picture { padding: 12px; margin-top: 24px }
.picture svg { width: 100%; height: auto; display: block }
.wide { overflow-x: auto } table { border-collapse: collapse; width: 100% }
th, td { padding: 9px 10px; text-align: right; white-space: nowrap }
th, td { border-top: 1px solid var(--line) }
thead th { border-top: 0; color: var(--faint); font-weight: 600; font-size: 13px }
th:first-child { text-align: left } td small { color: var(--faint) }
.few td { color: var(--faint) } dt { font-weight: 600; margin-top: 10px }
dd { margin: 0; color: var(--faint) }
footer, .warning { color: var(--faint); font-size: 13px } .warning { color: var(--bad) }
@media print { body { background: #fff } .card, .picture, .wide { break-inside: avoid } }
"""
_WORDS = {
    "enough": "20 and more: a number to go by",
    "few": "5 to 19: a first impression",
    "too few": "fewer than 5: a list of cases, no rate",
    "none": "nothing happened",
}
_MEANINGS = (
    ("Deployment", "a release that is no rollback."),
    ("Failed", "a rollback took it away, or the ledger's last word on it is degraded."),
    (
        "Lead time from commit",
        "from when the source commit of a build was made to its release here, where a repository "
        "was named that tells; only of builds that are new here.",
    ),
    (
        "Lead time from build",
        "from the first release of a build anywhere to its release here; what has builds first "
        "has none.",
    ),
    ("To stable", "from a release to when it was first seen stable, the soak included."),
    (
        "To restore",
        "from when it was seen degraded, else from the release, to the rollback or the next "
        "release.",
    ),
    ("To rollback", "from a release to the rollback that took it away."),
    ("Waiting", "from a proposal's head to its approval, where the ledger has it."),
    (
        "95 %",
        "where the true value may lie. Two that meet may be the same: differences between them "
        "may be chance.",
    ),
)


def report(found: Insights, picture: str) -> str:
    """Return the page; `picture` is an SVG of ours, or ""."""
    svg = re.sub(r"^.*?(?=<svg)", "", picture, flags=re.S)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">",
        f"<title>gitops insights, {day(found.until)}</title><style>{_STYLE}</style></head>",
        "<body><main>",
        "<h1>How releases went</h1>",
        f'<p class="period">{escape(period_words(found))} · from Git and the ledger</p>',
        _cards(found.total),
        f'<div class="picture">{svg}</div>' if svg else "",
        f"<p>{escape(_sentence(trend_words(found.total.trend)))}</p>",
        *(f"<p>{escape(_sentence(one))}</p>" for one in found.notes),
        "<h2>By environment</h2>",
        _table(found.environments or (found.total,)),
    ]
    if found.apps:
        parts += ["<h2>By app</h2>", _table(found.apps)]
    parts += [f'<p class="warning">{escape(one)}</p>' for one in found.warnings]
    parts += [
        "<h2>What the words mean</h2><dl>",
        *(f"<dt>{escape(word)}</dt><dd>{escape(text)}</dd>" for word, text in _MEANINGS),
        *(
            f"<dt>{escape(word)} samples</dt><dd>{escape(text)}</dd>"
            for word, text in _WORDS.items()
        ),
        "</dl></main></body></html>",
    ]
    return "\n".join(filter(None, parts)) + "\n"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _cards(total: Numbers) -> str:
    rate, reach = total.failure_rate, total.failure_interval
    week = total.per_week_interval
    cards = [
        (
            "Deployments",
            str(total.deployments),
            f"{total.per_week:.1f} a week, 95 %: {week.low:.1f} to {week.high:.1f}",
            False,
        ),
        (
            "Change failure rate",
            "–" if rate is None else f"{rate:.0%}",
            "" if reach is None else f"95 %: {reach.low:.0%} to {reach.high:.0%}",
            bool(total.failed),
        ),
        _lead_card(total),
        ("Time to restore", *_card(total.to_restore), False),
        ("Time to rollback", *_card(total.to_rollback), False),
        ("Waiting for approval", *_card(total.waiting), False),
    ]
    told = (
        f'<div class="card{" bad" if bad else ""}"><span>{escape(name)}</span>'
        f"<b>{escape(value)}</b><span>{escape(text)}</span></div>"
        for name, value, text, bad in cards
    )
    return f'<div class="cards">{"".join(told)}</div>'


def _lead_card(total: Numbers) -> tuple[str, str, str, bool]:
    if total.lead_from_commit.samples:
        return ("Lead time from commit", *_card(total.lead_from_commit), False)
    return ("Lead time from build", *_card(total.lead), False)


def _card(one: Quantiles) -> tuple[str, str]:
    if one.median is None:
        return "–", "no samples"
    text = f"median of {one.samples}"
    if one.interval is not None:
        low, high = duration_words(one.interval.low), duration_words(one.interval.high)
        text += f", 95 %: {low} to {high}"
    return duration_words(one.median), text


def _table(rows: Iterable[Numbers]) -> str:
    head = (
        "",
        "deployments",
        "a week",
        "failed",
        "95 %",
        "from commit",
        "from build",
        "to stable",
        "to restore",
        "to rollback",
        "waiting",
        "holds",
        "samples",
    )
    body = "".join(_row(one) for one in rows)
    names = "".join(f'<th scope="col">{escape(one)}</th>' for one in head)
    table = f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _row(one: Numbers) -> str:
    reach = one.failure_interval
    cells = (
        str(one.deployments),
        f"{one.per_week:.1f}",
        "–" if one.failure_rate is None else f"{one.failed} ({one.failure_rate:.0%})",
        "–" if reach is None else f"{reach.low:.0%} to {reach.high:.0%}",
    )
    held = f"{one.holds} ({duration_words(one.held)})" if one.holds else "–"
    told = "".join(
        [
            *(f"<td>{escape(cell)}</td>" for cell in cells),
            *map(_cell, durations_of(one)),
            *(f"<td>{escape(cell)}</td>" for cell in (held, one.confidence)),
        ]
    )
    few = ' class="few"' if one.confidence in ("too few", "none") else ""
    return f'<tr{few}><th scope="row">{escape(one.group)}</th>{told}</tr>'


def _cell(one: Quantiles) -> str:
    if one.median is None:
        return "<td>–</td>"
    return (
        f"<td>{escape(duration_words(one.median))}"
        f"<br><small>p90 {escape(duration_words(one.p90 or 0))}</small></td>"
    )
