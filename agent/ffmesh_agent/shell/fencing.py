"""The plan of a fence for each program: what it may read and write on this machine, and whether it may use the network.

    read     the roots that its job names (or, as configured, only the folders that it names, and files elsewhere in
             their root to which a name there is a link), what every program needs, what its owner has opened to all of
             them, and what it may write
    write    a private folder; of a staged job the places where its outputs are made; of any other job of ffmpeg the
             folders of its outputs and its working folder; of programs that we do not understand all of its roots;
             nothing of a root that is read-only
    network  none, but for the programs that are configured to have it

Names below a root are resolved from the root's own descriptor, and what leads out of it is left out of the plan. What
the words of a job hide (a playlist, a filter, a hostile file) changes nothing: the kernel asks the fence.

A plan is made in a thread, because a root may never answer: then its job does not start, and nobody else waits. Where
nothing has to be asked of any disk, it needs none.
"""

import asyncio
import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ffmesh_agent.config import AgentConfig
from ffmesh_agent.ffmpeg.command_line import UNDERSTOOD
from ffmesh_agent.ffmpeg.reach import Place as Named
from ffmesh_agent.ffmpeg.reach import folders, places, roots_of
from ffmesh_agent.shell import hanging
from ffmesh_agent.shell.asking import Asking
from ffmesh_agent.shell.at_hand import AtHand, Equipment
from ffmesh_agent.shell.below import LeadsOut, found
from ffmesh_agent.shell.in_force import InForce
from ffmesh_agent.shell.inputs import NotReady
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.reports import FailureKind
from ffmesh_warden.fence import Fence, Kind


@dataclass(frozen=True, slots=True)
class _Folder:
    """Or a single file."""

    name: bytes
    """Without links below its root, which its owner may have reached through some."""
    place: bytes | None = None
    """Where that leads, if others could make it lead elsewhere before the fence stands: by a name without any link."""


