"""What an owner's next life does about the programs of the last one."""

import os
import signal
from pathlib import Path

from ffmesh_warden import strays
from ffmesh_warden.handle import Warden
from warden.living import FOREVER, PATH, gone, lives, owner_of, until, written_pid


def _mark(pid: int) -> str:
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    (mark,) = [entry.partition(b"=")[2].decode() for entry in entries if entry.startswith(b"FFMESH_PROGRAM=")]
    return mark.rpartition(":")[2].partition(".")[0]


async def test_what_outlived_owner_and_warden_is_ended_by_its_mark_and_nothing_else_is(
    warden: Warden, tmp_path: Path
) -> None:
    other = await warden.start(FOREVER, env=PATH, cwd="/")
    script = f"setsid sh -c 'trap \"\" TERM HUP; echo $$ >{tmp_path / 'daemon'}; sleep 1000 & wait' & sleep 1000"
    with owner_of(["sh", "-c", script]) as owner:
        daemon = await written_pid(tmp_path / "daemon")
        name = _mark(daemon)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            os.kill(owner.warden, number)
            os.kill(owner.pid, number)
        await gone(owner.warden, owner.program)
        assert lives(daemon)
        assert strays.end_marked(name, 20) == set()
        assert not lives(daemon)
        assert strays.end_marked(name, 0) == set()
    assert lives(other.pid)
    assert warden.name == _mark(other.pid)


async def test_a_process_is_ended_only_if_it_is_the_one_that_is_meant(warden: Warden) -> None:
    program = await warden.start(FOREVER, env=PATH, cwd="/")
    started = strays.started_at(program.pid)
    assert started is not None
    strays.end_process(program.pid, str(int(started) - 1))
    assert lives(program.pid)
    strays.end_process(program.pid, started)
    await until(lambda: not lives(program.pid))
    strays.end_process(program.pid, started)
    assert strays.started_at(0) is None
