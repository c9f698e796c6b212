import os
import stat
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from agent.shell.stage import granted
from ffmesh_agent.config import AgentConfig, BrokerPlace
from ffmesh_agent.roots import RootPlace
from ffmesh_agent.shell import asking, below, fencing, installed
from ffmesh_agent.shell.below import Found
from ffmesh_agent.shell.fencing import Fencing
from ffmesh_agent.shell.in_force import UNFENCED, InForce
from ffmesh_agent.shell.inputs import NotReady
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.media import Argument, Needs, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant
from ffmesh_warden.fence import Fence

PATH = "/usr/local/bin:/usr/bin:/bin"
LANDLOCK = InForce("landlock")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name in ("films/in", "films/out", "series", "private"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "films" / "in" / "a.mkv").touch()
    return tmp_path


def config(here: Path, **values: Any) -> AgentConfig:
    plain: dict[str, Any] = {"cluster": "home", "name": "pi", "secret": bytes(32)}
    plain |= {"broker": BrokerPlace(host="127.0.0.1", port=1)}
    plain |= {"roots": {"Films": str(here / "films"), "Series": str(here / "series")}}
    return AgentConfig(**plain | values)


def piece(path: str, root: str = "Films") -> Argument:
    return (RootPath(root=root, path=path),)


async def planned(here: Path, grant: Grant, aside: Iterable[bytes] = (), **values: Any) -> Fence:
    plan = Fencing(config(here, **values), LANDLOCK, PATH)
    fence = await plan.fence(grant, grant.program.encode(), here / "private", aside)
    assert fence is not None
    return fence


def written(here: Path, fence: Fence) -> set[str]:
    """Below the test's folder; the private one is always there."""
    assert bytes(here / "private") in fence.write
    return _below(here, fence.write) - {"private"}


def read(here: Path, fence: Fence) -> set[str]:
    return _below(here, fence.read)


def _below(here: Path, names: tuple[bytes, ...]) -> set[str]:
    prefix = f"{here}/"
    return {name.removeprefix(prefix) for name in map(os.fsdecode, names) if name.startswith(prefix)}


async def test_ffmpeg_reads_the_roots_that_its_job_names_and_writes_the_folders_of_its_outputs(here: Path) -> None:
    fence = await planned(here, granted("ffmpeg", "-i", piece("in/a.mkv"), piece("out/b.mkv")))
    assert (read(here, fence), written(here, fence), fence.network) == ({"films"}, {"films/out"}, False)


async def test_roots_that_a_job_only_needs_are_read_too(here: Path) -> None:
    grant = structs.replace(granted("ffmpeg"), needs=Needs(program="ffmpeg", roots=("Series", "Strange")))
    assert read(here, await planned(here, grant)) == {"series"}


async def test_configured_so_it_reads_only_the_folders_that_its_words_name(here: Path) -> None:
    grant = granted("ffmpeg", "-i", piece("in/a.mkv"), piece("out/b.mkv"))
    assert read(here, await planned(here, grant, reads="inputs")) == {"films/in", "films/out"}


async def test_configured_so_it_reads_a_file_elsewhere_in_the_root_that_its_words_name_by_a_link(here: Path) -> None:
    (here / "films" / "store").mkdir()
    for name in ("real.mkv", "beside.mkv"):
        (here / "films" / "store" / name).touch()
    (here / "private" / "secret").touch()
    links = {
        "in/link.mkv": "../store/real.mkv",
        "in/way": "../store",
        "in/out": "../../private/secret",
        "in/b": "a.mkv",
    }
    for name, target in links.items():
        (here / "films" / name).symlink_to(target)
    for name, expected in {
        "in/link.mkv": {"films/in", "films/store/real.mkv"},
        "in/way/real.mkv": {"films/store"},
        "in/out": {"films/in"},
        "in/b": {"films/in"},
        "in/none.mkv": {"films/in"},
    }.items():
        fence = await planned(here, granted("ffprobe", piece(name)), reads="inputs")
        assert read(here, fence) == expected, name
        assert (os.fsencode(here / "films/store/real.mkv") in dict(fence.leads)) == (name == "in/link.mkv")


async def test_its_working_folder_is_written_if_it_lies_in_a_root(here: Path) -> None:
    grant = granted("ffmpeg", "-i", "a.mkv", "../out/b.mkv", cwd=RootPath(root="Films", path="in"))
    assert written(here, await planned(here, grant)) == {"films/in", "films/out"}


async def test_an_output_that_is_a_folder_or_a_pattern_has_its_folder(here: Path) -> None:
    assert written(here, await planned(here, granted("ffmpeg", piece("out")))) == {"films/out"}
    assert written(here, await planned(here, granted("ffmpeg", piece("out/v_%v/%d.ts")))) == {"films/out"}
    assert written(here, await planned(here, granted("ffmpeg", piece("none/b.mkv")))) == set()


async def test_a_staged_job_writes_where_its_outputs_are_made_and_nowhere_else(here: Path) -> None:
    (hidden := here / "films" / "out" / ".ffmesh-x").mkdir()
    for program in ("ffmpeg", "sh"):
        grant = granted(program, piece("out/b.mkv"), kind=JobKind.STAGED)
        assert written(here, await planned(here, grant, [bytes(hidden)])) == {"films/out/.ffmesh-x"}


async def test_ffprobe_writes_only_what_it_is_told_to(here: Path) -> None:
    assert written(here, await planned(here, granted("ffprobe", piece("in/a.mkv")))) == set()
    assert written(here, await planned(here, granted("ffprobe", "-o", piece("out/x"), piece("in/a.mkv")))) == {
        "films/out"
    }


