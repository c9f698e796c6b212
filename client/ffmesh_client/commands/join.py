"""`ffmesh join`: makes this machine take part, with a token from `ffmesh principal add`.

Works with the extra `agent` alone. Not here yet: pairing, and a broker that is reached by TLS.
"""

import base64
import json
import os
import shlex
import sys
import tomllib
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ffmesh_client.config import FILE_NAME
from ffmesh_client.errors import WrongUsage
from ffmesh_client.places import ALWAYS, IN_PATH, missing, programs, roots, with_their_tables
from ffmesh_client.supervisor.home import default_home
from ffmesh_client.writing import made_folder, write_toml
from ffmesh_protocol.errors import BadConfig
from ffmesh_protocol.names import Role, checked_principal
from ffmesh_protocol.tokens import JoinToken, understood

HELP: Final = """\
Makes this machine take part in a mesh: writes agent.toml or client.toml, whichever the token is for. The token comes
from `ffmesh principal add` on the coordinator's machine, and is a secret. To join again with the same name keeps the
roots and programs that are not said anew.

    ffmesh join ffmesh1.eyJ… --root Movies=/media/movies
"""

AGENT_FILE: Final = "agent.toml"
WRITTEN: Final = "Written by `ffmesh join`. It holds a secret: whoever reads it is {login}."
"""The file is for people to edit; a later join with the same name keeps what it does not know better."""

ITSELF: Final = frozenset({"127.0.0.1", "::1", "localhost"})

Table = dict[str, Any]
"""What TOML can say."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("token", metavar="TOKEN", help="from `ffmesh principal add`")
    parser.add_argument(
        "--home",
        metavar="DIR",
        help="where the file goes (an agent: $XDG_STATE_HOME/ffmesh, for root /var/lib/ffmesh; a client: where every "
        "command looks for it, $XDG_CONFIG_HOME/ffmesh)",
    )
    parser.add_argument(
        "--root", metavar="NAME=PATH", action="append", default=[], help="a folder here that jobs may use; repeatable"
    )
    parser.add_argument(
        "--program",
        metavar="NAME[=PATH]",
        action="append",
        default=[],
        help="a program that jobs may run here, besides ffmpeg and ffprobe; repeatable",
    )


def run(arguments: Namespace) -> int:
    token = understood(arguments.token)
    is_agent = token.role is Role.AGENTS
    _check(token)
    if arguments.program and not is_agent:
        raise WrongUsage(f"--program is for agents, and this token makes {token.name} a client")
    said = {"roots": roots(arguments.root)} | ({"programs": programs(arguments.program)} if is_agent else {})
    folder = Path(arguments.home).absolute() if arguments.home else _usual_folder(token.role)
    file = made_folder(folder) / (AGENT_FILE if is_agent else FILE_NAME)
    table = _joined(token, said, _there(file, token))
    write_toml(file, table, comment=WRITTEN.format(login=f"{token.role.singular} {token.name}"))
    _warn(table)
    if arguments.json:
        print(json.dumps({"config": str(file), "role": token.role.singular, "name": token.name}))
    else:
        print(_what_now(file, token, is_usual=not arguments.home))
    return 0


def _check(token: JoinToken) -> None:
    if token.role not in (Role.AGENTS, Role.CLIENTS):
        raise WrongUsage(f"this token is for a {token.role.singular}, which needs a broker login and not a token")
    checked_principal(token.role, token.name)


def _usual_folder(role: Role) -> Path:
    if role is Role.AGENTS:
        return default_home(os.environ, os.geteuid())
    configurations = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(configurations) if configurations.startswith("/") else Path.home() / ".config"
    return folder / "ffmesh"


def _there(file: Path, token: JoinToken) -> Table:
    """What the file says, if it is of this very principal; `WrongUsage` if it is of another."""
    try:
        table = tomllib.loads(file.read_bytes().decode())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadConfig(f"{file} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfig(f"{file} is there and is not TOML ({error}); remove it, or choose another --home") from error
    if (table.get("cluster"), table.get("name")) != (token.cluster, token.name):
        raise WrongUsage(
            f"{file} is of {table.get('name')} in the mesh {table.get('cluster')}, and this token is for {token.name} "
            f"in {token.cluster}; remove the file, or choose another --home"
        )
    for key in ("roots", "programs"):
        if not isinstance(table.get(key, {}), dict):
            raise BadConfig(f"{file}: {key} is no table; mend it, remove the file, or choose another --home")
    return table


def _joined(token: JoinToken, said: Mapping[str, dict[str, str]], there: Table) -> Table:
    kept = there if token.role is Role.CLIENTS else {"programs": dict.fromkeys(ALWAYS, IN_PATH)} | there
    return kept | {
        "cluster": token.cluster,
        "name": token.name,
        "secret": base64.b64encode(token.secret).decode(),
        "kid": token.kid,
        "broker": {"host": token.host, "port": token.port},
        **{key: kept.get(key, {}) | with_their_tables(values, kept.get(key)) for key, values in said.items()},
    }


def _warn(table: Table) -> None:
    for sentence in missing(table.get("programs", {}).items()):
        print(f"ffmesh: {sentence}", file=sys.stderr)
    if table["broker"]["host"] in ITSELF:
        print(
            "ffmesh: this token is good on the broker's own machine only, where the broker listens to nobody else; for "
            "another machine start `ffmesh up` (or `ffmesh-coordinator init`) with --listen and make a new token",
            file=sys.stderr,
        )


def _what_now(file: Path, token: JoinToken, *, is_usual: bool) -> str:
    path = shlex.quote(str(file))
    if token.role is Role.AGENTS:
        return f"{token.name} can take part from here: `ffmesh-agent --config {path}` is all."
    words = "ffmesh agents" if is_usual else f"ffmesh --config {path} agents"
    return f"{token.name} can take part from here, as {path} says: try `{words}`."
