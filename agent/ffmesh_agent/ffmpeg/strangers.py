"""Sentences for what ffmpeg's words reach outside the roots: absolute paths and URLs, wherever the model finds them.

ffmpeg would be stopped by its fence, and say something puzzling. What cannot be told for sure the fence holds; nothing
that is harmless should be refused. `PathRefused` says which word, and why.
"""

from typing import Final

from ffmesh_agent.ffmpeg.command_line import UNDERSTOOD, below, is_stand_in, line_of, read
from ffmesh_agent.ffmpeg.opened import NOTHING_MORE, Opened
from ffmesh_protocol import media
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.ffmpeg.command_line import Named
from ffmesh_protocol.messages.orders import Grant

_SOCKET: Final = " is a socket of this machine"
_DEVICE: Final = " is a device of this machine"
"""Doubts of the model that leave none: these are no job's."""

_BEHIND: Final = "-"
_SHOWN_CHARS: Final = 80


def refuse_strangers(grant: Grant, *, network: bool, opened: Opened = NOTHING_MORE) -> None:
    if grant.program not in UNDERSTOOD:
        return
    line = read(grant)
    if line.behind:  # no file follows, and ffmpeg reads no further; that they are meant for nothing is no excuse
        line = line_of(line.program, (*line.words, _BEHIND))
    for named in line.named:
        _refuse_path(grant, named, opened)
    for doubt in line.doubts:
        if doubt.endswith(_SOCKET):
            raise PathRefused(f"sockets of this machine are not for jobs: {doubt.removesuffix(_SOCKET)}")
        if doubt.endswith(_DEVICE) and not opened.has(device := doubt.removesuffix(_DEVICE)):
            raise PathRefused(f"{device} is an absolute path under no root")
    for url in () if network else line.urls:
        protocol = url.partition(":")[0].partition("+")[0]
        raise PathRefused(
            f"it would open the network ({protocol}:), which its agent does not let this program do: "
            f"in {media.printable(url[:_SHOWN_CHARS])}"
        )


def _refuse_path(grant: Grant, named: Named, opened: Opened) -> None:
    path = named.place.path
    if is_stand_in(path):
        why = "leads out of its root" if below(path, grant.cwd) is None else None
    elif path.startswith("/"):
        why = "is an absolute path under no root" if not opened.has(path) else None
    else:
        why = "leads out of the folder that it belongs to" if media.leads_out(path, grant.cwd) else None
    if why is not None:
        word = media.printable(media.shown(grant.args[named.argument])[:_SHOWN_CHARS])
        shown = word if is_stand_in(path) else media.printable(path[:_SHOWN_CHARS])
        raise PathRefused(f"{shown} {why}" + ("" if shown == word else f": in {word}"))
