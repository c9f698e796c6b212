"""What a program behind a fence can do to files: all that the fence names, and nothing else."""

import os
import tempfile
from pathlib import Path

import pytest

from ffmesh_warden import landlock
from ffmesh_warden.fence import Kind
from ffmesh_warden.handle import Warden
from warden.fenced import KINDS, Place, all_of, each_kind
from warden.living import PATH, SOURCE

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes and mounts")


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, warden: Warden, tmp_path: Path) -> Place:
    return Place.made(warden, tmp_path, request.param)


async def test_what_may_be_read_is_read_listed_and_run(place: Place) -> None:
    script = place.readable / "script"
    script.write_text("#!/bin/sh\necho it ran\n")
    script.chmod(0o755)
    await place.allowed(
        {
            "read": f"assert open('{place.readable}/file').read() == 'readable'",
            "listed": f"assert sorted(os.listdir('{place.readable}')) == ['file', 'script']",
        }
    )
    assert (await place.ran([script]))[1] == "it ran\n"


async def test_what_may_be_read_is_not_written(place: Place) -> None:
    (folder := place.readable / "folder").mkdir()
    await place.refused(
        {
            "opened to write": f"open('{place.readable}/file', 'r+')",
            "emptied as it is opened": f"open('{place.readable}/file', 'w')",
            "cut off": f"os.truncate('{place.readable}/file', 0)",
            "made": f"open('{place.readable}/new', 'x')",
            "a folder made": f"os.mkdir('{place.readable}/new')",
            "a link made": f"os.symlink('x', '{place.readable}/new')",
            "a pipe made": f"os.mkfifo('{place.readable}/new')",
            "removed": f"os.remove('{place.readable}/file')",
            "a folder removed": f"os.rmdir('{folder}')",
            "renamed": f"os.rename('{place.readable}/file', '{place.readable}/new')",
        }
    )
    folder.rmdir()
    assert place.is_untouched(place.readable)


async def test_what_may_be_written_is_made_renamed_cut_and_removed(place: Place) -> None:
    here = place.writable
    await place.allowed(
        {
            "read": f"assert open('{here}/file').read() == 'writable'",
            "made": f"open('{here}/a', 'x').write('123')",
            "cut off": f"os.truncate('{here}/a', 1)",
            "folders made": f"os.makedirs('{here}/one/two')",
            "renamed into another folder": f"os.rename('{here}/a', '{here}/one/two/b')",
            "linked": f"os.link('{here}/one/two/b', '{here}/one/c')",
            "a link made": f"os.symlink('c', '{here}/one/d')",
            "and followed": f"assert open('{here}/one/d').read() == '1'",
            "removed": f"os.remove('{here}/one/two/b')",
            "a folder removed": f"os.rmdir('{here}/one/two')",
        }
    )
    assert (here / "one" / "c").read_text() == "1"


async def test_what_is_outside_is_neither_read_nor_touched(place: Place) -> None:
    file = place.outside / "file"
    await place.refused(
        {
            "read": f"open('{file}')",
            "by a way around": f"open('{place.readable}/../outside/file')",
            "listed": f"os.listdir('{place.outside}')",
            "written": f"open('{file}', 'a')",
            "emptied": f"open('{file}', 'w')",
            "cut off": f"os.truncate('{file}', 0)",
            "made": f"open('{place.outside}/new', 'x')",
            "removed": f"os.remove('{file}')",
            "renamed": f"os.rename('{file}', '{place.outside}/new')",
            "run": f"os.execv('{file}', ['file'])",
            "something of the system": "open('/etc/hostname')",
        }
    )
    assert place.is_untouched(place.outside)


async def test_nothing_crosses_the_fence_by_a_new_name(place: Place) -> None:
    inside = place.writable
    await place.refused(
        {
            "renamed in": f"os.rename('{place.outside}/file', '{inside}/in')",
            "renamed in from what may be read": f"os.rename('{place.readable}/file', '{inside}/in')",
            "renamed out": f"os.rename('{inside}/file', '{place.outside}/new')",
            "renamed to what may be read": f"os.rename('{inside}/file', '{place.readable}/new')",
            "renamed over": f"os.replace('{inside}/file', '{place.outside}/file')",
            "linked in": f"os.link('{place.outside}/file', '{inside}/in')",
            "linked in from what may be read": f"os.link('{place.readable}/file', '{inside}/in')",
            "linked out": f"os.link('{inside}/file', '{place.outside}/new')",
        }
    )
    assert all(place.is_untouched(folder) for folder in (place.readable, inside, place.outside))


