"""The options of `run` and `submit`, and the submit that they and the surroundings make."""

import math
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from ffmesh_client import calling
from ffmesh_client.config import ClientConfig
from ffmesh_client.core.submission import Surroundings, Wishes, in_need_of_real_places, submission
from ffmesh_client.ids import fresh_ulid
from ffmesh_protocol.limits import LABEL_CHARS, SECONDS_MAX, WORD_CHARS
from ffmesh_protocol.media import printable
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.names import Role, checked_principal

PRIORITY_MOST = 1_000_000


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
        help="what the agent must have, as in encoder=hevc_nvenc; may be repeated",
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


def submit_of(arguments: Namespace, kind: JobKind, config: ClientConfig) -> Submit:
    if arguments.on is not None:
        checked_principal(Role.AGENTS, arguments.on)
    wishes = Wishes(
        priority=arguments.priority,
        on=arguments.on,
        capabilities=tuple(arguments.need),
        timeout_seconds=arguments.timeout,
        labels=dict(arguments.label),
        roots=_roots(arguments.root),
    )
    surroundings = _surroundings(arguments.line[1:], {**config.roots, **wishes.roots})
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


def _surroundings(words: list[str], roots: dict[str, str]) -> Surroundings:
    umask = os.umask(0)
    os.umask(umask)
    folders = _folders(os.environ.get("PWD", ""))
    strangers = in_need_of_real_places(words, roots)
    asks_the_disk = strangers or len(in_need_of_real_places(folders, roots)) == len(folders)
    return Surroundings(
        folders=folders,
        real_roots={name: os.path.realpath(place) for name, place in roots.items()} if asks_the_disk else {},
        real_paths={word: os.path.realpath(word) for word in strangers},
        environment=dict(os.environ),
        umask=umask & 0o777,
        stdin_is_terminal=sys.stdin is not None and sys.stdin.isatty(),  # pyright: ignore[reportUnnecessaryComparison] - it is None when descriptor 0 is closed
    )


def _folders(logical: str) -> tuple[str, ...]:
    """The working folder by the name that people know it by, links unresolved, if the shell told it and it is true."""
    try:
        physical = os.getcwd()  # noqa: PTH109 - a str; Path would normalise it
    except OSError:
        return ()  # it was removed; relative arguments will not be found, absolute ones will
    try:
        is_true = logical.startswith("/") and os.path.samefile(logical, ".")  # noqa: PTH121 - as above
    except OSError:
        is_true = False
    return (logical, physical) if is_true else (physical,)


def _priority(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no whole number") from None
    if abs(number) > PRIORITY_MOST:
        raise ArgumentTypeError(f"priorities lie between {-PRIORITY_MOST} and {PRIORITY_MOST}")
    return number


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
