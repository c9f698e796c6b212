import os
import pwd
from pathlib import Path

import pytest

from agent.shell.crashing import result_of
from agent.shell.stage import granted, stage
from ffmesh_agent.core.effects import CommitOutput, SealOutput
from ffmesh_agent.core.events import OutputCommitted, OutputSealed, ProgramEnded, ProgramStarted
from ffmesh_agent.roots import RootPlace
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.owners import AS_THE_AGENT, NewFiles, new_files, settled, unheeded, written_root
from ffmesh_protocol.media import Argument, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_warden.handle import Warden
from support.passing import passable
from warden.living import lives

NOBODY = pwd.getpwnam("nobody")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to others")


def _at(root: str, path: str) -> Argument:
    return (RootPath(root=root, path=path),)


def test_the_root_that_is_written_to_is_that_of_the_output_of_the_folder_or_of_what_is_no_input() -> None:
    copy = ("ffmpeg", "-i", _at("In", "a.mkv"), _at("Out", "b.mkv"))
    staged = granted(*copy, kind=JobKind.STAGED, outputs=(RootPath(root="Made", path="b.mkv"),))
    assert written_root(staged) == "Made"
    assert written_root(granted(*copy, cwd=RootPath(root="Here", path="x"))) == "Here"
    assert written_root(granted(*copy)) == "Out"
    assert written_root(granted("cp", _at("In", "a"), _at("Out", "b"))) == "In"
    assert written_root(granted("ffmpeg", "-i", _at("In", "a.mkv"), "-f", "null", "-")) is None


def test_an_agent_that_is_root_gives_files_to_the_owner_and_every_agent_heeds_the_mode() -> None:
    places = {"Out": RootPlace(path="/out", owner="media", group="users", mode="0664"), "Plain": RootPlace(path="/p")}
    grant = granted("cp", "a", _at("Out", "b"))
    assert new_files(grant, places, is_root=True) == NewFiles(user="media", group="users", mode=0o664)
    assert new_files(grant, places, is_root=False) == NewFiles(mode=0o664)
    assert new_files(granted("cp", "a", _at("Plain", "b")), places, is_root=True) == AS_THE_AGENT
    assert new_files(granted("cp", "a", _at("Gone", "b")), places, is_root=True) == AS_THE_AGENT


@pytest.mark.parametrize(
    ("mode", "umask"),
    [
        *((0o664, 0o002), (0o644, 0o022), (0o640, 0o027), (0o600, 0o077), (0o666, 0o000), (0o755, 0o022)),
        *((0o444, 0o022), (0o660, 0o007), (0o604, 0o072)),
    ],
)
def test_a_mode_is_a_umask_that_gives_folders_the_x_for_each_r_and_leaves_the_owner_at_work(
    mode: int, umask: int
) -> None:
    assert NewFiles(mode=mode).umask(0o777) == umask


def test_without_a_mode_the_callers_umask_counts() -> None:
    assert AS_THE_AGENT.umask(0o027) == 0o027
    assert AS_THE_AGENT.umask(None) is None


def test_owners_that_are_not_there_or_cannot_be_heeded_are_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"A": RootPlace(path="/a", owner="no such user"), "B": RootPlace(path="/b", owner="nobody", group=12)}
    places |= {"C": RootPlace(path="/c", owner=4242), "D": RootPlace(path="/d", mode="0600")}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (sentence,) = unheeded(places)
    assert sentence.startswith("[roots.A] owner = no such user: there is no such owner here")
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    monkeypatch.setattr(os, "getegid", lambda: 12)
    assert [sentence.partition(",")[0] for sentence in unheeded(places)] == [
        "[roots.A] owner = no such user: there is no such owner here",
        "[roots.B] owner = nobody: not heeded",
    ][:2]


