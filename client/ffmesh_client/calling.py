"""From the arguments of a command to a conversation with the mesh, and back to standard output."""

import os
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ffmesh_client import config as client_config
from ffmesh_client.errors import NoSuchId
from ffmesh_protocol.media import printable
from ffmesh_protocol.names import is_name, is_ulid

if TYPE_CHECKING:
    from ffmesh_client.mesh import (
        Mesh,
    )  # imports MQTT, which takes longer than to find out that there is no client.toml

T = TypeVar("T")


def configured(arguments: Namespace) -> client_config.ClientConfig:
    return client_config.load(client_config.found(arguments.config, os.environ, Path.home()))


def conversed(
    config: client_config.ClientConfig, action: "Callable[[Mesh], Awaitable[T]]", *, follow: Iterable[str] = ()
) -> T:
    """What the action gives, once it has had its mesh and the farewell is said."""
    import asyncio

    from ffmesh_client.mesh import Mesh

    async def conversation() -> T:
        async with Mesh.connected(config, follow=follow) as mesh:
            return await action(mesh)

    return asyncio.run(conversation())


def checked_id(text: str) -> str:
    """The id in its one spelling; what cannot be one is known to nobody."""
    if not is_ulid(text.upper()):
        raise NoSuchId(f"no job “{printable(text[:80])}” is known: an id has 26 letters, `ffmesh jobs` shows them")
    return text.upper()


def checked_agent(text: str) -> str:
    """The name; one that no agent can have is known to nobody."""
    if not is_name(text):
        raise NoSuchId(f"no agent “{printable(text[:80])}” is known; `ffmesh agents` lists them")
    return text


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever msgspec can encode
    """One document."""
    import msgspec

    _write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def print_json_lines(values: Iterable[Any]) -> None:
    """One document a line."""
    import msgspec

    for value in values:
        _write(msgspec.json.encode(value) + b"\n")


def complain(sentence: str) -> None:
    """One line on standard error, if that takes it: what is asked for goes on without."""
    with suppress(OSError):
        print(f"ffmesh: {printable(sentence)}", file=sys.stderr)


def _write(content: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
