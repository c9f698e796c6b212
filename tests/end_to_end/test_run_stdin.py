"""What somebody sends to `run` is what its program reads: byte for byte, in time, and no further than it matters."""

import hashlib
import os
import shlex
import subprocess
import threading
from collections.abc import Generator
from pathlib import Path
from typing import IO

import pytest

from end_to_end.outside import GENEROUS, PYTHON, Mesh, ending, finished, mesh, number_in, state_of, taken, until
from ffmesh_protocol.limits import WINDOW_BYTES

MEGABYTES = 64
PIPE_BYTES = 64 * 1024
PIPES_BYTES = 8 * PIPE_BYTES
"""What its pipes hold at most, the client's and the program's."""
ENDLESS = shlex.split("-re -f lavfi -i testsrc=size=64x64:rate=25 -c:v mpeg4")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("stdin")
    programs = [word for name in ("sh", "cat", "sha256sum", "true") for word in ("--program", name)]
    with mesh(folder / "home", "--slots", "4", "--root", f"Place={folder}", *programs) as running:
        yield running


@pytest.fixture
def place(running: Mesh, tmp_path: Path) -> Path:
    """A folder under the root, for this test alone."""
    folder = running.home.parent / tmp_path.name
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def much(running: Mesh) -> Path:
    """A file of random bytes."""
    file = running.home.parent / "much"
    with file.open("wb") as writes:
        for _ in range(MEGABYTES):
            writes.write(os.urandom(1 << 20))
    return file


def _sum(file: Path) -> str:
    with file.open("rb") as reads:
        return hashlib.file_digest(reads, "sha256").hexdigest()


def test_much_comes_back_as_it_went_in_both_directions_at_once(running: Mesh, much: Path) -> None:
    with (
        ending(subprocess.Popen(["cat", much], stdout=subprocess.PIPE)) as source,
        ending(_begun(running, "cat", stdin=source.stdout)) as command,
    ):
        assert command.stdout is not None
        digest = hashlib.file_digest(command.stdout, "sha256")  # type: ignore[arg-type] # a raw pipe has readinto
        assert command.wait(GENEROUS) == 0
    assert digest.hexdigest() == _sum(much)


def test_a_file_is_read_to_its_end(running: Mesh, much: Path) -> None:
    with much.open("rb") as file, ending(_begun(running, "sha256sum", stdin=file)) as command:
        assert finished(command)[:2] == (0, f"{_sum(much)}  -\n".encode())


@pytest.mark.parametrize("nothing", ["<&-", "</dev/null", "<empty"])
def test_where_there_is_nothing_a_program_finds_its_end(running: Mesh, place: Path, nothing: str) -> None:
    (place / "empty").touch()
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {nothing}', "sh", *PYTHON, "ffmesh_client", "run", "--", "sh", "-c", "wc -c"],
        cwd=place,
        env=running.environment(),
        capture_output=True,
        timeout=GENEROUS,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, b"0", b"")


def test_a_little_goes_through_at_once_and_back(running: Mesh) -> None:
    with ending(_begun(running, "cat")) as command:
        assert command.stdin is not None
        for number in range(20):
            word = f"{number}\n".encode()
            command.stdin.write(word)
            assert taken(command, len(word)) == word
        command.stdin.close()
        assert command.wait(GENEROUS) == 0


def test_who_sends_nothing_does_not_hold_up_the_end(running: Mesh) -> None:
    with ending(_begun(running, "true")) as command:
        assert command.wait(GENEROUS) == 0


