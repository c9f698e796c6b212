"""Both fronts say and do the same, by the bytes: that in Python, and that in C where a compiler is at hand.

The helper is a socket of the test, so that what it is told can be looked at, and what it says is what the test wants.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ffmesh_client.shim import compiling, front, wording
from ffmesh_client.shim.installing import START, interpreter

SECONDS = 60.0
SAYS_ITS_WORDS = '#!/bin/sh\nprintf "%s\\n" "$LD_LIBRARY_PATH" "$@"\n'
HANDED_ON = ("HUP", "INT", "QUIT", "TERM", "CONT")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("front")
    compiling.build(folder, os.environ)
    return folder / compiling.PROGRAM


class Front:
    """Called by `begin`; `owner` and `python` are what it would become."""

    def __init__(self, name: str, program: Path | None, folder: Path) -> None:
        self.name = name
        self._program = program
        self.key = f"test-{secrets.token_hex(8)}"
        self.socket = Path(os.fsdecode(front.folder_of_sockets())) / self.key
        self.real = _script(folder / "real", SAYS_ITS_WORDS)
        self.owner = _script(folder / "owner", SAYS_ITS_WORDS)
        self.python = _script(folder / "python", SAYS_ITS_WORDS) if program else interpreter()

    def line(self, *arguments: str | bytes, real: str | None = None) -> list[str | bytes]:
        before: Sequence[str | bytes] = (
            (str(self._program), self.python, START.name)
            if self._program
            else (self.python, "-S", "-I", "-X", "utf8", str(START))
        )
        return [
            *before,
            real if real is not None else self.real,
            self.owner,
            self.key,
            "the config",
            "n/me",
            *arguments,
        ]

    def begin(
        self,
        *arguments: str | bytes,
        real: str | None = None,
        stdin: int = subprocess.DEVNULL,
        stderr: int = subprocess.PIPE,
        cwd: Path | None = None,
        first: Callable[[], object] | None = None,
        variables: Mapping[str, str] = os.environ,
    ) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self.line(*arguments, real=real),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=cwd,
            env={**os.environ, **variables},
            preexec_fn=first,
        )


@pytest.fixture(params=["c", "python"])
def a_front(request: pytest.FixtureRequest, tmp_path: Path) -> Front:
    program: Path | None = request.getfixturevalue("built") if request.param == "c" else None
    return Front(request.param, program, tmp_path)


class Heard:
    """A call, as a helper has it."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        content, self.descriptors, _flags, _who = socket.recv_fds(line, 1 << 20, 3)
        while (whole := wording.length_of(content)) is None or len(content) < whole[1]:
            content += line.recv(1 << 20)
        self.call = wording.call_in(content[whole[0] : whole[1]])
        self._after = content[whole[1] :]

    def say(self, words: str) -> None:
        self._line.sendall(words.encode())

    def signals(self, count: int) -> list[int]:
        """All so far, of which there are at least so many."""
        while self._after.count(b"\n") < count:
            more = self._line.recv(100)
            assert more, "it has gone"
            self._after += more
        return wording.signals_in(self._after)[0]


@contextmanager
def helper(of: Front) -> Generator[socket.socket, None, None]:
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(SECONDS)
        door.bind(str(of.socket))
        door.listen()
        try:
            yield door
        finally:
            of.socket.unlink()


@contextmanager
def called(door: socket.socket) -> Generator[Heard, None, None]:
    line, _ = door.accept()
    with line:
        line.settimeout(SECONDS)
        heard = Heard(line)
        try:
            yield heard
        finally:
            for each in heard.descriptors:
                os.close(each)


def ended(process: "subprocess.Popen[bytes]") -> tuple[int, bytes, bytes]:
    said, complained = process.communicate(timeout=SECONDS)
    return process.returncode, said, complained or b""