class Fencing:
    def __init__(self, config: AgentConfig, force: InForce, search: str) -> None:
        """`search`: the PATH in which programs are looked up."""
        self.force = force
        self._config = config
        self._at_hand = AtHand(search, config.readable)
        self._asking = Asking()
        self._expecting: asyncio.Future[None] | None = None
        self._roots = config.root_paths
        self._read_only = {name for name, place in config.root_places.items() if place.read_only}

    @property
    def called(self) -> str:
        """What tells fences apart that let programs do different things, roots aside."""
        return " ".join((self.force.called, *self._config.readable))

    async def fence(
        self,
        grant: Grant,
        argv0: bytes,
        private: Path,
        aside: Iterable[bytes] = (),
        look: Callable[[], None] | None = None,
    ) -> Fence | None:
        """`aside`: the places where the outputs of a staged job are made. `NotReady`, or `PathRefused`. `look`: what is
        asked of the disks before that, in the same thread: each costs a start a millisecond.

        None: there is none here, and nobody demands one.
        """
        if self.force.refusal is not None:
            raise NotReady(self.force.refusal, FailureKind.NODE)
        if (kind := self.force.kind) is None:
            if look is not None:
                await self._asking.answer(grant.attempt, "links", look, _listed(roots_of(grant)))
            return None
        program = os.fsdecode(argv0)
        network = grant.program in self._config.network
        equipment = self._at_hand.remembered(program, network=network)
        aside = tuple(aside)
        if equipment is not None and not roots_of(grant) and not aside and look is None:
            return self._planned(kind, grant, equipment, private)  # nothing of it lies on any disk

        def plan() -> Fence:
            if look is not None:
                look()
            return self._planned(kind, grant, self._at_hand.found(program, network=network), private, aside)

        return await self._asking.answer(grant.attempt, "fence", plan, _listed(roots_of(grant)))

    async def alone(self, program: str, folder: Path) -> Fence | None:
        """Around a program that runs for nobody: it reads no root, and writes in this folder only."""
        if (kind := self.force.kind) is None:
            return None
        needs = partial(self._at_hand.found, program, network=False)
        equipment = await hanging.started(f"what {program} needs", needs)
        return Fence(kind=kind, read=equipment.readable, write=(os.fsencode(folder),), devices=equipment.devices)

    def expect(self) -> None:
        """Programs that have been started before, one of which will be again in a moment: what they need of the machine
        is looked at meanwhile."""
        ageing = self._at_hand.ageing()
        if ageing and (self._expecting is None or self._expecting.done()):
            self._expecting = hanging.started("what programs need", partial(self._at_hand.look_again, ageing))
            self._expecting.add_done_callback(hanging.heard)

    def give_up(self, attempt: str) -> None:
        self._asking.give_up(attempt)

    def _planned(
        self, kind: Kind, grant: Grant, equipment: Equipment, private: Path, aside: Sequence[bytes] = ()
    ) -> Fence:
        made_in, read, written = list(self._made_in(aside)), list(self._read(grant)), list(self._written(grant))
        return Fence(
            kind=kind,
            read=_names(read, equipment.readable),
            write=_names([*made_in, *written], [os.fsencode(private)]),
            devices=equipment.devices,
            network=grant.program in self._config.network,
            leads=tuple((each.name, each.place) for each in dict.fromkeys([*made_in, *read, *written]) if each.place),
        )

    def _read(self, grant: Grant) -> Iterator[_Folder]:
        if self._config.reads == "inputs":
            yield from self._folders(places(grant), self._roots)
            yield from self._linked(places(grant))
        else:
            yield from (
                _Folder(os.fsencode(self._roots[name])) for name in sorted(roots_of(grant) & self._roots.keys())
            )

    def _written(self, grant: Grant) -> Iterator[_Folder]:
        if grant.kind is JobKind.STAGED:
            return
        roots = {name: place for name, place in self._roots.items() if name not in self._read_only}
        if grant.program in UNDERSTOOD:
            written = list(self._folders((place for place in places(grant) if place.is_written), roots))
        else:
            written = [_Folder(os.fsencode(roots[name])) for name in sorted(roots_of(grant) & roots.keys())]
        yield from (folder for folder in written if not self._is_read_only(folder.name))

    def _made_in(self, aside: Iterable[bytes]) -> Iterator[_Folder]:
        """Below a root they are found anew: what somebody else may change there meanwhile could be a way out."""
        roots = [os.fsencode(root).rstrip(b"/") for root in self._roots.values()]
        for place in aside:
            root = next((root for root in roots if place.startswith(root + b"/")), None)
            folder = _Folder(place) if root is None else _folder(root or b"/", place[len(root) + 1 :])
            if folder is not None:
                yield folder

    def _folders(self, named: Iterable[Named], roots: Mapping[str, str]) -> Iterator[_Folder]:
        for place in named:
            if place.root in roots and (folder := _folder(os.fsencode(roots[place.root]), place.path)) is not None:
                yield folder

    def _linked(self, named: Iterable[Named]) -> Iterator[_Folder]:
        """Files that are links into other folders of their root: what they lead to, and nothing that lies beside it."""
        for place in named:
            if (
                place.root in self._roots
                and (file := _file(os.fsencode(self._roots[place.root]), place.path)) is not None
            ):
                yield file

    def _is_read_only(self, place: bytes) -> bool:
        """Whether it lies in a root that is. `PathRefused`: such a root lies in it, and a fence has no holes."""
        if not self._read_only:
            return False
        real = Path(os.fsdecode(os.path.realpath(place)))
        for name in sorted(self._read_only):
            root = Path(os.path.realpath(self._roots[name]))
            if real.is_relative_to(root):
                return True
            if root.is_relative_to(real):
                raise PathRefused(f"root {name}, where nothing may be written, lies in a folder that it would write to")
        return False


def _folder(root: bytes, path: bytes) -> _Folder | None:
    """The folder that is meant, by a name without links below its root. None: there is none, or not in this root."""
    for candidate in folders(path):
        try:
            place = found(root, candidate)
        except (LeadsOut, OSError):
            continue
        if place.is_whole and place.is_folder:
            return _Folder(_below(root, place.name), _below(os.path.realpath(root), place.name))
    return None


def _file(root: bytes, path: bytes) -> _Folder | None:
    """What is meant, if it is a file that lies in another folder than its name says."""
    try:
        place, above = found(root, path), found(root, posixpath.dirname(path))
    except (LeadsOut, OSError):
        return None
    if not place.is_whole or place.is_folder or posixpath.dirname(place.name) == above.name:
        return None
    return _Folder(_below(root, place.name), _below(os.path.realpath(root), place.name))


def _below(root: bytes, name: bytes) -> bytes:
    return b"/".join((root.rstrip(b"/"), name)) if name else root


def _names(folders: Iterable[_Folder], others: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys([*(folder.name for folder in folders), *others]))


def _listed(roots: Iterable[str]) -> str:
    return ", ".join(f"${name}" for name in sorted(roots)) or "this machine's disk"
