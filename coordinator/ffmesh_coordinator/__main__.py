"""`ffmesh-coordinator --config FILE`: the coordinator, in the foreground, until it is told to stop.

`ffmesh-coordinator init` makes its home, with a broker that it runs itself. `ffmesh-coordinator principal …` says who
may take part, whether the coordinator runs or not; `ffmesh principal …` is the same. `backup FILE` copies the database,
also while the coordinator writes; `restore FILE` brings a copy back. `--check` says what is wrong, and starts nothing.

Exit codes: 0 stopped or done; 1 it failed, or the name is unknown or taken; 2 wrong usage or configuration, or another
process has this home; 69 the coordinator does not answer; 78 another coordinator of the cluster is at work.
"""

import argparse
import asyncio
import logging
import os
import shlex
import sys
from pathlib import Path
from typing import Final, NoReturn, cast

import msgspec
import tomli_w

from ffmesh_broker.errors import MosquittoMissing
from ffmesh_broker.private import mosquitto_program
from ffmesh_coordinator import config
from ffmesh_coordinator.shell import backup, commands
from ffmesh_coordinator.shell.backup import BackedUp, Returned
from ffmesh_coordinator.shell.checking import checked
from ffmesh_coordinator.shell.commands import RefusedByCoordinator
from ffmesh_coordinator.shell.errands import Added, Listed, Membership, Rotated
from ffmesh_coordinator.shell.errors import RAN_AND_FAILED, WRONG_USAGE, AnotherIsAlive, HomeError
from ffmesh_coordinator.shell.founding import Founded, Wishes, founded
from ffmesh_coordinator.shell.home import Home
from ffmesh_coordinator.shell.runtime import serve
from ffmesh_protocol import VERSION
from ffmesh_protocol.errors import BadConfig, BadName, FfmeshError
from ffmesh_protocol.finding import lines
from ffmesh_protocol.names import SPOKEN_ROLES
from ffmesh_warden.readiness import readiness

PROGRAM: Final = "ffmesh-coordinator"
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141

WHAT_RUNS: Final = {"agent": "ffmesh-agent --config FILE", "client": "ffmesh agents"}
"""On the machine of who has joined."""

EPILOG: Final = """\
The folder of FILE is the coordinator's home; its database, keys and lock lie there. `init` makes one.
coordinator.toml may say (all of it has defaults):

  cluster = "home"
  public_details = false
  listen = "127.0.0.1"
  public_host = "mesh.example"
  keep_finished_days = 30
  keep_finished_jobs = 10000

  [broker]
  host = "127.0.0.1"
  port = 1883
  passwords = "broker/passwords"
  run = false
  pid_file = "run/broker.pid"
"""


