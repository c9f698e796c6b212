"""What this agent can do: found in the background at start, told whenever it changes.

ffmpeg and ffprobe are asked for what they list, and their answers are kept on disk by path, size and time of the file,
so that a warm start asks nobody. Any other program on the list is only looked at: who knows what an arbitrary program
does with `-version`. One that is missing, hangs or crashes is left out, and `unavailable` says why; the agent is online
meanwhile, and one that takes its time is on the list without its version. Everybody may read that, so it names programs
and never where they are; the log does.

What ffmpeg lists is then tried, see trying.py: encoders and accelerators that need hardware are told when they work.

`fence` says which one the kernel puts around programs here; where there is none, `unavailable` says why. So it does of
limits that are asked for and cannot be kept here.
"""

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from msgspec import structs

from ffmesh_agent.config import AgentConfig
from ffmesh_agent.core.agent import FEATURES
from ffmesh_agent.core.events import CapabilitySeen
from ffmesh_agent.ffmpeg import lists
from ffmesh_agent.ffmpeg.proven import Listed, Standing
from ffmesh_agent.shell.capture import Asker, NoAnswer
from ffmesh_agent.shell.fencing import Fencing
from ffmesh_agent.shell.gpus import Gpu, gpus
from ffmesh_agent.shell.host import host
from ffmesh_agent.shell.mounts import told_of_changes
from ffmesh_agent.shell.recovering import Recovery
from ffmesh_agent.shell.roots import Roots
from ffmesh_agent.shell.storage import StorageMemory
from ffmesh_agent.shell.trying import LOOK_AGAIN, Trying
from ffmesh_protocol import VERSION
from ffmesh_protocol.ffmpeg.tables import FFMPEG, FFPROBE
from ffmesh_protocol.limits import WORD_CHARS
from ffmesh_protocol.messages.capability import Advert, AdvertPrograms, RootState, SlotCount
from ffmesh_protocol.times import HOLDING
from ffmesh_protocol.wire import Told

NAMES: Final = 2000
"""Of a list, at most: four times what ffmpeg has, so that a program that lies cannot make a message too large."""

FIRST_ADVERT_SECONDS: Final = 3.0
"""The first advert waits so long for what the programs say. It names those that have not said anything yet, as a busy
machine's: without their names jobs for them would be refused for good."""

LOOKS_APART: Final = 0.1
"""Seconds at least: where containers come and go, something is mounted all the time."""

ROOM_BYTES: Final = 1_000_000_000
ROOM_SHARE: Final = 0.05
"""Of all its room. What is free changes with each encode; it is told anew when it differs by either of these."""

log = logging.getLogger(__name__)


class Binary(Told, frozen=True):
    """A file, as far as one look tells whether it is still the same."""

    path: str
    size: int
    modified_ns: int


class _Remembered(Told, frozen=True):
    binary: Binary
    listed: Listed