async def test_a_program_that_is_not_understood_writes_the_roots_that_its_job_names(here: Path) -> None:
    assert written(here, await planned(here, granted("sh", "-c", "true", piece("in/a.mkv")))) == {"films"}
    assert written(here, await planned(here, granted("sh", "-c", "true"))) == set()


async def test_a_root_that_is_read_only_is_never_written(here: Path) -> None:
    roots = {"Films": RootPlace(path=str(here / "films"), read_only=True), "Series": str(here / "series")}
    for program in ("ffmpeg", "sh"):
        fence = await planned(here, granted(program, piece("out/b.mkv"), piece("x.mkv", "Series")), roots=roots)
        assert written(here, fence) == {"series"}


async def test_nor_is_it_through_another_root_that_it_lies_in(here: Path) -> None:
    roots = {"All": str(here / "films"), "Kept": RootPlace(path=str(here / "films" / "in"), read_only=True)}
    assert written(here, await planned(here, granted("ffmpeg", piece("in/b.mkv", "All")), roots=roots)) == set()
    with pytest.raises(PathRefused, match="root Kept, where nothing may be written, lies in a folder"):
        await planned(here, granted("sh", piece("", "All")), roots=roots)


async def test_what_leads_out_is_left_out_of_the_plan(here: Path) -> None:
    (here / "films" / "link").symlink_to(here / "series")
    grant = granted("ffmpeg", "-i", piece("link/a.mkv"), piece("link/b.mkv"))
    fence = await planned(here, grant, reads="inputs")
    assert (read(here, fence), written(here, fence)) == (set(), set())


async def test_a_root_may_be_reached_through_a_link_and_a_folder_below_is_known_by_its_place(here: Path) -> None:
    (here / "mnt").symlink_to(here / "films")
    (here / "films" / "link").symlink_to("out")
    fence = await planned(here, granted("ffmpeg", piece("link/b.mkv")), roots={"Films": str(here / "mnt")})
    assert written(here, fence) == {"mnt/out"}
    assert fence.leads == ((bytes(here / "mnt" / "out"), os.fsencode((here / "films" / "out").resolve())),)


async def test_the_network_is_for_programs_that_are_allowed_to(here: Path) -> None:
    fence = await planned(here, granted("ffmpeg"), network=("ffmpeg",))
    assert fence.network
    assert b"/etc/resolv.conf" in fence.read
    assert not (await planned(here, granted("ffprobe"), network=("ffmpeg",))).network


async def test_what_the_owner_opens_is_read_and_names_of_the_machine_and_other_processes_are_not(here: Path) -> None:
    fence = await planned(here, granted("ffmpeg"), readable=("/opt/luts",))
    assert b"/opt/luts" in fence.read
    closed = {"/", "/etc", "/etc/hostname", "/etc/passwd", "/proc", "/home", "/root", "/var", "/run", "/dev", "/tmp"}
    assert closed.isdisjoint(map(os.fsdecode, fence.read + fence.write + fence.devices))


async def test_devices_are_nodes_or_folders_of_nodes(here: Path) -> None:
    fence = await planned(here, granted("ffmpeg"))
    assert b"/dev/null" in fence.devices
    for name in fence.devices:
        mode = Path(os.fsdecode(name)).stat().st_mode
        assert stat.S_ISCHR(mode) or stat.S_ISDIR(mode), name


async def test_a_script_brings_its_interpreter_and_that_its_libraries(here: Path) -> None:
    environment = here / "venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "lib").mkdir()
    (environment / "pyvenv.cfg").touch()
    (environment / "bin" / "python").symlink_to(sys.executable)
    script = here / "tool"
    script.write_text(f"#!{environment}/bin/python\n")
    script.chmod(0o755)
    brought = installed.of_program(str(script), PATH)
    python = Path(sys.executable).resolve()
    assert {str(script), f"{environment}/bin/python", f"{environment}/lib", f"{environment}/pyvenv.cfg"} <= set(brought)
    assert str(python) in brought
    assert str(python.parent.parent / "lib") in brought or python.is_relative_to("/usr")
    assert str(here) not in brought


def test_env_in_a_first_line_is_not_the_interpreter(here: Path) -> None:
    script = here / "tool"
    script.write_text("#!/usr/bin/env -S A=b sh -e\n")
    script.chmod(0o755)
    shell = str(Path("/bin/sh").resolve())
    assert shell in installed.of_program(str(script), PATH)


async def test_without_a_fence_nothing_starts_where_one_is_demanded(here: Path) -> None:
    demanded = InForce(None, "this kernel has no Landlock", takes_work=False)
    with pytest.raises(NotReady, match="this kernel has no Landlock"):
        await Fencing(config(here), demanded, PATH).fence(granted("ffmpeg"), b"ffmpeg", here)
    assert await Fencing(config(here), UNFENCED, PATH).fence(granted("ffmpeg"), b"ffmpeg", here) is None


async def test_a_root_that_does_not_answer_keeps_its_own_job_waiting_and_no_longer_than_it_says(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.05)

    def found(root: bytes, path: bytes) -> Found:
        answers.wait()
        return below.found(root, path)

    monkeypatch.setattr(fencing, "found", found)
    try:
        with pytest.raises(NotReady, match=r"\$Films did not answer"):
            await planned(here, granted("ffmpeg", piece("out/b.mkv")))
    finally:
        answers.set()
