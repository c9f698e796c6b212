"""Sentences for what ffmpeg's words reach outside the roots: absolute paths and URLs, wherever the model finds them.

ffmpeg would be stopped by its fence, and say something puzzling. What cannot be told for sure the fence holds; nothing
that is harmless should be refused. `PathRefused` says which word, and why.
"""

from collections.abc import Iterator
from typing import Final

from ffmesh_agent.ffmpeg.command_line import UNDERSTOOD, below, is_stand_in, line_of, read
from ffmesh_agent.ffmpeg.opened import NOTHING_MORE, Opened
from ffmesh_protocol import media
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.ffmpeg.command_line import CommandLine, Named
from ffmesh_protocol.ffmpeg.filter_options import options_of
from ffmesh_protocol.ffmpeg.filters import FILTERS
from ffmesh_protocol.ffmpeg.graphs import parse
from ffmesh_protocol.ffmpeg.meanings import MEANINGS, Kind
from ffmesh_protocol.ffmpeg.muxers import LAVFI
from ffmesh_protocol.ffmpeg.urls import read_url
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
    for url in () if network else (*line.urls, *_urls_in_graphs(line)):
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


def _urls_in_graphs(line: CommandLine) -> Iterator[str]:
    """The model tells those of inputs, outputs and options."""
    options = (option for each in (*line.inputs, *line.outputs) for option in each.options)
    graphs = [each.value for each in (*options, *line.whole) if _is_graph(each.plain)]
    for graph in (*graphs, *(each.name for each in line.inputs if each.form == LAVFI)):
        for part in parse(graph).filters:
            known = FILTERS.get(part.name)
            for option in options_of(part.options, known.order) if known is not None else ():
                meaning = known.meanings.get(option.name or "") if known is not None else None
                if meaning is not None and meaning.is_url:
                    yield from read_url(option.value.text, meaning.use).urls


def _is_graph(option: str) -> bool:
    return option in MEANINGS and MEANINGS[option].kind is Kind.GRAPH
