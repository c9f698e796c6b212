"""`ffmesh`: finds the command and runs it. Nothing is imported here that one of the commands does not need.

Every module of a command has the same three names: `HELP`, what it does, at length; `add_arguments(parser)`; and
`run(arguments) -> int`, which gives the exit code. `arguments` has, besides, `config` (a path or None), `json` (a bool)
and `line` (what stood behind `--`; empty for commands that take no program).

Here an error becomes one line on standard error and an exit code, never a traceback.
"""

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Final, NamedTuple, NoReturn, Protocol, cast

from ffmesh_client import standard


class Row(NamedTuple):
    """`extra` is what must be installed for it, by the name of a package that only this extra brings."""

    module: str
    summary: str
    takes_program: bool = False
    extra: str | None = "rich"


COMMANDS: Final[dict[str, Row]] = {
    "up": Row("ffmesh_client.commands.up", "the whole mesh on this machine, in the foreground"),
    "run": Row("ffmesh_client.commands.run", "run a program on the mesh as if it were here", takes_program=True),
    "submit": Row("ffmesh_client.commands.submit", "hand in a job and print its id", takes_program=True),
    "explain": Row("ffmesh_client.commands.explain", "say what would become of a command line", takes_program=True),
    "jobs": Row("ffmesh_client.commands.jobs", "list jobs, newest first"),
    "job": Row("ffmesh_client.commands.job", "show one job"),
    "wait": Row("ffmesh_client.commands.wait", "wait for jobs and show how far they are"),
    "logs": Row("ffmesh_client.commands.logs", "show the kept end of a job's standard error, or follow it"),
    "cancel": Row("ffmesh_client.commands.cancel", "cancel jobs"),
    "retry": Row("ffmesh_client.commands.retry", "try jobs again that failed or were cancelled"),
    "agents": Row("ffmesh_client.commands.agents", "list agents"),
    "agent": Row("ffmesh_client.commands.agent", "show one agent"),
    "drain": Row("ffmesh_client.commands.drain", "let an agent finish what it has and take no more"),
    "pause": Row("ffmesh_client.commands.pause", "let what an agent runs stand still"),
    "stop": Row("ffmesh_client.commands.stop", "end what an agent runs and hand it back"),
    "resume": Row("ffmesh_client.commands.resume", "let an agent take jobs again, and go on with its own"),
    "top": Row("ffmesh_client.commands.top", "watch the mesh, and act on it", extra="textual"),
    "shim": Row("ffmesh_client.commands.shim", "put the shim where a server looks for ffmpeg", extra=None),
    "principal": Row("ffmesh_client.commands.principal", "say who may take part"),
    "join": Row("ffmesh_client.commands.join", "make this machine take part, with a token", extra=None),
    "doctor": Row("ffmesh_client.commands.doctor", "find out what is wrong, and how to mend it", extra=None),
}

EXIT_CODES: Final = """\
exit codes:
    0    done
    1    it ran and failed, or an id or name is unknown
    2    wrong usage or configuration
    69   no broker, coordinator or agent could be reached that is needed
    77   refused: key, role, access list, a path under no root, a program that no agent lists
    run and wait give the program's own code, or 128+N for signal N;
    cancelled 130, timed out 124, lost or any other end without the program's 1
"""

DESCRIPTION: Final = "Every machine in the house does the work of ffmpeg."

GENERAL: Final = """\
every command:
    --config FILE    client.toml to use; else $FFMESH_CONFIG, else $XDG_CONFIG_HOME/ffmesh/client.toml,
                     else /etc/ffmesh/client.toml
    --json           print one JSON document (or one a line, where it follows) and nothing else
    --help           say more

Both are accepted anywhere before --. `ffmesh COMMAND --help` says more about a command.
"""

ON_WINDOWS: Final = frozenset({"explain"})
"""Which commands run there. The others speak of signals, terminals or processes in ways that only POSIX has."""

FAILED: Final = 1
WRONG_USAGE: Final = 2
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141


class Command(Protocol):
    HELP: str

    @staticmethod
    def add_arguments(parser: ArgumentParser) -> None: ...

    @staticmethod
    def run(arguments: Namespace) -> int: ...


