"""Where a program runs, what it finds there, and which agent it runs on."""

import os
import shlex
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from end_to_end.outside import GENEROUS, Mesh, ending, finished, mesh, until

NEVER_ON_AN_AGENT = {"FFREPORT": "file=report.txt", "LD_PRELOAD": "", "LD_LIBRARY_PATH": "/nowhere", "SECRET": "x"}
ALLOWED = {"AV_LOG_FORCE_NOCOLOR": "1", "LANG": "C.UTF-8", "LC_TIME": "C", "TZ": "Asia/Tokyo", "TERM": "dumb"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    """Two agents that have the same root in different places, as the client has it in a third, and one in the same."""
    folder = tmp_path_factory.mktemp("places")
    for name in ("here", "one", "two", "same"):
        (folder / name).mkdir()
    with mesh(
        folder / "home",
        *("--agents", "2"),
        *("--root", f"Same={folder / 'same'}"),
        *("--root", f"Films={folder / 'here'}"),
        *("--root", f"agent-1:Films={folder / 'one'}", "--root", f"agent-2:Films={folder / 'two'}"),
        *("--program", "sh", "--program", "cat"),
    ) as running:
        yield running


@pytest.fixture
def folder(running: Mesh) -> Path:
    return running.home.parent


@pytest.fixture
def same(folder: Path, tmp_path: Path) -> Path:
    """A folder that is the same for all, for this test alone."""
    place = folder / "same" / tmp_path.name
    place.mkdir()
    return place


@pytest.mark.parametrize(("agent", "theirs"), [("agent-1", "one"), ("agent-2", "two")])
def test_each_agent_reads_and_writes_where_it_has_the_root(
    running: Mesh, folder: Path, agent: str, theirs: str
) -> None:
    line = shlex.split("ffmpeg -v error -f lavfi -i testsrc=size=64x64:rate=25 -t 0.2 -c:v mpeg4 -y")
    subprocess.run([*line, folder / theirs / "in.mkv"], check=True, timeout=GENEROUS)
    source, target = folder / "here" / "in.mkv", folder / "here" / f"out of {agent}.mkv"
    done = running.ffmesh("run", "--on", agent, "--", "ffmpeg", "-v", "error", "-i", source, "-c", "copy", target)
    assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(each.name for each in (folder / theirs).iterdir()) == ["in.mkv", f"out of {agent}.mkv"]
    assert [*(folder / "here").iterdir()] == []


def test_arguments_are_shown_with_the_roots_name_and_not_with_anybodys_place(running: Mesh, folder: Path) -> None:
    job = running.submit("--label", "title=shown", "--", "cat", folder / "here" / "ä b.mkv", "plain", "/dev/null")
    running.wait(job)
    assert running.job(job)["args"] == ["$Films/ä b.mkv", "plain", "/dev/null"]


def test_a_program_starts_in_the_callers_folder_if_that_lies_under_a_root(running: Mesh, folder: Path) -> None:
    for place in ("here", "one", "two"):
        (folder / place / "season 1").mkdir()
    done = running.ffmesh("run", "--on", "agent-2", "--", "sh", "-c", "pwd -P", cwd=folder / "here" / "season 1")
    assert done.stdout.decode() == f"{(folder / 'two' / 'season 1').resolve()}\n"


def test_relative_arguments_mean_the_callers_files(running: Mesh, same: Path) -> None:
    (same / "in.txt").write_text("found")
    done = running.run("sh", "-c", "cat in.txt; echo made > out.txt", cwd=same)
    assert (done.returncode, done.stdout, (same / "out.txt").read_text()) == (0, b"found", "made\n")
    assert running.run("cat", "./in.txt", cwd=same).stdout == b"found"


@pytest.mark.parametrize("pwd", ["/", "/nowhere", ""])
def test_a_root_that_is_said_by_a_link_holds_where_the_link_leads(
    running: Mesh, folder: Path, same: Path, pwd: str
) -> None:
    """Also for a caller whose PWD is wrong, as after a program that changed its folder."""
    link = folder / f"link of {same.name}"
    link.symlink_to(folder / "same")
    (same / "in.txt").write_text("found")
    option = ("--root", f"Same={link}", "--", "sh", "-c", 'cat "$0" > "$1"')
    for source, target in (("in.txt", "by name.txt"), (same / "in.txt", same / "by path.txt")):
        done = running.ffmesh("run", *option, source, target, cwd=same, env={"PWD": pwd})
        assert (done.returncode, done.stderr, (same / target).read_text()) == (0, b"", "found")


def test_a_wrong_pwd_hides_no_root(running: Mesh, same: Path) -> None:
    done = running.ffmesh("run", "--", "sh", "-c", "pwd -P", cwd=same, env={"PWD": "/nowhere"})
    assert done.stdout.decode() == f"{same.resolve()}\n"


def test_a_link_to_a_root_leads_there(running: Mesh, folder: Path, same: Path) -> None:
    link = folder / "shortcut"
    link.symlink_to(same)
    (same / "in.txt").write_text("found")
    done = running.run("sh", "-c", 'cat "$0" > "$1"', link / "in.txt", link / "out.txt")
    assert (done.returncode, done.stderr, (same / "out.txt").read_text()) == (0, b"", "found")


def test_elsewhere_a_program_starts_in_an_empty_private_folder_that_does_not_stay(
    running: Mesh, tmp_path: Path
) -> None:
    done = running.run("sh", "-c", "ls -A; touch left-behind; pwd -P", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    private = Path(done.stdout.decode().removesuffix("\n"))
    assert private not in (tmp_path, running.home)
    assert not (tmp_path / "left-behind").exists()
    until(lambda: not private.exists(), "the private folder is removed")


def test_who_names_a_file_of_a_folder_under_no_root_is_told_that_it_stays_there(running: Mesh, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("here")
    for command in ("run", "submit"):
        done = running.ffmesh(command, "--", "sh", "-c", "true", "in.txt", cwd=tmp_path)
        assert done.returncode == 0
        assert done.stderr.decode().startswith(
            "ffmesh: the program will not find in.txt: this folder lies under no root"
        )
        assert done.stderr.count(b"\n") == 1
        assert running.ffmesh(command, "--", "sh", "-c", "true", "-in.txt", "out.txt", cwd=tmp_path).stderr == b""


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "with a space",
        "Amélie — Ünïcödé 日本 🎬",
        'it\'s "quoted" \\ and $HOME `id` ;*?',
        "line\nend",
        "-leading",
        "%05d",
        b"no utf-8: \xff\xfe\x80",
    ],
    ids=repr,
)
def test_a_file_is_found_whatever_its_name_is(running: Mesh, same: Path, name: str | bytes) -> None:
    content = os.urandom(16)
    raw = os.fsencode(same / os.fsdecode(name))
    Path(os.fsdecode(raw)).write_bytes(content)
    done = running.run("cat", raw)
    assert (done.returncode, done.stdout, done.stderr) == (0, content, b"")
    relative = running.run("cat", b"./" + os.fsencode(name), cwd=same)
    assert (relative.returncode, relative.stdout) == (0, content)


def test_ffmpeg_makes_a_file_with_an_odd_name_of_another(running: Mesh, same: Path) -> None:
    source, target = same / "Émile's film (1) [x].mkv", same / "Amélie 50% + more.mkv"
    line = shlex.split("ffmpeg -v error -f lavfi -i testsrc=size=64x64:rate=25 -t 0.2 -c:v mpeg4")
    assert running.run(*line, source).returncode == 0
    assert running.run("ffmpeg", "-v", "error", "-i", source, "-c:v", "libx264", target).returncode == 0
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", target],
        capture_output=True,
        check=True,
        timeout=GENEROUS,
    )
    assert shown.stdout == b"h264\n"


