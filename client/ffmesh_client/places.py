"""Roots and programs as a command line says them: `Movies=/media/movies`, `agent-2:Movies=/mnt/it`, `x264=/opt/x264`.

What comes out is absolute and there; anything else is refused with a sentence. Links are not followed: callers name
their files the way they know them.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from ffmesh_client.errors import WrongUsage
from ffmesh_protocol.limits import WORD_CHARS
from ffmesh_protocol.names import Role, checked_name, checked_principal
from ffmesh_protocol.wire import Told

IN_PATH: Final = ""
"""Where a program is that is to be looked up in PATH when it is needed."""

ALWAYS: Final = ("ffmpeg", "ffprobe")
"""On the list of every agent."""

HOW_TO_INSTALL: Final = "install it (Debian, Ubuntu, Raspberry Pi OS: apt install ffmpeg)"


class RootSaid(Told, frozen=True):
    """`agent` is the one agent that it is for; None means everybody."""

    name: str
    path: str
    agent: str | None = None


def root(word: str, *, of_one_agent: bool = False) -> RootSaid:
    """`NAME=PATH`, and `AGENT:NAME=PATH` where that is allowed."""
    names, equals, path = word.partition("=")
    agent, colon, name = names.rpartition(":")
    if not equals or (colon and not of_one_agent):
        form = "[AGENT:]NAME=PATH" if of_one_agent else "NAME=PATH"
        raise WrongUsage(f"--root {word}: write it as {form}, as in --root Movies=/media/movies")
    if colon:
        checked_principal(Role.AGENTS, agent)
    return RootSaid(name=checked_name("root", name), path=_folder(name, path), agent=agent if colon else None)


def roots(words: Iterable[str]) -> dict[str, str]:
    """Of everybody, by name."""
    return {said.name: said.path for said in once_each(map(root, words))}


def once_each(said: Iterable[RootSaid]) -> Iterator[RootSaid]:
    """The same; `WrongUsage` when one of them is to be in two places."""
    places: dict[tuple[str | None, str], str] = {}
    for each in said:
        place = places.setdefault((each.agent, each.name), each.path)
        if place != each.path:
            of_agent = f"{each.agent}:" if each.agent else ""
            raise WrongUsage(f"--root {of_agent}{each.name} is said twice, at {place} and at {each.path}; say it once")
        yield each


def program(word: str) -> tuple[str, str]:
    """`NAME` or `NAME=PATH`: the name, and its absolute path or `IN_PATH`."""
    name, equals, path = word.partition("=")
    if "/" in name:
        raise WrongUsage(f"--program {word}: say by which name jobs call it, as in --program ffmpeg=/opt/ffmpeg")
    if not name or len(name) > WORD_CHARS or not name.isprintable():
        raise WrongUsage(f"--program {word[:80]}: write it as NAME or NAME=PATH, as in --program x264=/opt/x264")
    return name, _executable(word, path) if equals else IN_PATH


def programs(words: Iterable[str]) -> dict[str, str]:
    return dict(map(program, words))


def is_there(name: str, path: str) -> bool:
    """Whether this machine has that program."""
    return shutil.which(path or name) is not None


def missing(listed: Iterable[tuple[str, str]]) -> list[str]:
    """What is wrong with the programs of an agent on this machine, in sentences. It can be mended at any time."""
    sentences: list[str] = []
    for name, path in listed:
        if not is_there(name, path):
            mend = HOW_TO_INSTALL if name in ALWAYS and not path else "install it, or say where it is"
            sentences.append(f"there is no program {path or name}{'' if path else ' in PATH'}: {mend}")
    return sentences


def _folder(name: str, path: str) -> str:
    place = _absolute(f"the root {name}", path)
    if not Path(place).is_dir():
        raise WrongUsage(f"the root {name} cannot be at {place}: there is no such folder")
    return place


def _executable(word: str, path: str) -> str:
    place = _absolute(f"--program {word}", path)
    if not Path(place).is_file() or not os.access(place, os.X_OK):
        raise WrongUsage(f"--program {word}: there is no program {place}")
    return place


def _absolute(what: str, path: str) -> str:
    if not path:
        raise WrongUsage(f"{what}: a path must follow the `=`")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise WrongUsage(f"{what}: this path is not UTF-8, which a configuration file must be; rename it") from None
    return os.path.abspath(Path(path).expanduser())  # noqa: PTH100 - resolve() would follow links


class _RootTable(msgspec.Struct, frozen=True):
    path: str


def with_their_tables(said: Mapping[str, str], there: object) -> dict[str, object]:
    """Roots as an agent.toml has them: each by its path, or by the table that stands there if that says the same."""
    try:
        known = msgspec.convert(there, dict[str, object])
    except msgspec.ValidationError:
        known = {}
    return {name: known[name] if name in known and _path(known[name]) == path else path for name, path in said.items()}


def _path(root: object) -> str | None:
    """Of a table; the plain path of a root needs no keeping."""
    try:
        return msgspec.convert(root, _RootTable).path
    except msgspec.ValidationError:
        return None