class OneLineParser(ArgumentParser):
    """Says what is wrong in one line, where argparse would print the usage first.

    And it leaves with the same code if nobody can be told: the argparse of early Pythons 3.11 raises then.
    """

    def error(self, message: str) -> NoReturn:
        _leave(f"{message} (`{self.prog} --help` says more)")


class Wide(RawDescriptionHelpFormatter):
    """Descriptions as they were written."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    standard.hold()
    try:
        try:
            return _run(words)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        standard.silence_stdout()
        return PIPE_CLOSED
    except Exception as error:  # noqa: BLE001 - the edge of the process
        return _said(error)


def _run(words: list[str]) -> int:
    name, rest, line = _split(words)
    row = COMMANDS[name]
    if sys.platform == "win32" and name not in ON_WINDOWS:
        return _complain(f"`ffmesh {name}` does not run on Windows yet; use it in WSL 2", WRONG_USAGE)
    missing = row.extra is not None and find_spec(row.extra) is None
    if missing:
        return _complain(f"`ffmesh {name}` needs the extra `client`: pip install 'ffmesh[client]'", WRONG_USAGE)
    command = cast(Command, import_module(row.module))
    parser = _parser(name, row, command)
    arguments = parser.parse_args(rest)
    if arguments.config == "":
        parser.error("--config names no file: it is empty")
    if line is not None and not row.takes_program:
        parser.error(f"{name} takes no program: leave out `--` and what follows it")
    if row.takes_program and not line:
        parser.error(f"the program stands behind `--`: ffmesh {name} [options] -- PROGRAM ARGS…")
    arguments.line = line or []
    standard.heed_interrupts()
    return command.run(arguments)


def _parser(name: str, row: Row, command: Command) -> OneLineParser:
    usage = f"ffmesh {name} [options] -- PROGRAM ARGS…" if row.takes_program else None
    parser = OneLineParser(
        prog=f"ffmesh {name}",
        usage=usage,
        description=command.HELP,
        formatter_class=Wide,
        conflict_handler="resolve",  # a command may explain these two in its own words
        allow_abbrev=False,  # what is unique today is not unique with the next option
    )
    parser.add_argument("--config", metavar="FILE", help="client.toml to use")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    command.add_arguments(parser)
    return parser


def _split(words: list[str]) -> tuple[str, list[str], list[str] | None]:
    """The command's name, the options around it, and what stands behind `--` (None: there is no `--`)."""
    ours, line = words, None
    if "--" in words:
        at = words.index("--")
        ours, line = words[:at], words[at + 1 :]
    at = 0
    while at < len(ours) and ours[at].startswith("-"):
        if ours[at] in ("-h", "--help"):
            print(_overview())
            raise SystemExit(0)
        if ours[at] == "--version":
            from ffmesh_protocol import VERSION

            print(f"ffmesh {VERSION}")
            raise SystemExit(0)
        if ours[at] not in ("--json", "--config") and not ours[at].startswith("--config="):
            _leave(f"unknown option {ours[at]}: an option of a command stands behind its name")
        at += 2 if ours[at] == "--config" else 1
    if at >= len(ours):
        _leave("which command? `ffmesh --help` lists them")
    name = ours[at]
    if name not in COMMANDS:
        _leave(f"there is no command “{name}”; `ffmesh --help` lists them")
    return name, ours[:at] + ours[at + 1 :], line


def _overview() -> str:
    rows = "\n".join(f"    {name:<12} {row.summary}" for name, row in COMMANDS.items())
    return f"usage: ffmesh COMMAND [options]\n\n{DESCRIPTION}\n\ncommands:\n{rows}\n\n{GENERAL}\n{EXIT_CODES}"


def _leave(sentence: str) -> NoReturn:
    raise SystemExit(_complain(sentence, WRONG_USAGE))


def _complain(sentence: str, code: int) -> int:
    with suppress(OSError):  # the code says it all the same
        print(f"ffmesh: {sentence}", file=sys.stderr)
    return code


def _said(error: BaseException) -> int:
    """The error as one line, and its exit code."""
    from ffmesh_client.exits import of_error
    from ffmesh_protocol.errors import FfmeshError

    if isinstance(error, FfmeshError):
        return _complain(" ".join(str(error).split("\n")), of_error(error))
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f" at {where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where is not None else ""
    return _complain(f"this is a fault of ours, please report it: {type(error).__name__}: {error}{place}", FAILED)
