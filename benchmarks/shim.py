"""What a server pays for calling the shim instead of ffmpeg: beside the program itself, warm ssh and cold ssh.

    python -m benchmarks.shim

Calls from start to end; many of them; what a user waits for at a seek, and how long an ffmpeg outlives a shim that was
killed; and a gigabyte of standard output, also to a reader that stands still for a minute.

The no-op is a script of one line, which the agent of a mesh of its own has for its ffmpeg; what that agent asks of it,
an ffmpeg answers. Where it says `in a row`, each call begins when the one before has ended.
"""

import hashlib
import os
import signal
import subprocess
import tempfile
import time
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Literal

from benchmarks.measure import Report, Row, check, interleaved, parser, row, rows, run, took
from benchmarks.mesh import PARTS, Mesh, mesh
from benchmarks.processes import MIB, peak_rss_bytes
from benchmarks.ssh import WarmSsh, warm_ssh

from ffmesh_client.shim.installing import Wish, install

LOCAL, WARM, COLD, SHIM = "local", "warm ssh", "cold ssh", "the shim"
THROUGH_PYTHON: Final = "the shim, its front in Python"
BASES: Final = (LOCAL, WARM)
IN_A_ROW, AT_ONCE = 50, 8
READ_BYTES: Final = 1024 * 1024
STALL_AFTER_BYTES: Final = 64 * MIB
LOOK_SECONDS: Final = 0.005
LIMIT_SECONDS: Final = 60.0
FALLS_BACK_NEVER: Final = "\n[shim]\nwait_seconds = 30.0\nfallback = false\n"

DOES_NOTHING: Final = 'case "$*" in *in.mkv*) ;; *) exec ffmpeg "$@" ;; esac'
VERSION: Final = ("-version",)
ENCODE: Final = (
    *("-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=duration=1:size=640x360:rate=25"),
    *("-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-f", "matroska"),
)
SEGMENTS: Final = (
    *("-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x180:rate=25", "-c:v", "libx264", "-g", "5"),
    *("-preset", "ultrafast", "-tune", "zerolatency", "-threads", "1", "-f", "segment", "-segment_time", "0.2"),
)
COPY: Final = ("-v", "error", "-f", "rawvideo", "-video_size", "1024x1024", "-pix_fmt", "gray", "-framerate", "1000")

Words = Sequence[str | Path]
Peer = tuple[str, Path]


class Shim:
    """Installed for a mesh, in a folder of its own."""

    def __init__(self, ours: Mesh, folder: Path) -> None:
        self.files = ours.files
        self.theirs = ours.program("ffmpeg")
        self._client = folder / "client.toml"
        self._client.touch(0o600)
        self._client.write_text((ours.home / "client.toml").read_text(encoding="utf-8") + FALLS_BACK_NEVER)
        self.ffmpeg = self._installed(folder / "shim")
        self.through_python = self._installed(folder / "through python", "python")

    def _installed(self, folder: Path, front: Literal["auto", "python"] = "auto") -> Path:
        install(Wish(folder=str(folder), config=str(self._client), front=front), os.environ)
        return folder / "ffmpeg"

    @property
    def helper(self) -> int:
        """Its pid; there is one after the first call."""
        return next(pid for pid in _pids() if _has_words(pid, b"ffmesh_client.shim.helper", os.fsencode(self._client)))

    def end(self) -> None:
        try:
            os.kill(self.helper, signal.SIGTERM)
        except StopIteration:
            return


@contextmanager
def shim_of(ours: Mesh) -> Generator[Shim, None, None]:
    with tempfile.TemporaryDirectory(prefix="ffmesh-bench-shim-") as folder:
        shim = Shim(ours, Path(folder))
        try:
            yield shim
        finally:
            shim.end()


