"""The options of `run` and `submit`, and the submit that they and the surroundings make."""

import math
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from ffmesh_client import calling, standard
from ffmesh_client.config import ClientConfig
from ffmesh_client.core.submission import (
    CPU,
    Surroundings,
    Wishes,
    paths_in,
    submission,
)
from ffmesh_client.disk import Disk
from ffmesh_client.errors import WrongUsage
from ffmesh_client.folders import names_of_working_folder
from ffmesh_client.ids import fresh_ulid
from ffmesh_client.surroundings import surroundings
from ffmesh_protocol.limits import ATTEMPTS, LABEL_CHARS, SECONDS_MAX, WORD_CHARS
from ffmesh_protocol.media import printable
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.names import Role, checked_principal, is_name

PRIORITY_MOST = 1_000_000
SLOT = "slot="
"""Of the needs this one is no ability of the agent, but room on it."""


def add_options(parser: ArgumentParser) -> None:
    options = parser.add_argument_group("what the job is to have")
    options.add_argument(
        "--priority", metavar="N", type=_priority, default=0, help="higher ones go first; 0 unless said"
    )
    options.add_argument("--on", metavar="AGENT", help="run it on this agent and on no other")
    options.add_argument(
        "--need",
        metavar="KIND=NAME",
        type=_need,
        action="append",
        default=[],
        help="what the agent must have, as in encoder=hevc_nvenc; slot=KIND is the kind of slot that the job takes, "
        "cpu unless said; may be repeated",
    )
    options.add_argument(
        "--after",
        metavar="ID",
        action="append",
        default=[],
        help="begin when that job has succeeded, and end with it when it ends otherwise; may be repeated",
    )
    options.add_argument(
        "--max-attempts",
        metavar="N",
        type=_attempts,
        help="how often it may be tried, as long as trying again makes sense; 1 unless said, of a staged job 3",
    )
    options.add_argument(
        "--timeout", metavar="SECONDS", type=_seconds, help="stop the program when it has run for so long"
    )
    options.add_argument(
        "--label",
        metavar="K=V",
        type=label,
        action="append",
        default=[],
        help="a word to find it by (`ffmesh jobs --label K=V`); `title` is shown; may be repeated",
    )
    options.add_argument(
        "--root",
        metavar="NAME=PATH",
        action="append",
        default=[],
        help="where this machine has the root NAME, besides those of client.toml; may be repeated",
    )


def submit_of(arguments: Namespace, kind: JobKind, config: ClientConfig, outputs: tuple[str, ...] = ()) -> Submit:
    if arguments.on is not None:
        checked_principal(Role.AGENTS, arguments.on)
    wishes = Wishes(
        priority=arguments.priority,
        on=arguments.on,
        capabilities=tuple(need for need in arguments.need if not need.startswith(SLOT)),
        slot=_slot(arguments.need),
        timeout_seconds=arguments.timeout,
        labels=dict(arguments.label),
        roots=_roots(arguments.root),
        after=tuple(dict.fromkeys(calling.checked_id(word) for word in arguments.after)),
        max_attempts=arguments.max_attempts,
        outputs=outputs,
    )
    surroundings = _surroundings(paths_in(kind, arguments.line, wishes), {**config.roots, **wishes.roots})
    submit = submission(fresh_ulid(), kind, arguments.line, wishes, surroundings, config.roots)
    if submit.cwd is None:
        _tell_what_stays_here(arguments.line[1:])
    return submit


def _tell_what_stays_here(words: list[str]) -> None:
    """The program starts in an empty folder, and somebody seems to count on this one."""
    for word in words:
        if not word.startswith(("/", "-")) and os.path.isfile(word):  # noqa: PTH113 - Path fails on a zero byte
            calling.complain(
                f"the program will not find {word}: this folder lies under no root, so it starts in an empty one; "
                "--root NAME=PATH makes it one, if an agent has that root too"
            )
            return


def _roots(words: list[str]) -> dict[str, str]:
    if not words:
        return {}
    from ffmesh_client.places import roots

    return roots(words)


def _slot(needs: list[str]) -> str:
    kinds = {need.removeprefix(SLOT) for need in needs if need.startswith(SLOT)}
    if len(kinds) > 1:
        raise WrongUsage(f"a job takes one slot, and these are of several kinds: {', '.join(sorted(kinds))}; name one")
    return kinds.pop() if kinds else CPU


def _surroundings(paths: list[str], roots: dict[str, str]) -> Surroundings:
    return surroundings(
        names_of_working_folder(),
        os.environ,
        standard.umask(),
        paths,
        roots,
        Disk(),
        stdin_is_terminal=sys.stdin is not None and sys.stdin.isatty(),  # pyright: ignore[reportUnnecessaryComparison] - it is None when descriptor 0 is closed
    )


def _priority(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no whole number") from None
    if abs(number) > PRIORITY_MOST:
        raise ArgumentTypeError(f"priorities lie between {-PRIORITY_MOST} and {PRIORITY_MOST}")
    return number


def _attempts(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= ATTEMPTS:
        raise ArgumentTypeError(f"{text!r}: a job has 1 attempt at least and {ATTEMPTS} at most")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no number of seconds") from None
    if not math.isfinite(seconds) or not 0 < seconds <= SECONDS_MAX:
        raise ArgumentTypeError(f"a timeout is more than 0 and at most {SECONDS_MAX} seconds")
    return seconds


def _need(text: str) -> str:
    kind, equals, name = text.partition("=")
    if not kind or not equals or not name:
        raise ArgumentTypeError(f"{text!r}: write it as KIND=NAME, as in encoder=hevc_nvenc")
    if len(text) > WORD_CHARS:
        raise ArgumentTypeError(f"a need has at most {WORD_CHARS} characters")
    _check_utf8(text)
    if text.startswith(SLOT) and not is_name(name):
        raise ArgumentTypeError(f"{text!r}: kinds of slots are called as in cpu or gpu")
    return text


def label(text: str) -> tuple[str, str]:
    """`K=V`, for `jobs` too."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise ArgumentTypeError(f"{text!r}: write it as K=V, as in title=Holiday")
    if max(len(key), len(value)) > LABEL_CHARS:
        raise ArgumentTypeError(f"a label has at most {LABEL_CHARS} characters on either side")
    _check_utf8(text)
    return key, value


def _check_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ArgumentTypeError(f"{printable(text)} is no UTF-8") from None
