"""What is wrong for the mesh with the files that a command line's lists, playlists and graphs name: they are read."""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Final

from ffmesh_client.disk import Disk
from ffmesh_protocol.ffmpeg.command_line import CommandLine
from ffmesh_protocol.ffmpeg.lists import wrong_in_graph, wrong_in_list
from ffmesh_protocol.ffmpeg.options import plain
from ffmesh_protocol.ffmpeg.pieces import NO_LINKS, Real, root_path

LIST_BYTES: Final = 8 * 1024 * 1024
"""A longer list is read no further than this."""

_SCRIPTS: Final = frozenset({"filter_script", "filter_complex_script", "vf", "af", "filter", "filter_complex", "lavfi"})


def wrong_inside(
    line: CommandLine, roots: Mapping[str, str], cwd: str, disk: Disk, real: Real = NO_LINKS
) -> Iterator[str]:
    """In sentences."""
    for named in line.lists:
        path = named.place.path
        if root_path(path, roots, cwd, real) is None:
            continue  # that alone keeps it here
        content = disk.content(posixpath.join(cwd, path), LIST_BYTES)
        if content is None:
            continue  # ffmpeg will say so
        option = line.words[named.argument - 1].removeprefix("-") if named.argument else ""
        wrong = (wrong_in_graph if plain(option) in _SCRIPTS else wrong_in_list)(path, content)
        if wrong is not None:
            yield wrong