def test_what_comes_after_the_programs_end_is_left_for_the_next_command(running: Mesh) -> None:
    script = '"$@" sh -c "read line; echo 1 \\$line"; echo over; read line; echo 2 $line'
    words = ["sh", "-c", script, "sh", *PYTHON, "ffmesh_client", "run", "--"]
    with ending(
        subprocess.Popen(
            words, env=running.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write(b"first\n")
        shell.stdin.flush()
        assert [shell.stdout.readline(), shell.stdout.readline()] == [b"1 first\n", b"over\n"]
        shell.stdin.write(b"second\n")
        shell.stdin.flush()
        assert shell.stdout.readline() == b"2 second\n"


def test_an_ffmpeg_without_stdin_leaves_a_list_to_the_loop_that_reads_it(running: Mesh) -> None:
    line = "ffmpeg -v error -nostdin -f lavfi -i testsrc=size=16x16:d=0.1 -f null -"
    script = f'while read -r name; do "$@" {line}; echo "$name"; done'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *PYTHON, "ffmesh_client", "run", "--"],
        env=running.environment(),
        input=b"one\ntwo\n",
        capture_output=True,
        timeout=GENEROUS,
        check=False,
    )
    assert (done.stdout, done.stderr) == (b"one\ntwo\n", b"")


def test_a_program_that_closes_its_input_goes_on_and_nobody_waits(running: Mesh, place: Path) -> None:
    script = 'exec <&-; while [ ! -e "$0" ]; do sleep 0.02; done; echo done'
    line = ("sh", "-c", script, place / "go")
    with Path("/dev/zero").open("rb") as zeros, ending(_begun(running, *line, stdin=zeros)) as command:
        (place / "go").touch()
        assert finished(command) == (0, b"done\n", b"")


def test_a_slow_program_holds_its_client_and_memory_stays_bounded(running: Mesh, place: Path) -> None:
    """One byte, and then none until it is told: the client takes what the windows and pipes hold, and no more."""
    script = 'dd bs=1 count=1 2>/dev/null; while [ ! -e "$0" ]; do sleep 0.02; done; wc -c'
    read, write = os.pipe()
    sent = _Sent(write, 3 * WINDOW_BYTES)
    with ending(_begun(running, "sh", "-c", script, place / "go", stdin=read)) as command:
        os.close(read)
        sent.start()
        assert taken(command, 1) == b"x"
        until(lambda: sent.count >= WINDOW_BYTES, "a window is full")
        until(lambda: _sleeps_for_good(sent), "nothing more is taken")
        assert sent.count <= WINDOW_BYTES + PIPES_BYTES
        (place / "go").touch()
        assert finished(command) == (0, b"%d\n" % (3 * WINDOW_BYTES - 1), b"")
    sent.join()


class _Sent(threading.Thread):
    def __init__(self, descriptor: int, total: int) -> None:
        super().__init__(daemon=True)
        self._descriptor = descriptor
        self._total = total
        self.count = 0

    def run(self) -> None:
        while self.count < self._total:
            self.count += os.write(self._descriptor, b"x" * min(PIPE_BYTES, self._total - self.count))
        os.close(self._descriptor)


def _sleeps_for_good(sent: _Sent) -> bool:
    """The same at a hundred looks."""
    before = sent.count
    for _ in range(100):
        if sent.count != before:
            return False
        threading.Event().wait(0.01)
    return True


def test_q_ends_ffmpeg_well_and_its_file_is_whole(running: Mesh, place: Path) -> None:
    with ending(_begun(running, "ffmpeg", "-y", *ENDLESS, place / "out.mkv")) as command:
        assert command.stdin is not None
        assert command.stderr is not None
        _until_said(command.stderr.fileno(), b"frame=")
        command.stdin.write(b"q\n")
        code, _, stderr = finished(command)
        assert code == 0, stderr
    done = running.run("ffprobe", "-v", "error", "-count_frames", place / "out.mkv")
    assert (done.returncode, done.stderr) == (0, b"")