def benchmark(arguments: Namespace) -> Sequence[Report]:
    rounds: int = arguments.rounds
    few = max(1, rounds // 3)
    with (
        warm_ssh() as ssh,
        mesh("--slots", str(AT_ONCE)) as real,
        mesh("--slots", str(AT_ONCE), programs={"ffmpeg": DOES_NOTHING}) as idle,
        shim_of(real) as shim,
        shim_of(idle) as nothing,
    ):
        return [
            _calls(shim, nothing, ssh, arguments.peer, rounds),
            _many(nothing, ssh, few),
            _seeks_and_deaths(shim, rounds),
            *_stream(real, shim, ssh, few, arguments.mib, arguments.stall),
        ]


# --- calls


def _calls(shim: Shim, nothing: Shim, ssh: WarmSsh | None, peers: Sequence[Peer], rounds: int) -> Report:
    picture = str(shim.files / "out.mkv")
    sides: dict[str, Callable[[], float]] = {
        **_sides("ffmpeg -version", ssh, ("ffmpeg", *VERSION), (shim.ffmpeg, *VERSION)),
        **_sides("no-op", ssh, _no_op(nothing.theirs, nothing), _no_op(nothing.ffmpeg, nothing)),
        f"{THROUGH_PYTHON}: no-op": partial(took, _no_op(nothing.through_python, nothing)),
        **_sides("encode of 1 s", ssh, ("ffmpeg", *ENCODE, picture), (shim.ffmpeg, *ENCODE, picture)),
    }
    for name, program in peers:
        sides[f"{name}: ffmpeg -version"] = partial(took, (program, *VERSION))
        sides[f"{name}: encode of 1 s"] = partial(took, (program, *ENCODE, picture))
    return _report("Calls, from start to end", sides, rounds)


def _many(nothing: Shim, ssh: WarmSsh | None, rounds: int) -> Report:
    """All of them no-ops."""
    return _report(
        f"Many no-ops, until the last has ended: {IN_A_ROW} in a row, {AT_ONCE} at once",
        {
            f"{way}{what}": partial(many, line)
            for what, many in ((f": {IN_A_ROW} in a row", _in_a_row), (f": {AT_ONCE} at once", _at_once))
            for way, line in _ways(ssh, _no_op(nothing.theirs, nothing), _no_op(nothing.ffmpeg, nothing)).items()
        },
        rounds,
    )


def _no_op(program: Path, nothing: Shim) -> Sequence[str]:
    return (str(program), "-i", str(nothing.files / "in.mkv"), str(nothing.files / "out.mkv"))


def _sides(what: str, ssh: WarmSsh | None, local: Sequence[str], ours: Words) -> dict[str, Callable[[], float]]:
    return {f"{way}: {what}": partial(took, line) for way, line in _ways(ssh, local, ours).items()}


def _ways(ssh: WarmSsh | None, local: Sequence[str], ours: Words) -> dict[str, Words]:
    ways: dict[str, Words] = {LOCAL: local}
    if ssh is not None:
        warm = ssh.run(*local)
        ways |= {WARM: warm, COLD: [warm[0], "-o", "ControlPath=none", *warm[1:]]}
    return {**ways, SHIM: ours}


def _report(title: str, sides: dict[str, Callable[[], float]], rounds: int) -> Report:
    ratios = {base: {side: f"{base}:{side.partition(':')[2]}" for side in sides} for base in BASES}
    samples = interleaved(sides, rounds)
    return Report(title=title, rounds=rounds, rows=rows(samples, unit="ms", scale=1000, ratios=ratios))


def _in_a_row(line: Words) -> float:
    return sum(took(line) for _ in range(IN_A_ROW))


def _at_once(line: Words) -> float:
    began = time.perf_counter()
    calls = [_begun(line, subprocess.DEVNULL) for _ in range(AT_ONCE)]
    for call in calls:
        check(call.wait(), line, b"")
    return time.perf_counter() - began


def _begun(line: Words, stdin: int, stdout: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(line, stdin=stdin, stdout=stdout, bufsize=0)


# --- seeks and deaths


def _seeks_and_deaths(shim: Shim, rounds: int) -> Report:
    """A seek is `q`, the end, a new start, and the first segment. A death is SIGKILL, until no ffmpeg is there."""
    programs: dict[str, str | Path] = {LOCAL: "ffmpeg", SHIM: shim.ffmpeg}
    sides = {f"{way}: seek": partial(_seek, program, shim.files) for way, program in programs.items()}
    samples = interleaved({**sides, f"{SHIM}: killed → its ffmpeg is gone": partial(_killed, shim)}, rounds)
    ratios = {LOCAL: {f"{way}: seek": f"{LOCAL}: seek" for way in programs}}
    return Report(
        title="While something plays", rounds=rounds, rows=rows(samples, unit="ms", scale=1000, ratios=ratios)
    )


def _seek(program: str | Path, files: Path) -> float:
    with tempfile.TemporaryDirectory(dir=files) as name:
        first, second = Path(name, "first%d.ts"), Path(name, "second%d.ts")
        with _playing(program, first) as playing:
            began = time.perf_counter()
            _stop(playing)
            with _playing(program, second) as again:
                seconds = time.perf_counter() - began
                _stop(again)
    return seconds


def _killed(shim: Shim) -> float:
    with (
        tempfile.TemporaryDirectory(dir=shim.files) as name,
        _playing(shim.ffmpeg, Path(name, "killed%d.ts")) as playing,
    ):
        playing.kill()
        began = time.perf_counter()
        _until(lambda: not any(_has_words(pid, os.fsencode(name)) for pid in _pids()))
        return time.perf_counter() - began


@contextmanager
def _playing(program: str | Path, segments: Path) -> "Generator[subprocess.Popen[bytes], None, None]":
    """Its first segment is there."""
    with _begun((program, *SEGMENTS, segments), subprocess.PIPE) as playing:
        try:
            _until(Path(str(segments).replace("%d", "1")).exists)
            yield playing
        finally:
            playing.kill()


def _stop(playing: "subprocess.Popen[bytes]") -> None:
    assert playing.stdin is not None
    playing.stdin.write(b"q\n")
    check(playing.wait(LIMIT_SECONDS), ["ffmpeg"], b"")


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT_SECONDS
    while not condition():
        if time.monotonic() > until:
            raise SystemExit("it does not come to what was waited for")
        time.sleep(LOOK_SECONDS)


# --- a stream


def _stream(real: Mesh, shim: Shim, ssh: WarmSsh | None, rounds: int, mib: int, stall: float) -> Iterator[Report]:
    """What goes is a file of random bytes, copied as frames; so ffmpeg works no harder than `cat`."""
    film = real.files / "frames"
    digest = _random_file(film, mib)
    line = (*COPY, "-i", film, "-c", "copy", "-f", "rawvideo", "-")
    ways: dict[str, Words] = {LOCAL: ("ffmpeg", *line)}
    if ssh is not None:
        ways[WARM] = ssh.run("cat", str(film))
    ways[SHIM] = (shim.ffmpeg, *line)
    for way, words in ways.items():
        stalls = stall if way == SHIM else 0.0
        check(int(_drained(words, stalls) != digest), words, b"what came is not what was sent")
    samples = interleaved({way: partial(_speed, words, film) for way, words in ways.items()}, rounds)
    yield Report(
        title=f"{mib} MiB of standard output, all hashes equal; the shim's once after {stall:.0f} s without a reader",
        rounds=rounds,
        rows=rows(samples, unit="MB/s", scale=1e-6, ratios={base: dict.fromkeys(samples, base) for base in BASES}),
    )
    yield Report(title="Peak of resident memory after all this", rounds=1, rows=_peaks(real, shim))


def _random_file(path: Path, mib: int) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(mib):
            block = os.urandom(MIB)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _speed(words: Words, film: Path) -> float:
    began = time.perf_counter()
    _read(words, lambda _block, _got: None)
    return film.stat().st_size / (time.perf_counter() - began)


def _drained(words: Words, stall: float) -> str:
    """The hash of what came. A while of `stall` seconds is nothing read."""
    digest = hashlib.sha256()

    def take(block: memoryview, got: int) -> None:
        digest.update(block)
        if got >= STALL_AFTER_BYTES > got - len(block):
            time.sleep(stall)

    _read(words, take)
    return digest.hexdigest()


def _read(words: Words, take: Callable[[memoryview, int], None]) -> None:
    process = _begun(words, subprocess.DEVNULL, subprocess.PIPE)
    assert process.stdout is not None
    buffer = bytearray(READ_BYTES)
    got = 0
    with process, process.stdout as pipe:
        while count := os.readv(pipe.fileno(), [buffer]):
            got += count
            take(memoryview(buffer)[:count], got)
    check(process.returncode, words, b"")


def _peaks(real: Mesh, shim: Shim) -> list[Row]:
    pids = {**{part: real.pid_of(part) for part in PARTS}, "the shim's helper": shim.helper}
    return [row(part, [peak_rss_bytes(pid) / MIB], unit="MiB") for part, pid in pids.items()]


# --- processes


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _has_words(pid: int, *words: bytes) -> bool:
    """In its command line."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return all(word in line for word in words)


def _peer(text: str) -> Peer:
    name, given, path = text.partition("=")
    if not given or not os.access(path, os.X_OK):
        raise ArgumentTypeError(f"{text!r} names no program: NAME=FFMPEG")
    return name, Path(path).absolute()


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--mib", type=int, default=1024, metavar="N", help="how much goes to standard output (1024)")
    arguments.add_argument(
        "--stall", type=float, default=60.0, metavar="SECONDS", help="how long a reader stands still, once (60)"
    )
    arguments.add_argument(
        "--peer",
        type=_peer,
        action="append",
        default=[],
        metavar="NAME=FFMPEG",
        help="what another mesh has put here as ffmpeg, set up and running; may be repeated",
    )
    run(arguments.parse_args(), benchmark)