async def test_a_link_inside_that_points_out_leads_nowhere(place: Place) -> None:
    (place.readable / "old").symlink_to(place.outside / "file")
    (place.writable / "folder").symlink_to(place.outside)
    made = f"{place.writable}/made"
    await place.refused(
        {
            "there before": f"open('{place.readable}/old')",
            "over a folder": f"open('{place.writable}/folder/file')",
            "made by the program": f"os.symlink('{place.outside}/file', '{made}'); open('{made}')",
            "written": f"open('{made}', 'w')",
            "made through it": f"open('{place.writable}/folder/new', 'x')",
        }
    )
    assert place.is_untouched(place.outside)


async def test_the_processes_folders_are_no_way_out(place: Place) -> None:
    everything = place.but(read=(*place.fence.read, b"/proc"))
    file, ours = place.outside / "file", os.getpid()
    descriptor = os.open(file, os.O_RDWR)
    try:
        await everything.refused(
            {
                "its own root": f"open('/proc/self/root{file}')",
                "the first process's": f"open('/proc/1/root{file}')",
                "its owner's": f"open('/proc/{ours}/root{file}')",
                "the warden's": f"open('/proc/{place.warden.pid}/root{file}')",
                "its owner's folder": f"os.listdir('/proc/{ours}/cwd')",
                "its owner's open file": f"open('/proc/{ours}/fd/{descriptor}')",
                "its owner's memory": f"open('/proc/{ours}/mem', 'rb')",
                "its owner's environment": f"open('/proc/{ours}/environ').read()",
                "its owner's files": f"os.listdir('/proc/{ours}/map_files')",
                "its owner's fate": f"open('/proc/{ours}/oom_score_adj', 'w').write('1000')",
            }
        )
    finally:
        os.close(descriptor)
    assert place.is_untouched(place.outside)


_MARKS = {
    "modes": "os.chmod({}, 0o600)",
    "modes in a folder": "os.chmod(os.path.basename({}), 0o600, dir_fd=os.open(os.path.dirname({}), os.O_PATH))",
    "modes by descriptor": "os.fchmod(os.open({}, os.O_RDONLY), 0o600)",
    "owners": "os.chown({}, os.getuid(), os.getgid())",
    "owners of links": "os.lchown({}, os.getuid(), os.getgid())",
    "owners by descriptor": "os.fchown(os.open({}, os.O_RDONLY), os.getuid(), os.getgid())",
    "dates": "os.utime({}, (1, 1))",
    "attributes": "os.setxattr({}, 'user.x', b'1')",
    "attributes of links": "os.setxattr({}, 'user.x', b'1', follow_symlinks=False)",
    "attributes by descriptor": "os.setxattr(os.open({}, os.O_RDONLY), 'user.x', b'1')",
    "attributes removed": "os.removexattr({}, 'user.kept')",
    "flags": "import fcntl; fcntl.ioctl(os.open({}, os.O_RDONLY), 0x40086602, (64).to_bytes(8, 'little'))",
}
_BY_THE_NEWEST_CALLS = """
import ctypes
made = ctypes.CDLL(None, use_errno=True).syscall({call}, -100, b"{file}", 0, 0, 0, 0)
if made < 0: raise OSError(ctypes.get_errno(), "{call}")
"""


def _marks(*folders: Path) -> dict[str, str]:
    return {
        f"{what} {folder.name}": attempt.format(f"'{folder}/file'", f"'{folder}/file'")
        for folder in folders
        for what, attempt in _MARKS.items()
    }