def test_the_helper_is_told_all_of_the_call(a_front: Front, tmp_path: Path) -> None:
    folder = tmp_path / "a folder\nof lines"
    folder.mkdir()
    words: list[str | bytes] = ["-i", "", "two\nlines", b"no \xff utf-8", *("ünï" * 20_000,) * 8, "-"]
    variables = {
        "LD_LIBRARY_PATH": "not theirs",
        "FFMESH_LD_LIBRARY_PATH": "/theirs",
        "FFMESH_LD_PRELOAD": "",
        "EMPTY": "",
    }
    before = os.umask(0o027)
    try:
        with helper(a_front) as door:
            process = a_front.begin(*words, cwd=folder, variables=variables)
            with called(door) as heard:
                heard.say("m\nx7\n")
    finally:
        os.umask(before)
    assert ended(process) == (7, b"", b"")
    call = heard.call
    assert call.arguments == tuple(os.fsdecode(word) for word in words)
    assert (call.folder, call.real, call.name, call.umask, call.open) == (
        str(folder),
        a_front.real,
        "n/me",
        0o027,
        (0, 1, 2),
    )
    assert len(heard.descriptors) == 3
    told = os.environ | {"LD_LIBRARY_PATH": "not theirs", "EMPTY": ""}
    assert {name: call.environment.get(name) for name in told} == dict(told)
    assert not any(name.startswith("FFMESH_LD_") for name in call.environment)


@pytest.mark.parametrize("closed", [(), (0,), (0, 1, 2), (2,)])
def test_a_stream_that_the_caller_has_closed_is_none(a_front: Front, closed: tuple[int, ...]) -> None:
    def close() -> None:
        for descriptor in closed:
            os.close(descriptor)

    with helper(a_front) as door:
        process = a_front.begin(first=close)
        with called(door) as heard:
            heard.say("x0\n")
    assert ended(process)[0] == 0
    assert heard.call.open == tuple(each for each in (0, 1, 2) if each not in closed)
    assert len(heard.descriptors) == 3 - len(closed)


@pytest.mark.parametrize(
    ("words", "code"), [("x0\n", 0), ("w\nm\nx255\n", 255), ("mnews\nk15\n", -15), ("m\nk9\n", -9)]
)
def test_it_ends_as_it_is_told(a_front: Front, words: str, code: int) -> None:
    with helper(a_front) as door:
        process = a_front.begin("-i", "x")
        with called(door) as heard:
            for each in words:
                heard.say(each)  # it need not come in one piece
    assert ended(process) == (code, b"", b"")


def test_told_to_it_becomes_the_program_of_this_machine_with_all_that_is_its(a_front: Front) -> None:
    with helper(a_front) as door:
        process = a_front.begin(
            "-i", "two\nlines", variables={"FFMESH_LD_LIBRARY_PATH": "/theirs", "LD_LIBRARY_PATH": ""}
        )
        with called(door) as heard:
            heard.say("cthe broker is away\ncand so is everybody\nl\n")
    said = b"/theirs\n-i\ntwo\nlines\n"
    assert ended(process) == (0, said, b"ffmesh: the broker is away\nffmesh: and so is everybody\n")


@pytest.mark.parametrize(
    ("real", "code", "why"),
    [
        ("", 127, "me runs nowhere: there is no program of that name on this machine"),
        ("/nowhere/ffmpeg", 127, "/nowhere/ffmpeg cannot be run: No such file or directory"),
        ("/etc/passwd", 126, "/etc/passwd cannot be run: Permission denied"),
    ],
)
def test_a_program_that_is_not_there_is_said_as_a_shell_says_it(a_front: Front, real: str, code: int, why: str) -> None:
    with helper(a_front) as door:
        process = a_front.begin("-i", "x", real=real)
        with called(door) as heard:
            heard.say("l\n")
    assert ended(process) == (code, b"", f"ffmesh: {why}\n".encode())


def test_signals_are_handed_on_and_kill_nobody(a_front: Front) -> None:
    with helper(a_front) as door:
        process = a_front.begin()
        with called(door) as heard:
            heard.say("m\n")
            for count, name in enumerate(HANDED_ON, 1):
                process.send_signal(signal.Signals[f"SIG{name}"])
                assert heard.signals(count)[-1] == signal.Signals[f"SIG{name}"]
            heard.say("x3\n")
    assert ended(process)[0] == 3


def test_stopped_by_a_terminal_it_stops_and_goes_on(a_front: Front) -> None:
    with helper(a_front) as door:
        process = a_front.begin()
        with called(door) as heard:
            heard.say("m\n")
            process.send_signal(signal.SIGTSTP)
            assert heard.signals(1) == [signal.SIGTSTP]
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            process.send_signal(signal.SIGCONT)
            assert heard.signals(2)[-1] == signal.SIGCONT
            heard.say("x0\n")
    assert ended(process)[0] == 0