@as_root
async def test_a_program_runs_as_the_owner_of_its_root_in_a_private_folder_that_is_theirs(
    warden: Warden, tmp_path: Path
) -> None:
    root = passable(tmp_path) / "root"
    root.mkdir()
    os.chown(root, NOBODY.pw_uid, NOBODY.pw_gid)
    places = {"R": RootPlace(path=str(root), owner="nobody", mode="0664")}
    script = """
        echo >made; mkdir folder; id -u >id; setsid sleep 1000 & echo $! >pid
        echo x >"$TMPDIR/mine"; echo "$HOME" >out; stat -c "%u %a" "$HOME" >>out
    """
    async with stage(warden, tmp_path / "home", {"R": str(root)}, places=places) as here:
        here.launch(granted("sh", "-c", script, cwd=RootPath(root="R", path=""), umask=0o077))
        await here.heard(ProgramStarted)
        ended = await here.heard(ProgramEnded)
        assert (ended.exit_code, ended.lengths.stderr) == (0, 0)
    assert (root / "id").read_text() == f"{NOBODY.pw_uid}\n"
    for name, mode in (("made", 0o664), ("folder", 0o775)):
        status = (root / name).stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (NOBODY.pw_uid, NOBODY.pw_gid, mode)
    private, owner = (root / "out").read_text().splitlines()
    assert owner == f"{NOBODY.pw_uid} 700"
    assert not Path(private).exists()
    assert not Path(private).parent.exists()
    assert not lives(int((root / "pid").read_text()))


@as_root
async def test_what_a_staged_job_wrote_belongs_to_the_owner_of_its_root_with_its_mode(
    warden: Warden, tmp_path: Path
) -> None:
    root = passable(tmp_path) / "root"
    root.mkdir()  # root's, and the owner of new files may not even write here
    places = {"R": RootPlace(path=str(root), owner="nobody", group="daemon", mode="0640")}
    async with stage(warden, tmp_path / "home", {"R": str(root)}, places=places) as here:
        output = RootPath(root="R", path="out/")
        grant = granted(
            *("sh", "-c", 'umask 0; mkdir "$0/below"; echo >"$0/below/file"; chmod 600 "$0/below/file"'),
            _at("R", "out"),
            kind=JobKind.STAGED,
            outputs=(output,),
        )
        ended = await here.ended(grant)
        assert (ended.exit_code, ended.lengths.stderr) == (0, 0)
        here.outputs.carry_out(SealOutput(result=result_of(grant.attempt)))
        await here.heard(OutputSealed)
        here.outputs.carry_out(CommitOutput(attempt=grant.attempt, until=boottime() + 1000))
        await here.heard(OutputCommitted)
    for path, mode in (("out", 0o750), ("out/below", 0o750), ("out/below/file", 0o640)):
        status = (root / path).stat()
        assert (pwd.getpwuid(status.st_uid).pw_name, status.st_mode & 0o777) == ("nobody", mode)


def test_links_are_not_followed_when_files_are_given_away(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "out" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "out" / "up").symlink_to(tmp_path)
    (tmp_path / "out" / "file").write_text("x")
    os.link(tmp_path / "secret", tmp_path / "out" / "second name")
    os.mkfifo(tmp_path / "out" / "fifo")
    settled(tmp_path / "out", NewFiles(mode=0o644))
    settled(tmp_path / "out" / "link", NewFiles(mode=0o644))
    settled(tmp_path / "out" / "up", NewFiles(mode=0o644))
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "out" / "file").stat().st_mode & 0o777 == 0o644


def test_all_in_a_folder_is_settled_as_deep_as_folders_are_opened_and_no_deeper(tmp_path: Path) -> None:
    mode = NewFiles(mode=0o640)
    deep = tmp_path / "top" / "/".join("d" * 190)
    deep.mkdir(parents=True)
    (deep / "file").touch(mode=0o600)
    (tmp_path / "top" / "link").symlink_to(deep)
    settled(tmp_path / "top", mode)
    assert ((deep / "file").stat().st_mode & 0o777, deep.stat().st_mode & 0o777) == (0o640, 0o750)
    (deep / "/".join("d" * 10)).mkdir(parents=True)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="lie in one another"):
        settled(tmp_path / "top", mode)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