async def test_no_modes_owners_or_dates_are_changed_but_of_what_may_be_written(place: Place) -> None:
    marked = {folder: (folder / "file") for folder in (place.readable, place.outside)}
    for file in marked.values():
        os.setxattr(file, "user.kept", b"1")
    before = {file: (file.stat(), os.getxattr(file, "user.kept")) for file in marked.values()}
    await place.refused(_marks(*marked))
    assert {file: (file.stat(), os.getxattr(file, "user.kept")) for file in marked.values()} == before
    free = await place.tried(_marks(place.writable), free=True)
    assert free.pop("attributes removed writable") == "ENODATA"
    assert free.pop("flags writable") in {"done", "ENOTTY", "EOPNOTSUPP"}, "as the file system knows them"
    assert set(free.values()) == {"done"}, "or nothing was refused by the fence"


async def test_a_room_lets_its_own_be_changed_and_landlock_cannot_tell_it_from_others(place: Place) -> None:
    (place.writable / "file").chmod(0o600)
    tried = await place.tried(
        {
            "its own mode": f"os.chmod('{place.writable}/file', 0o640)",
            "its own dates": f"os.utime('{place.writable}/file', (1, 1))",
            "its own dates as touch does": f"os.utime(os.open('{place.writable}/file', os.O_WRONLY))",
            "the mode that it is made with": f"os.close(os.open('{place.writable}/new', os.O_CREAT, 0o700))",
        }
    )
    own = "EPERM" if place.fence.kind == "landlock" else "done"
    assert tried == {
        "its own mode": own,
        "its own dates": own,
        "its own dates as touch does": "done",
        "the mode that it is made with": "done",
    }
    assert (place.writable / "new").stat().st_mode & 0o700 == 0o700


async def test_no_newer_call_changes_what_the_older_ones_may_not(place: Place) -> None:
    file = place.readable / "file"
    calls = {str(call): _BY_THE_NEWEST_CALLS.format(call=call, file=file) for call in (452, 463, 466, 469)}
    allowed = {"EPERM"} if place.fence.kind == "landlock" else {"EPERM", "ENOSYS", "EROFS", "EINVAL", "EFAULT"}
    assert set((await place.tried(calls)).values()) <= allowed


async def test_a_folder_that_was_open_before_is_no_way_out(place: Place) -> None:
    await place.refused(
        {
            "upwards from its own folder": "open('../outside/file')",
            "from a descriptor": f"open('file', opener=lambda name, flags: os.open('../outside/' + name, flags, "
            f"dir_fd=os.open('{place.readable}', os.O_RDONLY)))",
        }
    )


async def test_children_and_grandchildren_are_behind_the_same_fence(place: Place) -> None:
    script = f"""
        cat {place.outside}/file
        sh -c 'cat {place.outside}/file; setsid sh -c "cat {place.outside}/file; echo x >{place.outside}/file"'
        cat {place.readable}/file
    """
    _, said = await place.ran(["sh", "-c", script])
    assert said.endswith("readable")
    assert "outside\n" not in said
    assert said.count("cat: ") == 3
    assert place.is_untouched(place.outside)


async def test_a_fence_may_name_a_single_file(place: Place) -> None:
    (place.outside / "other").write_text("other")
    one = place.but(write=(*place.fence.write, bytes(place.outside / "other")))
    tried = await one.tried(
        {
            "written": f"open('{place.outside}/other', 'w').write('new')",
            "its neighbour": f"open('{place.outside}/file')",
            "beside it": f"open('{place.outside}/third', 'x')",
            "removed": f"os.remove('{place.outside}/other')",
        }
    )
    assert tried.pop("written") == "done"
    assert "done" not in tried.values()
    assert (place.outside / "other").read_text() == "new"