def test_what_our_parent_ignores_stays_ignored(a_front: Front) -> None:
    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    with helper(a_front) as door:
        process = a_front.begin(first=ignore)
        with called(door) as heard:
            heard.say("m\n")
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
            assert heard.signals(1) == [signal.SIGTERM]
            heard.say("x0\n")
    assert ended(process)[0] == 0


def test_who_is_to_end_before_anything_has_begun_dies_of_that_and_runs_nothing(a_front: Front) -> None:
    with helper(a_front) as door:
        process = a_front.begin("-i", "x")
        with called(door) as heard:
            process.send_signal(signal.SIGTERM)
            assert heard.signals(1) == [signal.SIGTERM]
            heard.say("l\n")
    assert ended(process) == (-signal.SIGTERM, b"", b"")


def test_a_helper_that_dies_with_the_job_is_told_of(a_front: Front) -> None:
    with helper(a_front) as door:
        process = a_front.begin()
        with called(door) as heard:
            heard.say("m\n")
    assert ended(process) == (1, b"", b"ffmesh: the helper of the shim died, and the job with it; run it again\n")


def test_one_that_dies_before_is_done_without(a_front: Front) -> None:
    with helper(a_front) as door:
        process = a_front.begin("-i", "x")
        with called(door) as heard:
            heard.say("w\n")
    words = ["", "-E", "-s", "-P", "-X", "utf8", "-m", "ffmesh_client.shim.alone", a_front.real, "the config", "n/me"]
    assert ended(process) == (0, "\n".join([*words, "-i", "x", ""]).encode(), b"")


def test_a_reader_of_complaints_that_has_gone_is_nothing_to_die_of(a_front: Front) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with helper(a_front) as door:
        process = a_front.begin(stderr=writes)
        os.close(writes)
        with called(door) as heard:
            heard.say("csomething\nx3\n")
    assert ended(process)[0] == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be somebody else")
def test_somebody_elses_helper_is_told_nothing(a_front: Front) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(a_front.socket))
        os.seteuid(65534)
        try:
            door.listen()  # the kernel notes who listens
        finally:
            os.seteuid(0)
        process = a_front.begin("-i", "x")
        with door.accept()[0] as line:
            line.settimeout(SECONDS)
            assert line.recv(1) == b""
        assert ended(process)[0] == 0
    a_front.socket.unlink()


# --- what the front in C leaves to the one in Python


@pytest.fixture
def in_c(built: Path, tmp_path: Path) -> Front:
    return Front("c", built, tmp_path)


def _becomes_python(in_c: Front, process: "subprocess.Popen[bytes]") -> bool:
    words = [
        "",
        "-S",
        "-I",
        "-X",
        "utf8",
        START.name,
        in_c.real,
        in_c.owner,
        in_c.key,
        "the config",
        "n/me",
        "-i",
        "x",
        "",
    ]
    return ended(process) == (0, "\n".join(words).encode(), b"")


def test_without_a_helper_it_becomes_the_one_in_python(in_c: Front) -> None:
    assert _becomes_python(in_c, in_c.begin("-i", "x"))


def test_so_it_does_with_a_terminal(in_c: Front) -> None:
    ours, theirs = os.openpty()
    with helper(in_c):
        process = in_c.begin("-i", "x", stdin=theirs)
        os.close(theirs)
        assert _becomes_python(in_c, process)
    os.close(ours)


def test_a_compiler_that_is_not_there_or_builds_nothing_that_runs_is_a_reason(tmp_path: Path) -> None:
    empty = {"PATH": str(tmp_path)}
    with pytest.raises(compiling.NotBuilt, match="there is no C compiler"):
        compiling.build(tmp_path, empty)
    for script, why in (
        ("#!/bin/sh\necho x: fatal error: stdio.h: no such file >&2; exit 1\n", "fatal error: stdio.h"),
        ('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done; echo data >"$2"\n', "does not run in"),
    ):
        compiler = _script(tmp_path / "compiler", script)
        with pytest.raises(compiling.NotBuilt, match=why):
            compiling.build(tmp_path, {**os.environ, "CC": compiler})
    assert [entry.name for entry in tmp_path.iterdir()] == ["compiler"]


def test_it_builds_without_a_warning(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    strict = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror", "-O2")
    done = subprocess.run(
        ["cc", *strict, "-o", tmp_path / "front", compiling.SOURCE], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def _script(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


assert sys.platform == "linux"  # the rest of the shim is for others too, its front in C is not