def test_streams_are_no_files(running: Mesh) -> None:
    done = running.run("sh", "-c", 'for name; do echo "$name"; done', "sh", "/dev/null", "/dev/stdout", "/dev/fd/1")
    assert done.stdout == b"/dev/null\n/dev/stdout\n/dev/fd/1\n"


def test_new_files_get_the_callers_umask(running: Mesh, same: Path) -> None:
    for umask, mode in ((0o027, 0o640), (0o077, 0o600), (0o002, 0o664)):
        made = same / f"{umask:o}"
        assert running.ffmesh("run", "--", "sh", "-c", 'echo > "$0"', made, umask=umask).returncode == 0
        assert made.stat().st_mode & 0o777 == mode


def test_only_harmless_variables_of_the_callers_environment_go_along(running: Mesh) -> None:
    done = running.ffmesh("run", "--", "sh", "-c", "env", env={**NEVER_ON_AN_AGENT, **ALLOWED})
    seen = dict(line.split("=", 1) for line in done.stdout.decode().splitlines())
    assert {name: seen.get(name) for name in ALLOWED} == ALLOWED
    assert not set(NEVER_ON_AN_AGENT) & set(seen)
    assert not {"FFMESH_CONFIG", "VIRTUAL_ENV"} & set(seen)


def test_a_root_may_be_said_for_one_job(running: Mesh, folder: Path, same: Path) -> None:
    (folder / "two" / "there.txt").write_text("two's")
    elsewhere = same / "mount"
    elsewhere.mkdir()
    words = ("--on", "agent-2", "--root", f"Films={elsewhere}", "--", "cat", elsewhere / "there.txt")
    assert running.ffmesh("run", *words).stdout == b"two's"