async def test_names_in_a_fence_that_lead_nowhere_are_left_out(place: Place, tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    nowhere = tuple(bytes(tmp_path / name) for name in ("none", "dangling", "round", "readable/file/below"))
    open_wide = place.but(
        read=(*place.fence.read, *nowhere), write=(*place.fence.write, *nowhere), devices=(b"/dev/none", *nowhere)
    )
    await open_wide.allowed({"read": f"open('{place.readable}/file')"})


async def test_a_name_in_a_fence_may_lead_over_links(place: Place, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("outside")
    (tmp_path / "further").symlink_to(tmp_path / "link")
    linked = place.but(read=(*place.fence.read, bytes(tmp_path / "further")))
    await linked.allowed(
        {
            "by that name": f"open('{tmp_path}/further/file')",
            "by the next": f"open('{tmp_path}/link/file')",
            "by its own": f"open('{place.outside}/file')",
        }
    )


async def test_the_wider_right_holds_where_names_lie_within_each_other(place: Place) -> None:
    (place.readable / "within").mkdir()
    (place.writable / "within").mkdir()
    both = place.but(
        read=(*place.fence.read, bytes(place.writable / "within"), bytes(place.writable)),
        write=(*place.fence.write, bytes(place.readable / "within")),
    )
    tried = await both.tried(
        {
            "read within write": f"open('{place.writable}/within/new', 'x')",
            "write within read": f"open('{place.readable}/within/new', 'x')",
            "beside it": f"open('{place.readable}/new', 'x')",
        }
    )
    assert (tried["read within write"], tried["write within read"]) == ("done", "done")
    assert tried["beside it"] != "done"


async def test_shared_memory_is_a_rooms_own_and_closed_under_landlock(place: Place) -> None:
    shared, is_room = Path("/dev/shm"), place.fence.kind == "bubblewrap"
    if not shared.is_dir():
        pytest.skip("there is no shared memory here")
    name = f"{shared}/ffmesh-test-of-a-program-{os.getpid()}"
    with tempfile.NamedTemporaryFile(dir=shared, prefix="ffmesh-test-") as others:
        tried = await place.tried(
            {
                "listed": f"assert os.listdir('{shared}') == []",
                "another's": f"open('{others.name}')",
                "its own": f"open('{name}', 'x').write('1')",
                "a semaphore": "import _multiprocessing; _multiprocessing.SemLock(0, 1, 1, '/ffmesh-test', True)",
            }
        )
    came = "done" if is_room else "EACCES"
    another = "ENOENT" if is_room else "EACCES"
    assert tried == {"listed": came, "another's": another, "its own": came, "a semaphore": came}
    assert not Path(name).exists()


async def test_a_program_reads_about_itself_what_its_libraries_ask_and_nothing_about_others(place: Place) -> None:
    here = place.but(read=(*place.fence.read, b"/proc/self"))
    await here.allowed(
        {
            "status": "open('/proc/self/status').read()",
            "its memory's map": "open('/proc/self/maps').read()",
            "its descriptors": "os.listdir('/proc/self/fd')",
            "its threads": "os.listdir('/proc/self/task')",
        }
    )
    if place.fence.kind == "landlock":
        await here.refused(
            {
                "command line": f"open('/proc/{os.getpid()}/cmdline')",
                "status": f"open('/proc/{os.getpid()}/status')",
                "processes": "os.listdir('/proc')",
            }
        )


async def test_pipes_are_opened_by_their_names(place: Place) -> None:
    for name in ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"):
        read, write = os.pipe()
        os.write(write, name.encode())
        os.close(write)
        assert (await place.ran(["sh", "-c", f"cat {name} >/dev/stdout"], stdin=read))[1] == name
        os.close(read)


async def test_a_pipe_is_passed_on_to_a_program_that_names_it(place: Place) -> None:
    read, write = os.pipe()
    program = await place.warden.start(
        ["sh", "-c", "echo progress >/dev/fd/3; echo more >&3"],
        env=PATH,
        cwd=place.writable,
        fence=place.fence,
        extra={3: write},
    )
    os.close(write)
    assert (await program.ended()).exit_code == 0
    assert all_of(read) == b"progress\nmore\n"


async def test_what_belongs_to_nobody_is_open_to_all(place: Place) -> None:
    await place.allowed(
        {
            "null": "open('/dev/null', 'r+b', buffering=0).write(b'x')",
            "zero": "assert open('/dev/zero', 'rb').read(2) == bytes(2)",
            "random": "open('/dev/urandom', 'rb').read(2)",
        }
    )


@as_root
async def test_a_device_is_opened_if_the_fence_names_it(place: Place) -> None:
    if not Path("/dev/fuse").exists():
        pytest.skip("there is no device here to try it with")
    attempt = {"device": "open('/dev/fuse', 'r+b', buffering=0)"}
    await place.refused(attempt)
    await place.but(devices=(b"/dev/fuse",)).allowed(attempt)


@as_root
async def test_a_program_of_roots_makes_no_device_node_and_loads_no_module(place: Place) -> None:
    await place.refused(
        {
            "the memory": f"os.mknod('{place.writable}/mem', 0o20600, os.makedev(1, 1))",
            "a disk": f"os.mknod('{place.writable}/disk', 0o60600, os.makedev(8, 0))",
            "another root": f"os.chroot('{place.writable}')",
            "another host": "socket.sethostname('elsewhere')",
        }
    )


async def test_no_powers_are_left_but_those_over_files(place: Place) -> None:
    with_proc = place.but(read=(*place.fence.read, b"/proc"))
    _, said = await with_proc.ran(["cat", "/proc/self/status"])
    status = dict(line.split(":\t", 1) for line in said.splitlines())
    over_files = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4
    # What bounds them counts for root alone: nobody else gets any by starting a program.
    sets = {"CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd" if os.geteuid() == 0 else "CapEff"}
    assert {name: status[name] for name in sets if int(status[name], 16) & ~over_files} == {}
    assert status["NoNewPrivs"] == "1"


@as_root
@each_kind
async def test_a_fence_stands_around_a_program_of_another_user(warden: Warden, kind: Kind) -> None:
    with tempfile.TemporaryDirectory() as name:  # not in the test's own folder, which is closed to others
        (folder := Path(name)).chmod(0o755)
        place = Place.made(warden, folder, kind)
        os.chown(place.writable, 65534, 65534)
        script = f"id -u; echo new >new; cat {place.outside}/file; cat {place.readable}/file"
        read, write = os.pipe()
        program = await warden.start(
            ["sh", "-c", script],
            env={"PATH": "/usr/bin:/bin"},
            cwd=place.writable,
            stdout=write,
            user="nobody",
            fence=place.fence,
        )
        os.close(write)
        await program.ended()
        assert all_of(read) == b"65534\nreadable"
        assert (place.writable / "new").stat().st_uid == 65534


_OF_AN_AGE = """
sys.path.append({source!r})
from ffmesh_warden import enclosing, landlock
landlock.abi = lambda: {abi}
names = {{"read": {read!r}, "write": {write!r}, "devices": []}}
enclosing.enclose({{"kind": "landlock", **names, "network": False}})
"""
_OPENAT2 = """
import ctypes
how = (ctypes.c_uint64 * 3)(os.O_TRUNC)
made = ctypes.CDLL(None, use_errno=True).syscall(437, -100, b"{file}", how, 24)
if made < 0: raise OSError(ctypes.get_errno(), "openat2")
"""


@pytest.mark.parametrize("abi", range(1, 8))
async def test_each_age_of_landlock_keeps_what_is_outside_whole(warden: Warden, tmp_path: Path, abi: int) -> None:
    place = Place.made(warden, tmp_path, "landlock")
    if landlock.abi() < abi:
        pytest.skip("this kernel's Landlock is older")
    read, write = ([os.fsdecode(name) for name in names] for names in (place.fence.read, place.fence.write))
    outside, readable = place.outside / "file", place.readable / "file"
    tried = await place.tried(
        {
            "fenced": _OF_AN_AGE.format(source=str(SOURCE.parent), abi=abi, read=read, write=write),
            "read": f"open('{readable}')",
            "its own cut off": f"open('{place.writable}/file', 'r+').truncate(0)",
            "read outside": f"open('{outside}')",
            "written outside": f"open('{outside}', 'a')",
            "cut off": f"os.truncate('{outside}', 0)",
            "emptied, opened to be read": f"os.open('{readable}', os.O_RDONLY | os.O_TRUNC)",
            "emptied, opened for nothing": f"os.open('{outside}', 3 | os.O_TRUNC)",
            "emptied by the newest call": _OPENAT2.format(file=readable),
        },
        free=True,
    )
    assert {name for name, came in tried.items() if came == "done"} == {"fenced", "read", "its own cut off"}
    assert set(tried.values()) <= {"done", "EACCES", "ENOSYS"}
    assert place.is_untouched(place.outside)
    assert place.is_untouched(place.readable)