class Capability:
    def __init__(
        self,
        config: AgentConfig,
        life: str,
        home: Path,
        asker: Asker,
        fencing: Fencing,
        unkept: Sequence[str] = (),
    ) -> None:
        """`unkept`: sentences about limits that cannot be kept here."""
        self._config = config
        force = self._force = fencing.force
        self._life = life
        self._asker = asker
        self._cache = home / "lists.json"
        self._places = config.root_places
        self._roots = Roots(self._places, StorageMemory(home / "storage.json", config.root_paths), self._saw)
        self._seen_roots: dict[str, RootState] = {}
        self._withdrawn: dict[str, int] = {}
        self._listed: dict[str, Listed] = {}
        self._answered: dict[str, Binary] = {}
        """Which file has said what is listed of it."""
        self._begun: Binary | None = None
        """The ffmpeg that is being tried."""
        self._unavailable: dict[str, str] = {"fence": force.why_none} if force.why_none is not None else {}
        if unkept:
            self._unavailable["limits"] = "; ".join(sentence.removeprefix("[limits] ") for sentence in unkept)
        self._host = host()
        self._gpus: tuple[Gpu, ...] = gpus()
        slots = sum(config.slots.values())
        self.trying = Trying(
            asker, fencing, home / "trials.json", slots, self._tried_something, is_wanted=config.trials.run
        )
        self._tell: Callable[[CapabilitySeen], None] | None = None
        self._is_told = False

    async def run(self, tell: Callable[[CapabilitySeen], None]) -> None:
        """Never ends: asks the programs once, and looks at the roots each beat, and whenever something is mounted."""
        self._tell = tell
        unasked = self._looked_at()
        await self.look(self._places)
        async with asyncio.TaskGroup() as tasks:
            asked = [
                tasks.create_task(self._ask(name, binary, tell), name=f"ask {name}") for name, binary in unasked.items()
            ]
            if asked:
                await asyncio.wait(asked, timeout=FIRST_ADVERT_SECONDS)
            self._listed |= {name: Listed() for name, asking in zip(unasked, asked, strict=True) if not asking.done()}
            self._begin_trials()
            self._is_told = True
            tell(self._seen())
            tasks.create_task(self._watch_roots(tasks), name="watch roots")
            if asked:
                await asyncio.wait(asked)
            tasks.create_task(self._ask_again(tell), name="ask again")
            if self.trying.is_wanted:
                tasks.create_task(self._try_what_is_listed(tell), name="trials")

    async def foreseen(self, roots: Mapping[str, RootState]) -> CapabilitySeen:
        """What `run` would tell at first, with these roots: tries nothing, and watches nothing."""
        unasked = self._looked_at()
        async with asyncio.TaskGroup() as tasks:
            for name, binary in unasked.items():
                tasks.create_task(self._ask(name, binary, lambda _seen: None), name=f"ask {name}")
        self._begin_trials()
        self._seen_roots = dict(roots)
        return self._seen()

    def _looked_at(self) -> dict[str, Binary]:
        """Notes what needs no question; gives back which programs are to be asked."""
        remembered = self._remembered()
        unasked: dict[str, Binary] = {}
        for name, place in self._config.programs.items():
            binary = self._found(name)
            if isinstance(binary, str):
                self._leave_out(name, place, binary)
            elif name not in {FFMPEG, FFPROBE}:
                self._listed[name] = Listed()
            elif known := remembered.get(name):
                if known.binary == binary:
                    self._listed[name], self._answered[name] = known.listed, binary
                else:
                    unasked[name] = binary
            else:
                unasked[name] = binary
        return unasked

    async def _ask(self, name: str, binary: Binary, tell: Callable[[CapabilitySeen], None]) -> None:
        try:
            listed = await (self._ffmpeg(binary.path) if name == FFMPEG else self._ffprobe(binary.path))
        except NoAnswer as reason:
            self._leave_out(name, binary.path, f"{name} {reason}")
        except Exception:  # of one program, whatever it is: the others are there
            log.exception("%s cannot be asked", binary.path)
            self._leave_out(name, binary.path, f"{name} could not be asked; the agent's log says why")
        else:
            self._listed[name], self._answered[name] = listed, binary
            self._unavailable.pop(f"program/{name}", None)
            self._remember(name, binary, listed)
        if self._is_told:
            tell(self._seen())

    async def _ask_again(self, tell: Callable[[CapabilitySeen], None]) -> None:
        """Those that have not answered: a disk may have been slow to wake, or an update been under way."""
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            for name in self._config.programs.keys() & {FFMPEG, FFPROBE} - self._answered.keys():
                found = self._found(name)
                if isinstance(found, Binary):
                    await self._ask(name, found, tell)

    async def _ffprobe(self, path: str) -> Listed:
        version = lists.version(await self._asker.asked([path, "-hide_banner", "-version"]))
        if version is None:
            raise NoAnswer("does not say its version as ffmpeg and ffprobe do")
        return Listed(version=version[:WORD_CHARS])

    async def _ffmpeg(self, path: str) -> Listed:
        async def list_of(option: str) -> str:
            return await self._asker.asked([path, "-hide_banner", option])

        known = await self._ffprobe(path)
        encoders = await list_of("-encoders")
        names = _bounded(lists.coders(encoders))
        return Listed(
            version=known.version,
            encoders=names,
            codecs={name: codec[:WORD_CHARS] for name, codec in lists.codecs(encoders).items() if name in names},
            decoders=_bounded(lists.coders(await list_of("-decoders"))),
            hwaccels=_bounded(lists.hwaccels(await list_of("-hwaccels"))),
            filters=_bounded(lists.filters(await list_of("-filters"))),
        )

    # --- trials -------------------------------------------------------------------------------------------------------

    async def _try_what_is_listed(self, tell: Callable[[CapabilitySeen], None]) -> None:
        """As soon as there is an ffmpeg. One that is another file by then is asked anew."""
        while True:
            if (binary := self._answered.get(FFMPEG)) is None:
                await asyncio.sleep(LOOK_AGAIN)
                continue
            self._begin_trials()
            try:
                await self.trying.until_other(partial(self._is, FFMPEG, binary))
            except Exception:
                log.exception("the trials failed, and begin anew")
                self._begun = None
                await asyncio.sleep(LOOK_AGAIN)
            found = self._found(FFMPEG)
            if isinstance(found, str):
                self._leave_out(FFMPEG, self._config.programs[FFMPEG], found)
                tell(self._seen())
            elif found != binary:
                await self._ask(FFMPEG, found, tell)

    def _begin_trials(self) -> None:
        """By what is remembered, unless they have begun already."""
        binary, listed = self._answered.get(FFMPEG), self._listed.get(FFMPEG)
        if binary is None or listed is None or self._begun == binary or not self.trying.is_wanted:
            return
        called = f"{binary.path} {binary.size} {binary.modified_ns} {listed.version}"
        try:
            self.trying.begin(binary.path, called, listed)
        except Exception:
            log.exception("what drivers this machine has cannot be told")
        else:
            self._begun = binary

    def _tried_something(self) -> None:
        if self._is_told and self._tell is not None:
            self._tell(self._seen())

    def _is(self, name: str, binary: Binary) -> bool:
        return self._found(name) == binary

    def _found(self, name: str) -> Binary | str:
        return _binary(name, self._config.programs[name], self._asker.environment.get("PATH", os.defpath))

    # --- roots --------------------------------------------------------------------------------------------------------

    async def look(self, roots: Collection[str]) -> None:
        """At these, now. What has changed has been told when this returns; a mount that hangs has no say in when.

        A look that fails in a way that nobody expected has told nothing, and ends no agent.
        """
        try:
            await self._roots.states(roots)
        except Exception:
            log.exception("roots %s cannot be looked at", ", ".join(sorted(roots)))

    async def why_gone(self, roots: Collection[str]) -> dict[str, str]:
        """Which of these are not there now, and why."""
        states = await self._roots.states(roots)
        return {name: states[name].why or "" for name in roots if name in states and not states[name].mounted}

    def device(self, root: str) -> int | None:
        """The number of the file system that it lay on when it was there last."""
        return self._roots.device(root)

    def away(self, root: str) -> int:
        """How often it was withdrawn so far."""
        return self._withdrawn.get(root, 0)

    async def _watch_roots(self, tasks: asyncio.TaskGroup) -> None:
        """Whatever fails in it, it goes on: an agent that looked no more would promise roots that are gone."""
        recovery = Recovery(self._places, self._asker)
        while True:
            try:
                await self._keep_looking(recovery, tasks)
            except Exception:
                log.exception("the watch over the roots failed, and begins anew")
            await asyncio.sleep(HOLDING)

    async def _keep_looking(self, recovery: Recovery, tasks: asyncio.TaskGroup) -> None:
        now = asyncio.Event()

        def mounts_changed() -> None:
            self._roots.mounts_changed()
            now.set()

        with told_of_changes(mounts_changed):
            mounts_changed()  # or not, since the first look; nobody would have told us
            while True:
                recovery.consider(self._seen_roots, tasks, now.set)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(HOLDING):
                        await now.wait()
                now.clear()
                await self.look(self._places)
                await asyncio.sleep(LOOKS_APART)

    def _saw(self, name: str, state: RootState) -> None:
        before = self._seen_roots.get(name)
        if before is not None and not is_news(before, state):
            return
        self._seen_roots[name] = state
        if before is None or before.mounted != state.mounted or before.why != state.why:
            self._log(name, state, is_first=before is None)
        if before is not None and before.mounted and not state.mounted:
            self._withdrawn[name] = self.away(name) + 1
        if self._is_told and self._tell is not None:
            self._tell(CapabilitySeen(advert=self._advert(), programs=None))

    def _log(self, name: str, state: RootState, *, is_first: bool) -> None:
        path = self._places[name].path
        if not state.mounted:
            log.warning("root %s (%s) is %s: %s", name, path, "not there" if is_first else "gone", state.why)
        elif state.why is not None and not self._places[name].read_only:
            log.warning("root %s (%s) takes no new output: %s", name, path, state.why)
        elif not is_first:
            log.warning("root %s (%s) is there", name, path)

    # --- what is told -------------------------------------------------------------------------------------------------

    def _leave_out(self, name: str, place: str, reason: str) -> None:
        called = f"program/{name}"[:WORD_CHARS]
        if self._unavailable.get(called) != reason:
            log.warning("%s (%s) is left out: %s", name, place or "in PATH", reason)
        self._listed.pop(name, None)
        self._answered.pop(name, None)
        self._unavailable[called] = reason

    def _seen(self) -> CapabilitySeen:
        ffmpeg = self._listed.get(FFMPEG, Listed())
        standing = self.trying.standing(ffmpeg)
        programs = AdvertPrograms(
            life=self._life,
            encoders=standing.encoders,
            decoders=standing.decoders,
            filters=standing.filters,
            unavailable=dict(sorted((self._unavailable | standing.unavailable).items())),
            tried=self._is_tried(standing),
            max_resolutions=standing.max_resolutions,
            speeds=standing.speeds,
        )
        return CapabilitySeen(advert=self._advert(), programs=programs)

    def _advert(self) -> Advert:
        standing = self.trying.standing(self._listed.get(FFMPEG, Listed()))
        return Advert(
            life=self._life,
            version=VERSION,
            features=FEATURES,
            host=self._host,
            programs={name: self._listed[name].version for name in sorted(self._listed)},
            hwaccels=standing.hwaccels,
            roots=dict(sorted(self._seen_roots.items())),
            slots={kind: SlotCount(total=total) for kind, total in self._config.slots.items()},
            fence=self._force.called,
            tried=self._is_tried(standing),
            supported_codecs=standing.supported_codecs,
            has_gpu=bool(self._gpus),
            gpu_type=self._gpus[0].maker if self._gpus else None,
            gpus=tuple(gpu.name for gpu in self._gpus),
            max_resolution=standing.max_resolution,
            weight=self._config.weight,
        )

    def _is_tried(self, standing: Standing) -> bool:
        """Not while ffmpeg has yet to say what it lists."""
        return standing.tried and (FFMPEG not in self._listed or FFMPEG in self._answered)

    def _remembered(self) -> dict[str, _Remembered]:
        try:
            return msgspec.json.decode(self._cache.read_bytes(), type=dict[str, _Remembered])
        except (OSError, msgspec.MsgspecError):
            return {}  # the first start, or a file that cost nothing to make

    def _remember(self, name: str, binary: Binary, listed: Listed) -> None:
        known = self._remembered() | {name: _Remembered(binary=binary, listed=listed)}
        new = self._cache.with_suffix(".new")
        try:
            new.write_bytes(msgspec.json.encode(known))
            new.replace(self._cache)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._cache, error.strerror)


