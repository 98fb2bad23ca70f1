"""What every call to a forge has in common, whichever library makes it.

A library's error becomes `ForgeResponse` (the forge said no) or `NoAnswer` (nobody knows whether it
happened) as soon as it leaves the library; an adapter acts on those that mean something to it, and
`Calls.door` makes one of `gitops.errors` of the rest. No text that leaves here holds a token.

Reads are asked again after a fault of the network or the server, writes never: whether one
happened is looked up first. A limit on requests is told with its time, not waited for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

from gitops import tracing
from gitops.adapters.gitrepo.command.process import Scrubber
from gitops.adapters.http.answers import AnswerRefused
from gitops.core.forges.address import NAMES, ForgeAddress
from gitops.core.forges.token import ForgeToken, how_to_give_a_token
from gitops.core.text.extras import extra_hint
from gitops.core.text.plain import one_line, timestamp
from gitops.errors import Denied, GitopsError, NotFound, Refused, TimedOut, Unavailable
from gitops.ports import Clock

T = TypeVar("T")

LONGEST_REQUEST = 15.0
"""Seconds that one request may take with its answer, when the call has that many left."""

PATIENCE = 5.0
"""Seconds that a forge gets to find out whether something merges."""

_TRIES = 3
_LIMIT_WORDS = re.compile(r"rate limit|too many requests|retry your request again later", re.I)


class ForgeResponse(Exception):
    """The forge answered with an error.

    Attributes:
        status: HTTP status.
        words: its own words, one line.
        headers: names in lower case.
    """

    def __init__(self, status: int, words: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {words}")
        self.status = status
        self.words = words
        self.headers = {key.lower(): value for key, value in (headers or {}).items()}


class NoAnswer(Exception):
    """No answer came, or none that could be read; a write may have happened all the same."""

    def __init__(self, words: str, *, late: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.late = late


class Calls:
    """How an adapter talks to its forge, and how long.

    Args:
        translate: a context manager that turns the library's errors into Answered and NoAnswer.
        budget: seconds that one question or change of the port may take, with all its requests.
    """

    def __init__(
        self,
        address: ForgeAddress,
        token: ForgeToken,
        translate: Callable[[], AbstractContextManager[None]],
        clock: Clock,
        budget: float,
    ) -> None:
        self.address = address
        self._token = token
        self._translate = translate
        self._clock = clock
        self._budget = budget
        self._end = clock.monotonic() + budget
        self._scrub = Scrubber((token.secret,))

    def __repr__(self) -> str:
        return f"Calls({self.address.name!r})"

    @property
    def left(self) -> float:
        """Seconds that are left of the budget."""
        return self._end - self._clock.monotonic()

    def seconds(self) -> float:
        """Return the time that the next request may take, with its answer."""
        return max(min(LONGEST_REQUEST, self.left), 0.01)

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return self._clock.now()

    def words(self, text: object) -> str:
        """Return what a server said, fit for a message."""
        return one_line(self._scrub(str(text)), 300) or "no reason given"

    def read(self, ask: Callable[[], T]) -> T:
        """Ask what changes nothing; again when the network or the server stumbles."""
        for number in range(1, _TRIES + 1):
            try:
                return self.write(ask)
            except (ForgeResponse, NoAnswer) as error:
                if number == _TRIES or not self._may_ask_again(error):
                    raise
                self._clock.pause(min(number, max(self.left, 0.0)))
        raise AssertionError("the last try returns or raises")

    def write(self, do: Callable[[], T]) -> T:
        """Do it once. Raises NoAnswer when nobody knows whether it was done."""
        if self.left <= 0:
            raise NoAnswer("the time for this call is over", late=True)
        with tracing.span("forge", "client", forge=self.address.kind), self._translate():
            return do()

    def poll(self, seconds: float) -> Iterator[None]:
        """Yield at once, then after short pauses, for at most `seconds` of the budget."""
        end = self._clock.monotonic() + min(seconds, self.left)
        longest = 0.2
        while True:
            yield
            if self._clock.monotonic() >= end:
                return
            self._clock.pause(longest)
            longest = min(longest * 2, 1.0)

    def courtesy(self, what: str, do: Callable[[], object]) -> Iterator[str]:
        """Do what a pull request can do without; yield a warning when the forge does not let us."""
        try:
            do()
        except ForgeResponse as error:
            if error.status not in (400, 403, 404, 409, 422):
                raise
            yield f"{what}: {self.words(error.words)}"

    @contextmanager
    def door(self) -> Iterator[None]:
        """Begin one question or change; what is left of Answered and NoAnswer becomes an error.

        Its time begins here: somebody may have thought about a question since the last one.
        """
        self._end = self._clock.monotonic() + self._budget
        try:
            yield
        except ForgeResponse as error:
            raise self._error_of(error) from error
        except NoAnswer as error:
            words = self.words(error.words)
            if error.late:
                raise TimedOut(
                    f"no answer in time from {self.address.name}: {words}", hint="try again"
                ) from error
            raise Unavailable(f"{self.address.name} is unavailable: {words}") from error
        except AnswerRefused as error:
            raise Unavailable(f"{self.address.name} is unavailable: {error}") from error
        except (LookupError, TypeError, AttributeError, ArithmeticError, ValueError) as error:
            # A document that lacks what every such forge has: a proxy's, or another program's.
            raise Unavailable(
                f"{self.address.name} answers, but not as {NAMES[self.address.kind]} does",
                hint="is there a proxy or a login page before it, or another `forge.kind`?",
            ) from error

    def denied(self, words: str) -> Denied:
        """Return the error for somebody who may not do something."""
        return Denied(
            f"{self.address.name} does not allow it: {self.words(words)}",
            hint=f"the token is from {self._token.source}; "
            f"{how_to_give_a_token(self.address)} that may do this",
        )

    def _may_ask_again(self, error: ForgeResponse | NoAnswer) -> bool:
        if self.left <= 0:
            return False
        if isinstance(error, NoAnswer):
            return not error.late
        return error.status in (500, 502, 503, 504) and "retry-after" not in error.headers

    def _error_of(self, error: ForgeResponse) -> GitopsError:
        words, name = self.words(error.words), self.address.name
        if is_limit(error):
            wait = waiting_time(error.headers, self._clock.now())
            return Unavailable(f"{name} takes no more requests for now: {words}", hint=_when(wait))
        if error.status >= 500:
            wait = waiting_time(error.headers, self._clock.now())
            return Unavailable(f"{name} is unavailable ({error.status}): {words}", hint=_when(wait))
        if error.status in (401, 403):
            return self.denied(error.words)
        if error.status == 404:
            return NotFound(
                f"{name}: {words}",
                hint="check the address; forges say the same when the token's owner may not see it",
            )
        if 300 <= error.status < 400:
            return NotFound(f"{name} has moved: {words}", hint="set the remote to its new address")
        return Refused(f"{name} refuses: {words}")


def no_library(address: ForgeAddress, missing: ImportError, extra: str) -> NotFound:
    """Return the error for a forge whose library is not installed; `extra` of ours brings it."""
    return NotFound(
        f"{address.name} needs a library that is not installed: {missing.name}",
        hint=extra_hint(extra),
    )


def no_answer(error: Exception) -> NoAnswer:
    """Return what an error of an HTTP library means: its first cause, and whether that was time.

    The objects that such libraries print along are left out.
    """
    reason: BaseException = error
    while reason.__context__ is not None and reason.__context__ is not reason:
        reason = reason.__context__
        if isinstance(reason, TimeoutError):
            return NoAnswer("it took too long", late=True)
    return NoAnswer(str(reason) or type(reason).__name__)


def is_limit(error: ForgeResponse) -> bool:
    """Say whether a refusal only means that there were too many requests."""
    if error.status == 429:
        return True
    if error.status != 403:
        return False
    used_up = error.headers.get("x-ratelimit-remaining") == "0"
    return used_up or "retry-after" in error.headers or bool(_LIMIT_WORDS.search(error.words))


def waiting_time(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Return when a forge takes requests again, None when it does not tell.

    `Retry-After` is seconds or a date; `X-RateLimit-Reset` (GitHub) and `RateLimit-Reset` (GitLab)
    are seconds since 1970. Header names are in lower case.
    """
    after = headers.get("retry-after", "").strip()
    if after.isdecimal() and len(after) < 8:
        return now + timedelta(seconds=int(after))
    if after:
        try:
            return parsedate_to_datetime(after).astimezone(UTC)
        except (ValueError, OverflowError):
            return None
    for name in ("x-ratelimit-reset", "ratelimit-reset"):
        text = headers.get(name, "").strip()
        if text.isdecimal() and len(text) < 12:
            return datetime.fromtimestamp(int(text), UTC)
    return None


def _when(time: datetime | None) -> str:
    return "try again later" if time is None else f"try again at {timestamp(time)}"
