"""Logs as lines of JSON; on a terminal as sentences, and only of what is wrong."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from gitops.core.text.plain import one_line

_LONGEST = 2_000
_FIELDS = ("method", "route", "path", "status", "milliseconds", "person", "id")


class JsonLines(logging.Formatter):
    """One document for each line; what came from outside cannot begin another one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        told: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": one_line(record.getMessage(), _LONGEST),
        }
        told |= {name: vars(record)[name] for name in _FIELDS if vars(record).get(name) is not None}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(told).decode()


class PlainLines(logging.Formatter):
    """A sentence for each record; what came from outside gives the terminal no orders."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; with a traceback below it."""
        line = one_line(record.getMessage(), _LONGEST)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up_logs(stream: TextIO | None = None) -> None:
    """Send what this server and uvicorn log to standard error."""
    target = stream or sys.stderr
    handler = logging.StreamHandler(target)
    is_terminal = target.isatty()
    handler.setFormatter(PlainLines() if is_terminal else JsonLines())
    for name, level in (
        ("gitops", logging.WARNING if is_terminal else logging.INFO),
        ("uvicorn.error", logging.WARNING),
    ):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level)