def test_ffmpegs_other_keys_are_answered(running: Mesh) -> None:
    with ending(_begun(running, "ffmpeg", *ENDLESS, "-f", "null", "-")) as command:
        assert command.stdin is not None
        assert command.stderr is not None
        _until_said(command.stderr.fileno(), b"frame=")
        command.stdin.write(b"?")
        _until_said(command.stderr.fileno(), b"q      quit")
        command.stdin.write(b"c")
        _until_said(command.stderr.fileno(), b"Enter command:")
        command.stdin.write(b"\nq")
        assert finished(command)[0] == 0


def test_an_ffmpeg_that_was_fed_keys_still_ends_when_it_is_cancelled(running: Mesh, place: Path) -> None:
    """By our own key, in the same pipe."""
    with ending(_begun(running, "ffmpeg", "-y", *ENDLESS, place / "out.mkv", label=str(place))) as command:
        assert command.stderr is not None
        _until_said(command.stderr.fileno(), b"frame=")
        running.say("cancel", running.jobs_called(str(place))[0]["id"])
        code, _, stderr = finished(command)
        assert (code, b"[q] command received" in stderr) == (130, True)


def test_a_film_on_standard_input_is_ffmpegs_input(running: Mesh, place: Path) -> None:
    made = subprocess.run(
        shlex.split("ffmpeg -v error -f lavfi -i testsrc=size=160x120:rate=25 -t 2 -c:v mpeg4 -f matroska -"),
        capture_output=True,
        timeout=GENEROUS,
        check=True,
    ).stdout
    line = shlex.split("ffmpeg -v error -i - -f framemd5 -")
    local = subprocess.run(line, input=made, capture_output=True, timeout=GENEROUS, check=True)
    done = running.ffmesh("run", "--", *line, stdin=made)
    assert (done.returncode, done.stdout, done.stderr) == (0, local.stdout, local.stderr)


def test_a_stream_outlives_the_broker(running: Mesh, much: Path, place: Path) -> None:
    script = 'head -c 20000000 | sha256sum; echo > "$0/pid"; cat | sha256sum'
    content = much.read_bytes()
    with ending(_begun(running, "sh", "-c", script, place)) as command:
        assert command.stdin is not None
        feeding = threading.Thread(target=_fed, args=(command, content), daemon=True)
        feeding.start()
        assert taken(command, 64).decode() == hashlib.sha256(content[:20_000_000]).hexdigest()
        running.until_back("broker", running.kill("broker"))
        code, stdout, _ = _rest(command)
        feeding.join(GENEROUS)
    assert (code, stdout.split()[-2].decode()) == (0, hashlib.sha256(content[20_000_000:]).hexdigest())


def test_a_client_that_is_killed_takes_its_fed_program_with_it(running: Mesh, place: Path) -> None:
    script = 'echo $$ > "$0/pid"; exec cat'
    with ending(_begun(running, "sh", "-c", script, place)) as command:
        program = number_in(place / "pid")
        command.kill()
        until(lambda: state_of(program) in ("", "Z"), "the program is gone")


def _fed(command: "subprocess.Popen[bytes]", content: bytes) -> None:
    assert command.stdin is not None
    left = memoryview(content)
    while left:
        left = left[command.stdin.write(left) :]
    command.stdin.close()


def _rest(command: "subprocess.Popen[bytes]") -> tuple[int, bytes, bytes]:
    """Of one whose input somebody else writes."""
    assert command.stdout is not None
    assert command.stderr is not None
    stdout = command.stdout.read()
    return command.wait(GENEROUS), stdout, command.stderr.read()


def _until_said(descriptor: int, word: bytes) -> bytes:
    """Reads so far and no further than a block."""
    said = b""
    while word not in said:
        block = os.read(descriptor, 65536)
        assert block, f"{word!r} was never said: {said!r}"
        said += block
    return said


def _begun(
    running: Mesh, *line: str | Path, stdin: int | IO[bytes] | None = subprocess.PIPE, label: str | None = None
) -> "subprocess.Popen[bytes]":
    words = ("--label", f"title={label}") if label is not None else ()
    return running.begin("run", *words, "--", *line, stdin=stdin)
