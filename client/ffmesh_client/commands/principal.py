"""`ffmesh principal`: who may take part. It is the coordinator's own command, run in place of this process."""

import os
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from importlib.util import find_spec
from typing import Final

from ffmesh_client.errors import WrongUsage
from ffmesh_protocol.names import SPOKEN_ROLES

HELP: Final = """\
Says who may take part in the mesh. Run it on the coordinator's machine, as the coordinator's user or as root; what it
changes is in force at once, whether the coordinator runs or not."""

ADD: Final = """\
Lets somebody take part. An agent or a client gets a join token for `ffmesh join`; a watcher or a controller speaks
plain MQTT and gets a broker login. Both are secrets."""

LIST: Final = "Shows who may take part, without their secrets."
ROTATE: Final = """\
Gives somebody a new secret, when the old one may have been seen, and prints the join token or broker login with it as
`add` does. What has the old one is thrown out at once: `run` ends with exit code 77, an agent ends its programs and
itself. It stays who it is: `ffmesh join TOKEN` in the same folder lets it go on, and results that it kept are told
then. What `ffmesh up` runs or has written (its agents, client.toml, watcher.toml) it brings up to date by itself, in a
moment."""

REMOVE: Final = "Takes somebody out: their connections end at once."
ROLES: Final = ", ".join(SPOKEN_ROLES)


def add_arguments(parser: ArgumentParser) -> None:
    _add_common(parser)
    verbs = parser.add_subparsers(metavar="COMMAND", dest="verb", required=True)
    add = verbs.add_parser("add", help="let somebody take part", description=ADD, allow_abbrev=False)
    add.add_argument("name", metavar="NAME", help="letters, digits, _ and -; an agent's in lower case")
    add.add_argument("--role", metavar="ROLE", required=True, choices=SPOKEN_ROLES, help=ROLES)
    listing = verbs.add_parser("list", help="show who may take part", description=LIST, allow_abbrev=False)
    rotate = verbs.add_parser("rotate", help="give somebody a new secret", description=ROTATE, allow_abbrev=False)
    rotate.add_argument("name", metavar="NAME")
    remove = verbs.add_parser("remove", help="take somebody out", description=REMOVE, allow_abbrev=False)
    remove.add_argument("name", metavar="NAME")
    for verb in (add, listing, rotate, remove):
        _add_common(verb)
        verb.add_argument("--json", action="store_true", default=SUPPRESS, help="print JSON and nothing else")
        verb.add_argument("--config", default=SUPPRESS, help=SUPPRESS)  # no matter here, but accepted everywhere


def run(arguments: Namespace) -> int:
    if find_spec("aiosqlite") is None:
        raise WrongUsage("`ffmesh principal` needs the extra `coordinator`: pip install 'ffmesh[coordinator]'")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "ffmesh_coordinator", *_words(arguments)])  # noqa: S606


def _add_common(parser: ArgumentParser) -> None:
    # Suppressed: the default of what stands behind the verb must not take back what stands before it.
    parser.add_argument(
        "--home",
        metavar="DIR",
        default=SUPPRESS,
        help="the coordinator's folder ($XDG_STATE_HOME/ffmesh; for root /var/lib/ffmesh)",
    )


def _words(arguments: Namespace) -> list[str]:
    """The command line as the coordinator's own command takes it."""
    words = ["--called", "ffmesh", "principal", arguments.verb]
    if "name" in arguments:
        words.append(arguments.name)
    if "role" in arguments:
        words += ["--role", arguments.role]
    if "home" in arguments:
        words.append(f"--home={arguments.home}")  # in one word: it may begin with a dash
    if arguments.json:
        words.append("--json")
    return words
