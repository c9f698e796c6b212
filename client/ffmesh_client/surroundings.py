"""Where a command was typed, as the disk knows it."""

from collections.abc import Mapping, Sequence

from ffmesh_client.core.submission import Surroundings, in_need_of_real_places
from ffmesh_client.disk import Disk


def surroundings(
    folders: tuple[str, ...],
    environment: Mapping[str, str],
    umask: int,
    paths: Sequence[str],
    roots: Mapping[str, str],
    disk: Disk,
    *,
    stdin_is_terminal: bool,
) -> Surroundings:
    """`folders` are names of the working folder, `paths` what may be paths in the command line. The disk is asked only
    where the letters of a path decide nothing."""
    strangers = in_need_of_real_places(paths, roots)
    asks_the_disk = strangers or len(in_need_of_real_places(folders, roots)) == len(folders)
    return Surroundings(
        folders=folders,
        real_roots={name: disk.real(place) for name, place in roots.items()} if asks_the_disk else {},
        real_paths={path: disk.real(path) for path in strangers},
        environment=dict(environment),
        umask=umask & 0o777,
        stdin_is_terminal=stdin_is_terminal,
    )