def test_a_job_runs_on_the_agent_that_was_named(running: Mesh) -> None:
    for name in ("agent-2", "agent-1", "agent-2"):
        job = running.submit("--on", name, "--", "sh", "-c", "true")
        assert running.wait(job).returncode == 0
        assert [running.job(job)["agent"], *(each["agent"] for each in running.job(job)["attempts"])] == [name, name]


def test_a_job_waits_for_an_agent_that_nobody_knows_and_says_so(running: Mesh) -> None:
    job = running.submit("--on", "agent-9", "--", "sh", "-c", "true")
    shown = running.job(job)
    assert (shown["state"], shown["reason_code"]) == ("queued", "waiting_for_agent")
    assert "agent-9" in shown["reason"]
    running.say("cancel", job)


def test_a_need_that_an_agent_meets_is_met(running: Mesh) -> None:
    line = shlex.split("ffmpeg -v error -f lavfi -i testsrc=size=64x64:rate=25 -t 0.2 -c:v libx264 -f matroska -")
    done = running.ffmesh("run", "--need", "encoder=libx264", "--", *line)
    assert (done.returncode, done.stdout[:4]) == (0, b"\x1a\x45\xdf\xa3")


def test_a_job_whose_need_nobody_meets_waits_and_says_what_is_missing(running: Mesh) -> None:
    job = running.submit("--need", "encoder=of_nobody", "--need", "encoder=libx264", "--", "ffmpeg", "-version")
    shown = running.job(job)
    assert (shown["state"], shown["agent"], shown["reason_code"]) == ("queued", None, "waiting_for_agent")
    assert "of_nobody" in shown["reason"]
    assert shown["needs"]["capabilities"] == ["encoder=of_nobody", "encoder=libx264"]
    running.say("cancel", job)


def test_two_jobs_run_on_two_agents_at_once(running: Mesh, same: Path) -> None:
    script = 'touch "$0/$1"; while [ ! -e "$0/go" ]; do sleep 0.02; done; echo $1'
    first = running.begin("run", "--", "sh", "-c", script, same, "a")
    second = running.begin("run", "--", "sh", "-c", script, same, "b")
    with ending(first), ending(second):
        until(lambda: (same / "a").exists() and (same / "b").exists(), "both run")
        assert {agent["slots"]["cpu"]["used"] for agent in running.json("agents")} == {1}
        (same / "go").touch()
        assert finished(first) == (0, b"a\n", b"")
        assert finished(second) == (0, b"b\n", b"")