def _binary(name: str, place: str, search: str) -> Binary | str:
    """The file, or why there is none that can be run."""
    found = shutil.which(place or name, path=search)
    if found is None:
        if not place:
            return f"there is no program {name} in PATH"
        if Path(place).exists():
            return f"{name} is not executable"
        return f"there is no program {name} where this agent's configuration has it"
    state = Path(found).stat()
    return Binary(path=found, size=state.st_size, modified_ns=state.st_mtime_ns)


def _bounded(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name[:WORD_CHARS] for name in names[:NAMES])


def is_news(before: RootState, now: RootState) -> bool:
    """Whether others need to know. The room alone is told when it has changed by much, also where a sentence has it."""
    is_short = before.writable and now.writable and None not in (before.why, now.why)
    why = before.why if is_short else now.why
    if structs.replace(now, free_bytes=before.free_bytes, total_bytes=before.total_bytes, why=why) != before:
        return True
    return _much(before.free_bytes, now.free_bytes, now.total_bytes) or _much(
        before.total_bytes, now.total_bytes, now.total_bytes
    )


def _much(before: int | None, now: int | None, total: int | None) -> bool:
    if before is None or now is None or total is None:
        return before != now
    return abs(now - before) > min(ROOM_BYTES, ROOM_SHARE * total)
