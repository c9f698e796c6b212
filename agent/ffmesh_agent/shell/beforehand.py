"""What is looked at before a program starts, so that what cannot go well does not begin: its inputs, and its room.

`NotReady` says why not. A root that does not answer holds up its own jobs only, and those no longer than
`asking.ANSWER_SECONDS`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from ffmesh_agent.ffmpeg.command_line import Line, files_in
from ffmesh_agent.ffmpeg.estimate import expected_bytes
from ffmesh_agent.roots import RootPlace
from ffmesh_agent.shell.asking import Asking
from ffmesh_agent.shell.inputs import NotReady, sizes_of
from ffmesh_agent.shell.room import Promise, Room, Sight, Wish, looked
from ffmesh_protocol import media
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.media import RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.reports import FailureKind


class Beforehand:
    def __init__(self, roots: Mapping[str, RootPlace]) -> None:
        self._paths = {name: place.path for name, place in roots.items()}
        self._room = Room(roots)
        self._asking = Asking()

    async def look(self, grant: Grant, as_started: Grant, roots: Mapping[str, str] | None = None) -> None:
        """Returns when its program may start; what it is expected to write is then promised to it until `over`.

        `as_started` is what the grant has become here, and `roots` what its paths begin with: the outputs of a staged
        one are written aside. Whoever is attached to a job hears all of this from its program.
        """
        if grant.kind is JobKind.INTERACTIVE:
            return
        line = files_in(as_started, self._paths if roots is None else roots)
        targets = self._targets(grant)
        if not targets and not any(file.named for file in (*line.inputs, *line.outputs)):
            return
        promises = self._room.promises()
        asked = sorted({file.named.root for file in (*line.inputs, *line.outputs) if file.named is not None})
        roots_asked = " or ".join(f"${root}" for root in asked or sorted({each.root for each in targets}))
        look = partial(_looked, line, targets, promises)
        sights = await self._asking.answer(grant.attempt, "room", look, roots_asked, silence="does not answer")
        self._room.promise(grant.attempt, sights)

    def give_up(self, attempt: str) -> None:
        """Its program is not wanted any more; what hangs is waited for by nobody."""
        self._asking.give_up(attempt)

    def over(self, attempt: str) -> None:
        """Its program has ended, or will not start."""
        self._room.over(attempt)

    def _targets(self, grant: Grant) -> tuple[Wish, ...]:
        """What a staged job says that it writes, where it is to lie in the end."""
        wishes: list[Wish] = []
        for output in grant.outputs if grant.kind is JobKind.STAGED else ():
            try:
                place = media.written((RootPath(root=output.root, path=output.path),), self._paths).rstrip(b"/")
            except PathRefused:
                continue  # and so is the job, elsewhere
            wishes.append(Wish(root=output.root, place=place, expected=None))
        return tuple(wishes)


def _with_what_is_copied(aside: Sequence[Sight], there: Sequence[Sight]) -> Sequence[Sight]:
    """What is made on one file system and is to lie on another needs room on both."""
    devices = {sight.device for sight in aside}
    total = sum(sight.wish.expected or 0 for sight in aside)
    for at, sight in enumerate(there):
        if aside and sight.device not in devices:
            wish = replace(sight.wish, expected=total)
            return (*there[:at], replace(sight, wish=wish, written=0), *there[at + 1 :])
    return there


def _looked(line: Line, targets: tuple[Wish, ...], promises: Mapping[str, tuple[Promise, ...]]) -> tuple[Sight, ...]:
    expected = expected_bytes(line, sizes_of(line.inputs))
    written = tuple(
        Wish(root=output.named.root, place=output.named.place, expected=bytes_)
        for output, bytes_ in zip(line.outputs, expected, strict=True)
        if output.named is not None
    )
    try:
        aside, there = looked(written, promises), looked(targets, promises)
        return (*aside, *_with_what_is_copied(aside, there))
    except OSError as error:
        raise NotReady(f"no room could be found for its output: {error.strerror}", FailureKind.NODE) from error
