"""What a program is given, and what is said when it does not start."""

import asyncio
import contextlib
import errno
import os
import resource
import signal
from pathlib import Path

import pytest

from ffmesh_warden.errors import NotStarted
from ffmesh_warden.handle import Warden
from ffmesh_warden.program import Starting
from warden.living import PATH, children, until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the user")


class Caught:
    """A file for a program's output."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)

    def read(self) -> bytes:
        os.close(self.descriptor)
        return self._path.read_bytes()


@pytest.fixture
def out(tmp_path: Path) -> Caught:
    return Caught(tmp_path / "out")


async def test_arguments_that_are_not_utf8_arrive_byte_for_byte(warden: Warden, out: Caught) -> None:
    odd = bytes(range(1, 256))
    program = await warden.start([b"printf", b"%s", odd], env=PATH, cwd="/", stdout=out.descriptor)
    assert (await program.ended()).exit_code == 0
    assert out.read() == odd


async def test_two_hundred_kibibytes_of_arguments_arrive(warden: Warden, out: Caught) -> None:
    long = ["x" * 50 * 1024] * 4
    script = 'printf %s "$@" | wc -c'
    program = await warden.start(["sh", "-c", script, "sh", *long], env=PATH, cwd="/", stdout=out.descriptor)
    await program.ended()
    assert int(out.read()) == 200 * 1024


async def test_the_environment_is_the_given_one_and_our_mark(warden: Warden, out: Caught) -> None:
    given = {b"A": b"1", b"ODD": b"\xff=\n", b"EMPTY": b""}
    program = await warden.start(["/usr/bin/env", "-0"], env=given, cwd="/", stdout=out.descriptor)
    await program.ended()
    seen = dict(entry.split(b"=", 1) for entry in out.read().rstrip(b"\0").split(b"\0"))
    mark = seen.pop(b"FFMESH_PROGRAM")
    assert seen == {b"A": b"1", b"ODD": b"\xff=\n", b"EMPTY": b""}
    assert mark


async def test_the_folder_is_the_given_one(warden: Warden, out: Caught, tmp_path: Path) -> None:
    folder = tmp_path / "ein Ordner äöü"
    folder.mkdir()
    program = await warden.start(["pwd"], env=PATH, cwd=folder, stdout=out.descriptor)
    await program.ended()
    assert out.read().decode() == f"{folder}\n"


async def test_the_umask_is_the_given_one(warden: Warden, tmp_path: Path) -> None:
    program = await warden.start(["touch", "new"], env=PATH, cwd=tmp_path, umask=0o027)
    await program.ended()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


async def test_the_niceness_is_the_given_one(warden: Warden, out: Caught) -> None:
    program = await warden.start(["nice"], env=PATH, cwd="/", stdout=out.descriptor, nice=7)
    await program.ended()
    assert int(out.read()) == 7


async def test_a_descriptor_appears_at_the_number_asked_for(warden: Warden) -> None:
    read, write = os.pipe()
    program = await warden.start(["sh", "-c", "echo progress >&3"], env=PATH, cwd="/", extra={3: write})
    os.close(write)
    await program.ended()
    assert os.read(read, 100) == b"progress\n"
    assert os.read(read, 100) == b"", "the warden kept a copy"
    os.close(read)


async def test_descriptors_may_change_places(warden: Warden, tmp_path: Path) -> None:
    # Numbers that the warden itself has in use, each wanted at another one's place.
    files = [os.open(tmp_path / str(number), os.O_WRONLY | os.O_CREAT) for number in range(8)]
    places = {number + 3: files[7 - number] for number in range(8)}
    script = 'for n in 3 4 5 6 7 8 9; do eval "echo $n >&$n"; done'
    program = await warden.start(["sh", "-c", script], env=PATH, cwd="/", extra=places)
    assert (await program.ended()).exit_code == 0
    for file in files:
        os.close(file)
    assert [(tmp_path / str(7 - number)).read_text() for number in range(7)] == [f"{n}\n" for n in range(3, 10)]


async def test_no_place_asked_for_hides_why_a_program_did_not_start(warden: Warden) -> None:
    with pytest.raises(NotStarted, match="no program /no/such"):
        await warden.start(["/no/such"], env=PATH, cwd="/", extra=dict.fromkeys(range(60, 120), 0))


async def test_no_other_descriptor_is_inherited(warden: Warden, out: Caught) -> None:
    script = "ls /proc/$$/fd"
    program = await warden.start(["sh", "-c", script], env=PATH, cwd="/", stdout=out.descriptor, extra={7: 0})
    await program.ended()
    assert out.read().split() == [b"0", b"1", b"2", b"7"]


async def test_signals_are_as_a_program_expects_them(warden: Warden, out: Caught) -> None:
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN, "Python ignores it, so it could be inherited"
    program = await warden.start(["cat", "/proc/self/status"], env=PATH, cwd="/", stdout=out.descriptor)
    await program.ended()
    status = dict(line.split(b":\t", 1) for line in out.read().splitlines())
    # 32 and 33 are the C library's own: nobody can set them, so what was inherited of them stays.
    ours = ~(1 << 32 - 1 | 1 << 33 - 1)
    assert {int(status[name], 16) & ours for name in (b"SigIgn", b"SigBlk", b"SigCgt", b"SigPnd")} == {0}


async def test_a_program_leads_a_session_of_its_own(warden: Warden) -> None:
    program = await warden.start(["sleep", "1000"], env=PATH, cwd="/")
    assert os.getsid(program.pid) == os.getpgid(program.pid) == program.pid


async def test_what_is_not_given_is_dev_null(warden: Warden, out: Caught) -> None:
    script = "readlink /proc/$$/fd/0 /proc/$$/fd/2; cat"
    program = await warden.start(["sh", "-c", script], env=PATH, cwd="/", stdout=out.descriptor)
    assert (await program.ended()).exit_code == 0
    assert out.read() == b"/dev/null\n/dev/null\n"


@as_root
@pytest.mark.parametrize(("user", "group"), [("nobody", None), (65534, 65534), ("nobody", "nogroup")])
async def test_a_program_of_another_user_has_nothing_of_roots(
    warden: Warden, out: Caught, user: str | int, group: str | int | None
) -> None:
    program = await warden.start(
        ["cat", "/proc/self/status"], env=PATH, cwd="/", stdout=out.descriptor, user=user, group=group
    )
    await program.ended()
    status = dict(line.split(b":\t", 1) for line in out.read().splitlines())
    assert status[b"Uid"].split() == status[b"Gid"].split() == [b"65534"] * 4
    assert status[b"Groups"].split() == [b"65534"]
    assert int(status[b"CapEff"], 16) == 0


@as_root
async def test_a_user_without_an_entry_needs_a_group(warden: Warden, out: Caught) -> None:
    with pytest.raises(NotStarted, match="user 54321 has no group of its own: say which"):
        await warden.start(["id", "-u"], env=PATH, cwd="/", user=54321)
    program = await warden.start(["id", "-u"], env=PATH, cwd="/", stdout=out.descriptor, user=54321, group=54321)
    await program.ended()
    assert int(out.read()) == 54321


@pytest.mark.parametrize(
    ("argv", "cwd", "number", "sentence"),
    [
        (["/no/such"], "/", errno.ENOENT, "no program /no/such"),
        (["no-such-program"], "/", errno.ENOENT, "no program no-such-program in PATH"),
        (["/etc/passwd"], "/", errno.EACCES, "/etc/passwd is not executable"),
        (["/etc/passwd/x"], "/", errno.ENOTDIR, "no program /etc/passwd/x"),
        (["/etc"], "/", errno.EACCES, "/etc is a folder, not a program"),
        (["true"], "/no/such", errno.ENOENT, "no folder /no/such"),
        (["true"], "/etc/passwd", errno.ENOTDIR, "/etc/passwd is not a folder"),
        (["true", "x" * 200_000], "/", errno.E2BIG, "the arguments and environment of "),
        (["true", "a\0b"], "/", errno.EINVAL, r"'a\x00b' contains a zero byte, which ends every argument"),
        ([], "/", errno.EINVAL, "no program is named"),
    ],
)
async def test_what_does_not_start_is_said_in_a_sentence(
    warden: Warden, argv: list[str], cwd: str, number: int, sentence: str
) -> None:
    with pytest.raises(NotStarted) as caught:
        await warden.start(argv, env=PATH, cwd=cwd)
    assert caught.value.errno == number
    assert caught.value.sentence.startswith(sentence)


@pytest.mark.parametrize(
    ("argv", "cwd", "sentence"),
    [
        (["/no/such"], "/", "no program x264"),
        (["/etc/passwd"], "/", "x264 is not executable"),
        (["/etc"], "/", "x264 is a folder, not a program"),
        (
            ["/usr/bin/env", "x" * 200_000],
            "/",
            "the arguments and environment of x264 are longer than this system allows",
        ),
        (["/usr/bin/env"], "/no/such", "no folder $Movies/new"),
        (["/usr/bin/env"], "/etc/passwd", "$Movies/new is not a folder"),
    ],
)
async def test_a_sentence_says_no_path_where_it_is_told_what_things_are_called(
    warden: Warden, argv: list[str], cwd: str, sentence: str
) -> None:
    with pytest.raises(NotStarted) as caught:
        await warden.start(argv, env=PATH, cwd=cwd, program_called="x264", folder_called="$Movies/new")
    assert caught.value.sentence == sentence


async def test_a_script_whose_interpreter_is_missing_is_said_so(warden: Warden, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    with pytest.raises(NotStarted, match="is there, but not the interpreter"):
        await warden.start([script], env=PATH, cwd="/")


async def test_in_path_the_first_that_can_be_run_is_meant(warden: Warden, out: Caught, tmp_path: Path) -> None:
    for place, mode in (("a", 0o644), ("b", 0o755), ("c", 0o755)):
        (tmp_path / place).mkdir()
        (tmp_path / place / "tool").write_text(f"#!/bin/sh\necho {place}\n")
        (tmp_path / place / "tool").chmod(mode)
    path = f"{tmp_path}/none:{tmp_path}/a:{tmp_path}/b:{tmp_path}/c"
    program = await warden.start(["tool"], env={"PATH": path}, cwd="/", stdout=out.descriptor)
    await program.ended()
    assert out.read() == b"b\n"
    with pytest.raises(NotStarted, match="a/tool is not executable"):
        await warden.start(["tool"], env={"PATH": f"{tmp_path}/none:{tmp_path}/a"}, cwd="/")


async def test_a_file_that_is_no_program_is_said_so(warden: Warden, tmp_path: Path) -> None:
    film = tmp_path / "film"
    film.write_bytes(b"\0\0\0\x18ftypisom")
    film.chmod(0o755)
    with pytest.raises(NotStarted, match="is not a program that this machine can run"):
        await warden.start([film], env=PATH, cwd="/")


async def test_an_unknown_user_is_named(warden: Warden) -> None:
    with pytest.raises(NotStarted, match="no user nobody-of-that-name"):
        await warden.start(["true"], env=PATH, cwd="/", user="nobody-of-that-name")


async def test_a_closed_descriptor_is_refused_and_the_warden_is_well(warden: Warden) -> None:
    with pytest.raises(NotStarted) as caught:
        await warden.start(["true"], env=PATH, cwd="/", stdout=9999)
    assert caught.value.errno == errno.EBADF
    assert (await (await warden.start(["true"], env=PATH, cwd="/")).ended()).exit_code == 0


async def test_a_warden_without_room_for_descriptors_says_so_and_is_well_again_later(warden: Warden) -> None:
    before = resource.prlimit(warden.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(warden.pid, resource.RLIMIT_NOFILE, (10, before[1]))
    for count in range(8):  # some fail at the hand-over, some later
        with contextlib.suppress(NotStarted):
            await warden.start(["true"], env=PATH, cwd="/", extra=dict.fromkeys(range(3, 3 + count), 0))
    with pytest.raises(NotStarted, match="too many open files in the warden"):
        await warden.start(["true"], env=PATH, cwd="/", extra=dict.fromkeys(range(3, 20), 0))
    resource.prlimit(warden.pid, resource.RLIMIT_NOFILE, before)
    read, write = os.pipe()
    program = await warden.start(["sh", "-c", "echo right >&3"], env=PATH, cwd="/", extra={3: write})
    os.close(write)
    assert (await program.ended()).exit_code == 0
    assert os.read(read, 100) == b"right\n"
    os.close(read)


async def test_what_did_not_start_leaves_no_process(warden: Warden) -> None:
    for _ in range(5):
        with pytest.raises(NotStarted):
            await warden.start(["/no/such"], env=PATH, cwd="/")
    await until(lambda: children(warden.pid) == [])


async def test_a_cancelled_start_leaves_no_program(warden: Warden) -> None:
    os.kill(warden.pid, signal.SIGSTOP)
    async with asyncio.TaskGroup() as group:
        starting = group.create_task(warden.start(["sleep", "1000"], env=PATH, cwd="/"))
        await asyncio.sleep(0)  # the order is under way
        await asyncio.sleep(0)
        starting.cancel()
        await asyncio.sleep(0)
        os.kill(warden.pid, signal.SIGCONT)
    program = await warden.start(["true"], env=PATH, cwd="/")  # orders are obeyed in order
    await program.ended()
    await until(lambda: children(warden.pid) == [])


async def test_what_is_ordered_while_a_program_starts_reaches_it_before_the_next_one_begins(warden: Warden) -> None:
    given: list[Starting] = []
    os.kill(warden.pid, signal.SIGSTOP)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(warden.start(["true"], env=PATH, cwd="/", ordered=given.append))
        await until(lambda: bool(given))
        given[0].signal(signal.SIGSTOP)
        second = group.create_task(warden.start(["true"], env=PATH, cwd="/"))
        os.kill(warden.pid, signal.SIGCONT)
        await (await second).ended()
        (stopped,) = children(warden.pid)
        assert Path(f"/proc/{stopped}/stat").read_text().rpartition(") ")[2][0] == "T"
        given[0].signal(signal.SIGCONT)
    assert (await first.result().ended()).exit_code == 0


async def test_orders_to_what_did_not_start_do_nothing(warden: Warden) -> None:
    given: list[Starting] = []
    with pytest.raises(NotStarted):
        await warden.start(["/no/such"], env=PATH, cwd="/", ordered=given.append)
    given[0].signal(signal.SIGCONT)
    given[0].kill_at(0.0)
    assert (await (await warden.start(["true"], env=PATH, cwd="/")).ended()).exit_code == 0


async def test_orders_that_the_socket_cannot_hold_arrive_whole_and_in_order(warden: Warden, tmp_path: Path) -> None:
    os.kill(warden.pid, signal.SIGSTOP)
    long = ["x" * 100_000] * 2

    async def count(number: int) -> int:
        file = os.open(tmp_path / str(number), os.O_WRONLY | os.O_CREAT)
        try:
            script = 'printf %s "$@" | wc -c'
            program = await warden.start(["sh", "-c", script, "sh", *long], env=PATH, cwd="/", stdout=file)
        finally:
            os.close(file)
        await program.ended()
        return int((tmp_path / str(number)).read_text())

    async with asyncio.TaskGroup() as group:
        counts = [group.create_task(count(number)) for number in range(20)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        os.kill(warden.pid, signal.SIGCONT)
    assert [task.result() for task in counts] == [200_000] * 20


async def test_a_program_may_be_given_some_processors_only(warden: Warden, tmp_path: Path) -> None:
    some = max(os.sched_getaffinity(0))
    with (tmp_path / "out").open("w+") as out:
        program = await warden.start(
            ["grep", "Cpus_allowed_list", "/proc/self/status"], env=PATH, cwd="/", cpus=[some], stdout=out.fileno()
        )
        await program.ended()
        out.seek(0)
        assert out.read().split() == ["Cpus_allowed_list:", str(some)]


async def test_processors_that_are_not_there_keep_no_program_from_its_start(warden: Warden) -> None:
    program = await warden.start(["true"], env=PATH, cwd="/", cpus=[4000])
    assert (await program.ended()).exit_code == 0
