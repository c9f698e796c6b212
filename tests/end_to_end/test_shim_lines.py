"""A command line does the same through the shim as without: exit code, streams, files. Only paths in messages differ.

The agent has the files under other names, and ffmpeg tells those, quoted as the place wants it; where a line has a name
relative to its folder, the agent's is whole. Nothing else is forgiven but addresses in memory, and the figures of
progress.
"""

import filecmp
import re
import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from end_to_end.lines import CASES, FILTERED, Case, films_in, in_a_filter
from end_to_end.outside import Mesh, mesh
from end_to_end.shims import LOCAL, Programs, Shim, shim_in

PROGRESS = re.compile(rb".*(frame|size)=.*time=.*")
MEASURED = re.compile(
    rb"0x[0-9a-f]+|^(bitrate|speed|fps|out_time\w*|progress|total_size|frame|stream_\w+|\w+_frames)=.*"
)
HASTY = "\n[shim]\nwait_seconds = 0.2\n"
TEXTS = {".txt", ".csv", ".m3u8", ".srt", ".trf", ".ttf", ".log", ""}


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a case. `files` is a folder with what it has left."""

    codes: list[int]
    stdout: list[bytes]
    stderr: list[bytes]
    files: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`here` is what the mesh shares."""
    place = tmp_path_factory.mktemp("lines")
    films_in(place / "here" / "Films & more")
    return place


@pytest.fixture(scope="module")
def running(place: Path) -> Generator[Mesh, None, None]:
    elsewhere(place).symlink_to(place / "here")
    roots = ("--root", f"Files={place / 'here'}", "--root", f"agent-1:Files={elsewhere(place)}")
    with mesh(place / "home", "--slots", "4", *roots) as running:
        yield running


@pytest.fixture(scope="module")
def shim(running: Mesh, place: Path) -> Generator[Shim, None, None]:
    with shim_in(running, place / "patient") as shim:
        yield shim


@pytest.fixture(scope="module")
def hasty(running: Mesh, place: Path) -> Generator[Shim, None, None]:
    """One that runs here what nobody takes at once."""
    with shim_in(running, place / "hasty", more=HASTY) as shim:
        yield shim


def elsewhere(place: Path) -> Path:
    """Where the agent has it."""
    return place / "the agent's [own], place: 100%"


@pytest.mark.parametrize("name", CASES)
def test_a_line_does_the_same_through_the_shim(name: str, place: Path, shim: Shim, hasty: Shim) -> None:
    case = CASES[name]
    used = hasty if case.unable else shim
    local, ours = seen(LOCAL, name, place), seen(used, name, place)
    assert local.codes == [*([0] * (len(case.steps) - 1)), case.code], local.stderr
    assert ours.codes == local.codes, ours.stderr
    assert bool(used.ran_here()) == (case.here or case.unable), ours.stderr
    assert messages(ours.stderr, place, name) == messages(local.stderr, place, name)
    if "progress" in name:
        assert [MEASURED.sub(b"", each) for each in ours.stdout] == [MEASURED.sub(b"", each) for each in local.stdout]
    else:
        assert ours.stdout == local.stdout
    assert_same_files(ours.files, local.files)


def seen(programs: Programs, name: str, place: Path) -> Seen:
    """Runs it in a folder that has the same name for both sides, and keeps what it leaves elsewhere."""
    case, out = CASES[name], folder_of(name, place)
    values = {
        "films": str(place / "here" / "Films & more"),
        "out": str(out),
        "tee": str(out).replace("'", r"\'"),
        "name": out.name,
    }
    values["filtered"] = in_a_filter(FILTERED.format(**values))
    prepare(out, case, values)
    codes: list[int] = []
    stdout: list[bytes] = []
    stderr: list[bytes] = []
    stdin = Path(case.stdin.format(**values)).read_bytes() if isinstance(case.stdin, str) else case.stdin
    for step in case.steps:
        words = [word.format(**values) for word in step]
        done = programs.run(case.program, *words, cwd=out if case.inside else Path("/"), stdin=stdin)
        codes.append(done.returncode)
        stdout += re.split(rb"(?<=\n)", done.stdout)
        stderr += re.split(rb"[\r\n]+", done.stderr)
        if done.returncode:
            break
    kept = place / programs.side / name
    shutil.rmtree(kept, ignore_errors=True)
    kept.parent.mkdir(exist_ok=True)
    out.rename(kept)
    return Seen(codes, stdout, stderr, kept)


def folder_of(name: str, place: Path) -> Path:
    return place / "here" / f"out of {name}"


def prepare(out: Path, case: Case, values: dict[str, str]) -> None:
    out.mkdir()
    if "in it's.ts" in case.steps[0]:
        shutil.copy(Path(values["films"]) / "one.ts", out / "in it's.ts")
    for file, text in case.files.items():
        (out / file).parent.mkdir(exist_ok=True)
        (out / file).write_text(text.format(**values))


def messages(lines: list[bytes], place: Path, name: str) -> list[bytes]:
    """Without what may differ."""
    told = [MEASURED.sub(b"", with_our_names(line, place)) for line in lines if line and not PROGRESS.match(line)]
    if not CASES[name].inside:
        return told
    return [line.replace(bytes(folder_of(name, place)) + b"/", b"") for line in told]


def with_our_names(line: bytes, place: Path) -> bytes:
    """A pattern has each percent sign twice, and `tee` wants a quote escaped."""
    theirs = bytes(elsewhere(place))
    for quoted in (theirs.replace(b"%", b"%%"), theirs.replace(b"'", b"\\'"), theirs):
        line = line.replace(quoted, bytes(place / "here"))
    return line


def assert_same_files(ours: Path, local: Path) -> None:
    """The same names, and in each the same to be seen and heard. Films carry numbers that were thrown with dice."""
    names = sorted(file.relative_to(local) for file in local.rglob("*"))
    assert sorted(file.relative_to(ours) for file in ours.rglob("*")) == names
    for name in names:
        if (local / name).is_dir() or filecmp.cmp(ours / name, local / name, shallow=False):
            continue
        if name.name == "progress":
            assert measured(ours / name) == measured(local / name)
            continue
        if name.suffix == ".trf":
            assert motions(ours / name) == motions(local / name)
            continue
        assert name.suffix not in TEXTS, f"{name}: {(ours / name).read_bytes()!r}"
        assert decoded(ours / name) == decoded(local / name), name


def measured(file: Path) -> list[bytes]:
    return [MEASURED.sub(b"", line) for line in file.read_bytes().splitlines()]


def motions(file: Path) -> list[bytes]:
    """The frames of which some were found. Their figures are others at each run, the pictures that they make not."""
    return re.findall(rb"^Frame \d+", file.read_bytes(), re.MULTILINE)


def decoded(file: Path) -> tuple[int, bytes]:
    done = LOCAL.ffmpeg("-v", "fatal", "-i", f"file:{file}", "-map", "0:v?", "-map", "0:a?", "-f", "hash", "-")
    return done.returncode, done.stdout
