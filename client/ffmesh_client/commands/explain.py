"""`ffmesh explain`: what the shim would make of a command line."""

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ffmesh_client import calling
from ffmesh_client import config as client_config
from ffmesh_client.disk import Disk
from ffmesh_client.errors import WrongUsage
from ffmesh_client.explaining import explained, not_understood, roots_of, understood
from ffmesh_client.folders import name_in_a_root, names_of_working_folder
from ffmesh_client.lists_inside import wrong_inside
from ffmesh_protocol.errors import BadConfig
from ffmesh_protocol.ffmpeg.command_line import CommandLine
from ffmesh_protocol.ffmpeg.line import read
from ffmesh_protocol.ffmpeg.pieces import root_path
from ffmesh_protocol.media import RootPath
from ffmesh_protocol.names import checked_name

HELP = """\
Say what the shim would make of a command line of ffmpeg or ffprobe, and run nothing: which of its words name
files, and under which roots these lie; which encoders, decoders, filters and hardware it asks for; whether
standard input and output carry data; and whether it would run on the mesh, or here and why.

    ffmesh explain -- ffmpeg -i /media/in.mkv -c:v libx265 /media/out.mkv
    ffmesh explain --root Movies=/media -- ffmpeg -i /media/in.mkv -vf subtitles=/media/in.srt /media/out.mkv
    ffmesh explain --json -- ffprobe -show_streams in.mkv | jq .needs

The roots are those of client.toml, if there is one, and those of --root; they need not be there. No broker is
asked. Of the disk, only lists, playlists and graphs that the command line names are read.

A path under no root, a word that is not understood for sure, a question as -encoders, a single picture and
ffprobe are reasons to run here. Exit code 0, whatever comes out.
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--root",
        metavar="NAME=PATH",
        action="append",
        default=[],
        help="where the root NAME is, besides those of client.toml; may be repeated",
    )


def run(arguments: Namespace) -> int:
    roots = {**_configured_roots(arguments), **_said_roots(arguments.root)}
    program, *words = arguments.line
    known = understood(program)
    paths: dict[str, str | None] = {}
    if known is None:
        explanation = not_understood(program, words)
    else:
        line = read(known, words)
        cwd = name_in_a_root(names_of_working_folder(), roots)
        real = _where_links_lead(line, roots)
        explanation = explained(line, program, roots, cwd, wrong_inside(line, roots, cwd, Disk(), real), real)
        paths = roots_of(line, roots, cwd, real)
    if arguments.json:
        calling.print_json(explanation)
    else:
        from ffmesh_client.render.explained import show_explanation

        show_explanation(explanation, paths)
    return 0


def _configured_roots(arguments: Namespace) -> dict[str, str]:
    """Without a client.toml there are none; one that is named must be there."""
    is_named = bool(arguments.config or os.environ.get(client_config.VARIABLE))
    try:
        place = client_config.found(arguments.config, os.environ, Path.home())
    except BadConfig:
        if is_named:
            raise
        return {}
    return client_config.load(place).roots


def _said_roots(words: list[str]) -> dict[str, str]:
    """They may be another machine's, so it does not matter what is there."""
    roots: dict[str, str] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or not path:
            raise WrongUsage(f"--root {word}: write it as NAME=PATH, as in --root Movies=/media/movies")
        place = os.path.abspath(Path(path).expanduser())  # noqa: PTH100 - resolve() would follow links
        if roots.setdefault(checked_name("root", name), place) != place:
            raise WrongUsage(f"--root {name} is said twice, at {roots[name]} and at {place}; say it once")
    return roots


def _where_links_lead(line: CommandLine, roots: dict[str, str]) -> dict[str, RootPath]:
    """Of absolute paths that lie under no root by their letters."""
    strangers = {each.place.path for each in line.named if root_path(each.place.path, roots) is None}
    absolute = [path for path in strangers if path.startswith("/") and "\0" not in path]
    if not absolute:
        return {}
    places = {name: os.path.realpath(place) for name, place in roots.items()}
    real = {path: root_path(os.path.realpath(path), places) for path in absolute}
    return {path: place for path, place in real.items() if place is not None}