class _Parser(argparse.ArgumentParser):
    """Its errors are one line, as all of ours."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


def main() -> None:
    if sys.platform == "win32":
        _complain(PROGRAM, "it does not run on Windows yet; install it in WSL 2")
        sys.exit(WRONG_USAGE)
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.command is None and arguments.json and not arguments.check:
        parser.error("--json goes with --check")
    if arguments.command is None and arguments.config is None:
        parser.error("--config FILE is missing")
    try:
        sys.exit(_run(arguments))
    except FfmeshError as error:
        _complain(arguments.called, str(error))
        sys.exit(_exit_code(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit finds a reader
        sys.exit(BROKEN_PIPE)


def _exit_code(error: FfmeshError) -> int:
    match error:
        case HomeError() | RefusedByCoordinator() | AnotherIsAlive():
            return error.exit_code
        case BadConfig() | BadName():
            return WRONG_USAGE
        case _:
            return RAN_AND_FAILED


def _run(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "init":
            _say_founded(founded(arguments.home, _wishes(arguments)), arguments)
        case "add":
            added = asyncio.run(commands.added(arguments.home, arguments.name, arguments.role))
            _complain(arguments.called, added.warning)
            _say_membership(added, arguments)
        case "list":
            listed = asyncio.run(commands.listed(arguments.home))
            _say(msgspec.json.encode(listed.principals).decode() if arguments.json else _as_table(listed))
        case "remove":
            removed = asyncio.run(commands.removed(arguments.home, arguments.name))
            _complain(arguments.called, removed.warning)
            if arguments.json:
                _say(msgspec.json.encode(removed.principal).decode())
        case "rotate":
            rotated = asyncio.run(commands.rotated(arguments.home, arguments.name))
            _complain(arguments.called, rotated.warning)
            _say_membership(rotated, arguments)
        case "backup":
            kept = backup.backed_up(Home(arguments.home), arguments.file, force=arguments.force)
            _say(msgspec.json.encode(kept).decode() if arguments.json else _about_backup(kept))
        case "restore":
            back = asyncio.run(backup.returned(Home(arguments.home), arguments.file))
            _say(msgspec.json.encode(back).decode() if arguments.json else _about_restore(back))
        case _:
            return _check(arguments) if arguments.check else _serve(arguments.config)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    found = checked(arguments.config)
    _say(msgspec.json.encode(found).decode() if arguments.json else "\n".join(lines(found.findings)))
    return (0 if found.ok else RAN_AND_FAILED) if found.usable else WRONG_USAGE


def _serve(file: Path) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    told = readiness()  # before anything is started that it is none of
    try:
        asyncio.run(serve(file.absolute().parent, config.load(file), told))
    except ExceptionGroup as group:
        raise _reason(group) from group
    return 0


def _reason(group: ExceptionGroup[Exception]) -> Exception:
    """Why the tasks ended: in one sentence if we have one, else all of it."""
    _, unforeseen = group.split(FfmeshError)
    if unforeseen is not None:
        return group
    first = group.exceptions[0]
    return _reason(cast("ExceptionGroup[Exception]", first)) if isinstance(first, ExceptionGroup) else first


# What is printed


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _complain(program: str, sentence: str | None) -> None:
    """In one line, also where it quotes a log."""
    if sentence is not None:
        sys.stderr.write(f"{program}: {' '.join(sentence.splitlines())}\n")


def _say_membership(change: Added | Rotated, arguments: argparse.Namespace) -> None:
    """The token alone on standard output, for whoever pipes it; beside it, for a person, what to do with it."""
    member = change.principal
    _say(_as_json(change) if arguments.json else _as_lines(member))
    if not arguments.json and member.token is not None and sys.stderr.isatty():
        then = f", then `{WHAT_RUNS[member.role]}`" if member.role in WHAT_RUNS else ""
        _complain(arguments.called, f"on the machine of {member.name}: `ffmesh join TOKEN --root NAME=PATH`{then}")


def _say_founded(found: Founded, arguments: argparse.Namespace) -> None:
    try:
        mosquitto_program()
    except MosquittoMissing as error:
        _complain(arguments.called, f"{error}")
    _say(msgspec.json.encode(found).decode() if arguments.json else _about_home(found))


def _about_home(found: Founded) -> str:
    file, home = Path(found.config), shlex.quote(str(Path(found.config).parent))
    if found.listen in ("127.0.0.1", "::1", "localhost"):
        reach = "for this machine alone: `listen` in that file lets others in"
    else:
        reach = f"where others find it as {found.address}"
    return (
        f"{'made' if found.created else 'nothing to do:'} {file}, for the mesh {found.cluster}\n"
        f"its broker listens on {found.listen}, port {found.port}, {reach}\n"
        f"start it:     {PROGRAM} --config {shlex.quote(str(file))}\n"
        f"let a machine take part:  ffmesh principal add NAME --role agent --home {home}"
    )


def _wishes(arguments: argparse.Namespace) -> Wishes:
    return Wishes(
        cluster=arguments.cluster, listen=arguments.listen, port=arguments.port, advertise=arguments.advertise
    )


def _as_json(added: Added | Rotated) -> str:
    """Name, role, and the token or what stands in the login."""
    member = added.principal
    way = {"token": member.token} if member.login is None else msgspec.structs.asdict(member.login)
    return msgspec.json.encode({"name": member.name, "role": member.role, **way}).decode()


def _as_lines(member: Membership) -> str:
    """The token alone, so that it can be copied as it is; or the login, as in watcher.toml."""
    if member.login is None:
        return member.token or ""
    return tomli_w.dumps(msgspec.structs.asdict(member.login)).rstrip()


def _as_table(listed: Listed) -> str:
    rows = [("NAME", "ROLE", "SINCE"), *((each.name, each.role, each.created_at) for each in listed.principals)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{name:{widths[0]}}  {role:{widths[1]}}  {since}" for name, role, since in rows)


def _about_backup(kept: BackedUp) -> str:
    return (
        f"{kept.file} holds {kept.jobs} jobs ({kept.open_jobs} of them open) and {kept.principals} principals\n"
        f"keep {kept.keep_too} too, in another place: without it nobody's secret in the backup can be read"
    )


def _about_restore(back: Returned) -> str:
    lines = [f"the coordinator has the {back.jobs} jobs of {back.file} again, and the principals of that time"]
    if back.failed:
        lines.append(
            f"{len(back.failed)} of them were open then and may have run since: they are failed now "
            f"(`ffmesh jobs --state failed`), and `ffmesh retry` runs one again"
        )
    lines.append("who was added since must be added again, who was removed since is back: `ffmesh principal list`")
    if back.set_aside is not None:
        lines.append(f"the database of before lies in {back.set_aside}")
    return "\n".join(lines)


# What may be said


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        allow_abbrev=False,
        description="Decides which agent runs which job. Runs in the foreground until it is told to stop (SIGTERM).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE", type=Path, help="coordinator.toml; its folder is the home")
    parser.add_argument(
        "--check",
        action="store_true",
        help="say what is wrong, and end: 0 if nothing is, else 1, or 2 for the file",
    )
    parser.add_argument("--json", action="store_true", help="with --check: one JSON document and nothing else")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {VERSION}")
    # For `ffmesh principal`, which becomes this program: its errors begin as all of its own do.
    parser.add_argument("--called", default=PROGRAM, help=argparse.SUPPRESS)
    parser.set_defaults(command=None, json=False, home=config.default_home(os.environ, os.geteuid()))
    things = parser.add_subparsers(metavar="COMMAND", title="commands")
    _add_init(
        things.add_parser(
            "init",
            help="make a coordinator's home, for a server without `ffmesh up`",
            description="Makes a coordinator's folder, with the files of a Mosquitto that the coordinator starts and "
            "keeps running. What is there already is never overwritten: the same options again change nothing, others "
            "are refused.",
            parents=[_common()],
            allow_abbrev=False,
        )
    )
    principal = things.add_parser(
        "principal",
        help="who may take part",
        description="Who may take part in the mesh: effective at once, whether the coordinator runs or not.",
        parents=[_common()],
        allow_abbrev=False,
    )
    _add_actions(principal)
    copying = things.add_parser(
        "backup",
        help="copy the database, also while the coordinator runs",
        description="Copies the database into FILE, as it is at one moment; a coordinator that runs goes on. "
        "master.key is not in it: keep a copy of that too, in another place.",
        parents=[_common()],
        allow_abbrev=False,
    )
    copying.add_argument("file", metavar="FILE", type=Path, help="made anew, for its owner alone to read")
    copying.add_argument("--force", action="store_true", help="replace FILE if it is there")
    copying.set_defaults(command="backup")
    back = things.add_parser(
        "restore",
        help="bring a backup back; the coordinator must not run",
        description="Puts the database of a backup in the place of the present one, which is set aside. Jobs that "
        "were open when the backup was taken are failed: they may have run since, and nothing runs twice.",
        parents=[_common()],
        allow_abbrev=False,
    )
    back.add_argument("file", metavar="FILE", type=Path, help="what `backup` has made; it stays as it is")
    back.set_defaults(command="restore")
    return parser


def _add_init(init: argparse.ArgumentParser) -> None:
    init.add_argument(
        "--listen",
        metavar="ADDRESS",
        help="where the broker listens (127.0.0.1: this machine only; 0.0.0.0: everywhere)",
    )
    init.add_argument("--port", metavar="N", type=_port, help="of the broker (1883, or the next one that is free)")
    init.add_argument(
        "--advertise",
        metavar="HOST",
        help="the name or address that join tokens tell other machines (what follows from --listen)",
    )
    init.add_argument("--cluster", metavar="NAME", help="the name of the mesh (home)")
    init.set_defaults(command="init")


def _port(word: str) -> int:
    if not word.isdecimal() or not 1 <= int(word) <= 65535:
        raise argparse.ArgumentTypeError(f"{word} is no port: a number from 1 to 65535 is")
    return int(word)


def _add_actions(principal: argparse.ArgumentParser) -> None:
    actions = principal.add_subparsers(metavar="ACTION", title="actions", required=True)
    add = actions.add_parser(
        "add",
        help="let somebody take part",
        description="Lets somebody take part. Agents and clients get a join token, to be pasted on their machine; "
        "watchers and controllers speak plain MQTT and get a login. Both are secrets.",
        parents=[_common()],
        allow_abbrev=False,
    )
    add.add_argument("name", metavar="NAME", help="letters, digits, _ and -; an agent's in lower case")
    add.add_argument("--role", choices=list(SPOKEN_ROLES), required=True, help="what it is in the mesh")
    add.set_defaults(command="add")
    listing = actions.add_parser(
        "list",
        help="show who may take part",
        description="Shows who may take part, without their secrets.",
        parents=[_common()],
        allow_abbrev=False,
    )
    listing.set_defaults(command="list")
    rotate = actions.add_parser(
        "rotate",
        help="give somebody a new secret",
        description="Gives somebody a new secret and prints the token or login with it, as `add` does. What has the "
        "old one is thrown out at once, and its programs end; it stays who it is, and goes on with the new one.",
        parents=[_common()],
        allow_abbrev=False,
    )
    rotate.add_argument("name", metavar="NAME")
    rotate.set_defaults(command="rotate")
    remove = actions.add_parser(
        "remove",
        help="take somebody out",
        description="Takes somebody out: their connections are ended at once, and their jobs with them.",
        parents=[_common()],
        allow_abbrev=False,
    )
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(command="remove")


def _common() -> _Parser:
    """Options that may stand before and after the action."""
    common = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument(
        "--home",
        metavar="DIR",
        type=Path,
        help="the coordinator's home; $XDG_STATE_HOME/ffmesh unless said, for root /var/lib/ffmesh",
    )
    common.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    return common


if __name__ == "__main__":
    main()
