"""What programs need of this machine is looked at once in a while, and never by who must not wait."""

import asyncio
import math
import os
import threading
from pathlib import Path

import pytest

from agent.shell.stage import granted
from ffmesh_agent.config import AgentConfig, BrokerPlace
from ffmesh_agent.shell import at_hand, installed
from ffmesh_agent.shell.at_hand import AtHand
from ffmesh_agent.shell.fencing import Fencing
from ffmesh_agent.shell.in_force import InForce


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """One that brings what lies beside it."""
    program = tmp_path / "bin" / "program"
    program.parent.mkdir()
    program.touch(0o755)
    return program


def _library(program: Path) -> bytes:
    """A new one, that it brings from now on."""
    library = program.with_name("new.so")
    library.touch()
    return os.fsencode(library)


def test_what_has_just_been_looked_at_is_remembered_and_later_looked_at_anew(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = AtHand("/usr/bin", ["/luts"])
    assert machine.remembered(str(program), network=False) is None
    seen = machine.found(str(program), network=False)
    assert {os.fsencode(program), b"/luts", b"/usr"} <= set(seen.readable)
    assert b"/dev/null" in seen.devices
    library = _library(program)
    assert machine.found(str(program), network=False) == machine.remembered(str(program), network=False) == seen
    with monkeypatch.context() as later:
        later.setattr(at_hand, "FRESH_SECONDS", -1.0)
        assert machine.remembered(str(program), network=False) is None
        assert library in machine.found(str(program), network=False).readable


def test_each_program_has_its_own_and_the_network_belongs_to_one_of_them(program: Path) -> None:
    machine = AtHand("/usr/bin", [])
    alone, open_to_all = (machine.found(str(program), network=network) for network in (False, True))
    assert set(alone.readable) < set(open_to_all.readable)
    assert os.fsencode(program) not in machine.found("/bin/sh", network=False).readable


def _fencing() -> Fencing:
    config = AgentConfig(cluster="home", name="pi", secret=bytes(32), broker=BrokerPlace(host="127.0.0.1", port=1))
    return Fencing(config, InForce("landlock"), "/usr/bin:/bin")


async def test_who_expects_a_program_finds_what_is_new_on_the_machine(
    program: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = _fencing()
    first = await plan.fence(granted("program"), bytes(program), tmp_path)
    library = _library(program)
    monkeypatch.setattr(at_hand, "FRESH_SECONDS", math.inf)
    monkeypatch.setattr(at_hand, "AGEING_SECONDS", -1.0)
    plan.expect()
    async with asyncio.timeout(20):
        while (fence := await plan.fence(granted("program"), bytes(program), tmp_path)) == first:  # noqa: ASYNC110
            await asyncio.sleep(0.001)  # a thread sets no events of ours
    assert fence is not None
    assert library in fence.read


async def test_a_look_that_never_ends_keeps_no_job_that_needs_none(
    program: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = _fencing()
    first = await plan.fence(granted("program"), bytes(program), tmp_path)
    looks, answers = threading.Event(), threading.Event()

    def hangs(*, network: bool) -> list[str]:
        del network
        looks.set()
        answers.wait()
        return []

    monkeypatch.setattr(installed, "readable", hangs)
    monkeypatch.setattr(at_hand, "FRESH_SECONDS", math.inf)
    monkeypatch.setattr(at_hand, "AGEING_SECONDS", -1.0)
    try:
        plan.expect()
        await asyncio.to_thread(looks.wait, 20)
        assert await plan.fence(granted("program"), bytes(program), tmp_path) == first
    finally:
        answers.set()
