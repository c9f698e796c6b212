"""`ffmesh shim`: puts the shim where a server looks for ffmpeg, and takes it away."""

import os
from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ffmesh_client import calling
from ffmesh_protocol.errors import BadConfig

if TYPE_CHECKING:
    from ffmesh_client.shim.installing import Note
    from ffmesh_client.shim.trying import Trial

HELP: Final = """\
The shim is what a media server calls instead of ffmpeg and ffprobe. It hands the job to the mesh, and what is better
done here, or cannot be done elsewhere, to the program of this machine. `ffmesh explain` says which and why."""

INSTALL: Final = """\
Puts ffmpeg and ffprobe into DIR (made if it is new). What was there is moved aside and runs what stays on this machine;
`ffmesh shim remove DIR` puts it back. Then the shim is tried with the questions that media servers ask at their start:
the answers must be those of the program that it stands for, byte for byte.

Say it again after an update of ffmesh or of the server.

    ffmesh shim install /opt/ffmesh-shim       a new folder, for the server's setting “path of ffmpeg”
    ffmesh shim install /usr/lib/jellyfin-ffmpeg
"""

REMOVE: Final = "Takes the shim out of DIR, and puts back what was there before."
CHECK: Final = (
    "Says whether the shim in DIR is whole, and tries it as `install` does. Exit code 1 if something is wrong."
)

_AS_WRITTEN: Final[dict[str, Any]] = {"formatter_class": RawDescriptionHelpFormatter, "allow_abbrev": False}


def add_arguments(parser: ArgumentParser) -> None:
    verbs = parser.add_subparsers(metavar="COMMAND", dest="verb", required=True)
    install = verbs.add_parser("install", help="put it into a folder", description=INSTALL, **_AS_WRITTEN)
    install.add_argument(
        "--local",
        metavar="FFMPEG",
        help="the program for what stays here; ffprobe lies beside it (what DIR had, or PATH)",
    )
    install.add_argument(
        "--probes",
        choices=("local", "mesh"),
        default="local",
        help="where ffprobe runs; local unless said: servers probe often, and wait for each answer",
    )
    install.add_argument(
        "--front",
        choices=("auto", "c", "python"),
        default="auto",
        help="what hands calls on; auto: a program in C that is built now where a compiler is at hand, which begins "
        "10 ms sooner than Python does, and 100 ms on a Raspberry Pi",
    )
    remove = verbs.add_parser(
        "remove", help="take it away, and restore what was there", description=REMOVE, **_AS_WRITTEN
    )
    check = verbs.add_parser("check", help="look whether it is whole", description=CHECK, **_AS_WRITTEN)
    for verb in (install, remove, check):
        verb.add_argument("folder", metavar="DIR")
        verb.add_argument("--json", action="store_true", default=SUPPRESS, help="print JSON and nothing else")
        verb.add_argument("--config", metavar="FILE", default=SUPPRESS, help="client.toml to use")


def run(arguments: Namespace) -> int:
    folder = Path(arguments.folder).absolute()
    match arguments.verb:
        case "install":
            return _install(folder, arguments)
        case "remove":
            return _remove(folder, as_json=arguments.json)
        case _:
            return _check(folder, as_json=arguments.json)


def _install(folder: Path, arguments: Namespace) -> int:
    from ffmesh_client.shim import installed, installing

    config = _config(arguments)
    wish = installing.Wish(
        folder=os.fspath(folder),
        config=config or "",
        local=arguments.local,
        probes_on_the_mesh=arguments.probes == "mesh",
        front=arguments.front,
    )
    note = installing.install(wish, os.environ)
    installed.remember(folder)
    if config is None:
        calling.complain(
            "there is no client.toml: everything stays on this machine until there is one "
            "(`ffmesh join TOKEN`, then this command again)"
        )
    return _told(folder, note, as_json=arguments.json)


def _remove(folder: Path, *, as_json: bool) -> int:
    from ffmesh_client.shim import installed, installing

    remarks = installing.remove(folder)
    installed.forget(folder)
    if as_json:
        calling.print_json({"folder": os.fspath(folder), "remarks": remarks})
        return 0
    print(f"the shim is no longer in {folder}")
    for remark in remarks:
        calling.complain(remark)
    return 0


def _check(folder: Path, *, as_json: bool) -> int:
    from ffmesh_client.errors import WrongUsage
    from ffmesh_client.shim import installing

    note = installing.noted(folder)
    if note is None:
        raise WrongUsage(f"there is no shim in {folder}: `ffmesh shim install {folder}` puts it there")
    return _told(folder, note, as_json=as_json)


def _told(folder: Path, note: "Note", *, as_json: bool) -> int:
    """What is there, and whether it answers as it should."""
    from ffmesh_client.shim import installing, trying

    ails = [*installing.ails(folder)]
    trials = trying.tried(folder, note.local)
    failed = [trial for trial in trials if not trial.ok]
    if as_json:
        calling.print_json(_document(folder, note, trials, ails))
        return 1 if failed or ails else 0
    print(f"{folder}/ffmpeg and ffprobe are the shim; what stays here is done by {note.local['ffmpeg']}")
    print(f"{len(trials) - len(failed)} of {len(trials)} questions that servers ask are answered as there")
    print("calls go through C" if note.no_front is None else f"calls go through Python, not C: {note.no_front}")
    for sentence in [*ails, *(f"{' '.join(trial.line)}: {trial.message}" for trial in failed)]:
        calling.complain(sentence)
    return 1 if failed or ails else 0


def _document(folder: Path, note: "Note", trials: "list[Trial]", ails: list[str]) -> dict[str, Any]:
    return {
        "folder": os.fspath(folder),
        "version": note.version,
        "local": note.local,
        "kept": note.kept,
        "config": note.config or None,
        "front": "c" if note.no_front is None else "python",
        "no_front": note.no_front,
        "ails": ails,
        "tried": trials,
    }


def _config(arguments: Namespace) -> str | None:
    """Absolute: the shim runs in any folder, and for users who have no configuration of their own."""
    from ffmesh_client.config import found, load

    try:
        path = found(arguments.config, os.environ, Path.home())
    except BadConfig:
        return None
    load(path)  # what is wrong with it is said now, and not at each film
    return os.path.abspath(path)  # noqa: PTH100 - a link may lead elsewhere tomorrow
