"""Ways out of the roots, each tried four times: with nothing in its way, with all there is, and with each fence alone.

An escape that does not touch the outside even when nothing is in its way proves nothing, so it has to.
"""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final, Literal

import pytest

from agent.shell.stage import PROGRAMS, Stage, granted, stage
from end_to_end.escapes import ESCAPES, Escape, film
from end_to_end.yard import ROOT, Unchecked, Yard, film_made
from ffmesh_agent.config import AgentConfig, BrokerPlace
from ffmesh_agent.core.events import ProgramEnded, ProgramNotStarted
from ffmesh_agent.shell.fencing import Fencing
from ffmesh_agent.shell.in_force import InForce
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_warden import fences
from ffmesh_warden.fence import Kind
from ffmesh_warden.handle import Warden
from support.swapping import swapped_all_the_time

FOUND: Final = fences.found()
MORE_THAN_ENOUGH: Final = 40
SWAPPED_TRIES: Final = 4


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    film_made(folder)
    return folder


@pytest.fixture
async def warden() -> AsyncGenerator[Warden, None]:
    async with Warden.started() as warden:
        yield warden


def fencing(yard: Yard, kind: Kind | None, reads: Literal["roots", "inputs"] = "roots") -> Fencing:
    config = AgentConfig(
        cluster="home",
        name="pi",
        secret=bytes(32),
        broker=BrokerPlace(host="127.0.0.1", port=1),
        roots={ROOT: str(yard.root)},
        programs=PROGRAMS,
        reads=reads,
    )
    return Fencing(config, InForce(kind), "/usr/local/bin:/usr/bin:/bin")


class Attempt:
    """One try to get out, and what came of it."""

    def __init__(self, yard: Yard, escape: Escape) -> None:
        self.yard = yard
        self.escape = escape
        self.not_started: ProgramNotStarted | None = None
        self.said = ""

    async def made(
        self, warden: Warden, kind: Kind | None, *, checked: bool, reads: Literal["roots", "inputs"] = "roots"
    ) -> "Attempt":
        yard, escape = self.yard, self.escape
        escape.makes(yard)
        grant = granted(escape.program, *escape.says(yard), kind=JobKind.INTERACTIVE, cwd=escape.cwd, env=escape.env)
        roots = {ROOT: str(yard.root)}
        checks = None if checked else Unchecked(PROGRAMS, roots)
        home = yard.folder / "home"
        async with stage(warden, home, roots, checks=checks, fencing=fencing(yard, kind, reads)) as here:
            here.launch(grant)
            self.not_started = await _ended(here)
        self.said = "".join(file.read_text(errors="replace") for file in (home / "logs").rglob("*") if file.is_file())
        return self

    @property
    def secret_is_out(self) -> bool:
        return self.yard.secret_is_out(self.yard.folder / "home")


async def _ended(here: Stage) -> ProgramNotStarted | None:
    while True:
        match await here.heard(object):
            case ProgramEnded():
                return None
            case ProgramNotStarted() as refusal:
                return refusal
            case _:
                continue


def escapes() -> list[object]:
    return [pytest.param(escape, id=escape.name) for escape in ESCAPES]


@pytest.mark.parametrize("escape", escapes())
async def test_a_way_out_that_is_open_without_a_fence_is_closed_by_each(
    escape: Escape, warden: Warden, films: Path, tmp_path: Path
) -> None:
    with Yard.made(tmp_path / "open", films) as yard:
        attempt = await Attempt(yard, escape).made(warden, None, checked=False)
        touched = yard.touched()
    if not touched and any(word in attempt.said for word in escape.unheard_of):
        pytest.skip(f"this ffmpeg knows nothing of it: {attempt.said[-200:]}")
    assert bool(touched) == escape.bites, attempt.said

    with Yard.made(tmp_path / "checked", films) as yard:
        attempt = await Attempt(yard, escape).made(warden, FOUND.kinds[0] if FOUND.kinds else None, checked=True)
        if escape.refused:
            assert attempt.not_started is not None, attempt.said
            assert attempt.not_started.reason_code is ReasonCode.REFUSED_BY_AGENT
        if escape.refused or FOUND.kinds:
            assert (yard.touched(), attempt.secret_is_out) == ([], False)

    for kind in FOUND.kinds:
        with Yard.made(tmp_path / kind, films) as yard:
            attempt = await Attempt(yard, escape).made(warden, kind, checked=False)
            assert attempt.not_started is None or attempt.not_started.reason_code is ReasonCode.NOT_STARTED
            assert (yard.touched(), attempt.secret_is_out) == ([], False), (kind, attempt.said)


@pytest.mark.parametrize("checked", [True, False], ids=["with checks", "without checks"])
@pytest.mark.parametrize("kind", FOUND.kinds)
async def test_a_folder_that_is_swapped_for_a_link_during_the_check_lets_nobody_out(
    kind: Kind, checked: bool, warden: Warden, films: Path, tmp_path: Path
) -> None:
    """Whichever of the two the check, the plan, the fence and the program see."""
    swapped = Escape("a swapped folder", lambda _: ("-i", film("a/film.mkv"), film("a/new.mkv")))
    with Yard.made(tmp_path / "yard", films) as yard:
        (yard.root / "a").mkdir()
        (yard.root / "film.mkv").rename(yard.root / "a" / "film.mkv")
        yard.link("b", "../outside")
        with swapped_all_the_time(yard.root / "a", yard.root / "b"):
            for _ in range(SWAPPED_TRIES):
                await Attempt(yard, swapped).made(warden, kind, checked=checked, reads="inputs")
        assert yard.touched() == []


@pytest.mark.parametrize("kind", FOUND.kinds)
async def test_where_only_named_folders_are_read_a_link_to_another_folder_of_the_root_can_be_read_too(
    kind: Kind, warden: Warden, films: Path, tmp_path: Path
) -> None:
    for place, is_read in (("../store/film.mkv", True), ("../../outside/film.mkv", False)):
        linked = Escape("a link", lambda _: ("-i", film("a/link.mkv"), film("a/new.mkv")))
        with Yard.made(tmp_path / f"yard-{is_read}", films) as yard:
            for name in ("a", "store"):
                (yard.root / name).mkdir()
            (yard.root / "film.mkv").rename(yard.root / "store" / "film.mkv")
            yard.link("a/link.mkv", place)
            attempt = await Attempt(yard, linked).made(warden, kind, checked=False, reads="inputs")
            assert (yard.root / "a" / "new.mkv").exists() == is_read, attempt.said
            assert yard.touched() == []


def test_the_list_is_long_and_names_each_way_once() -> None:
    assert len({escape.name for escape in ESCAPES}) == len(ESCAPES) >= MORE_THAN_ENOUGH
