"""Nothing of an earlier life runs when an agent says its first word."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from agent.shell.peers import LOGINS, coordinator_at, home_in, started_agent
from agent.shell.stage import fresh_id, granted
from ffmesh_agent.shell.wardens import Wardens
from ffmesh_protocol.media import RootPath
from ffmesh_warden.handle import Warden
from support.broker import private_broker
from warden.living import FOREVER, PATH, children, gone, lives, written_pid


async def test_an_agent_that_was_killed_with_its_warden_leaves_nothing_to_its_next_life(tmp_path: Path) -> None:
    async with private_broker(tmp_path / "broker", logins=LOGINS) as broker, coordinator_at(broker) as coordinator:
        home = home_in(tmp_path / "home", broker.port)
        with started_agent(home) as process:
            await coordinator.advertised()
            first = await coordinator.greet()
            script = "setsid sh -c 'echo $$ >pid; exec sleep 1000' & sleep 1000"
            await coordinator.grant(granted("sh", "-c", script, cwd=RootPath(root="R", path="")))
            program = await written_pid(home / "pid")
            (warden,) = children(process.pid)
            for number in (signal.SIGSTOP, signal.SIGKILL):
                os.kill(warden, number)
                process.send_signal(number)
            await gone(warden, process.pid)
            assert lives(program)
        with started_agent(home):
            second = await coordinator.greet()
            assert not lives(program)
            assert (second.boot, second.spool, second.held) == (first.boot, first.spool, ())


async def test_a_frozen_warden_is_ended_too_and_starts_nothing_any_more(tmp_path: Path) -> None:
    async with private_broker(tmp_path / "broker", logins=LOGINS) as broker, coordinator_at(broker) as coordinator:
        home = home_in(tmp_path / "home", broker.port)
        with started_agent(home) as process:
            await coordinator.greet()
            (warden,) = children(process.pid)
            os.kill(warden, signal.SIGSTOP)
        with started_agent(home):
            await coordinator.greet()
            assert not lives(warden)


@pytest.mark.parametrize(("spool", "boot"), [("another", "boot"), ("spool", "another")])
async def test_what_a_copy_of_the_home_remembers_is_not_its_own(
    spool: str, boot: str, warden: Warden, tmp_path: Path
) -> None:
    Wardens(tmp_path / "wardens.json", "spool", "boot").remember(warden)
    program = await warden.start(FOREVER, env=PATH, cwd="/")
    Wardens(tmp_path / "wardens.json", spool, boot).end_all()
    assert warden.alive
    assert lives(program.pid)


async def test_a_copy_of_a_home_is_an_agent_of_its_own_and_ends_nothing_of_the_first_one(tmp_path: Path) -> None:
    async with private_broker(tmp_path / "broker", logins=LOGINS) as broker, coordinator_at(broker) as coordinator:
        home = home_in(tmp_path / "home", broker.port)
        with started_agent(home) as process:
            await coordinator.advertised()
            first = await coordinator.greet()
            await coordinator.grant(granted("sh", "-c", "echo $$ >pid; sleep 1000", cwd=RootPath(root="R", path="")))
            program = await written_pid(home / "pid")
            shutil.copytree(home, tmp_path / "copy")
            with started_agent(tmp_path / "copy"):
                while (await coordinator.greet()).spool == first.spool:
                    pass
            assert lives(program)
            assert process.poll() is None


def test_a_damaged_file_keeps_no_agent_from_starting(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "wardens.json").write_text(fresh_id())
    Wardens(tmp_path / "wardens.json", "spool", "boot").end_all()
    assert "cannot be read" in caplog.text
