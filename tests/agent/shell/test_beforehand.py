"""What is looked at before a program starts: its inputs, and room for what it will write."""

import asyncio
import gc
import os
import threading
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest
from msgspec import structs

from agent.ffmpeg.wording import granted
from agent.shell.stage import stage, until
from ffmesh_agent.ffmpeg.aside import SCRATCH
from ffmesh_agent.ffmpeg.command_line import File
from ffmesh_agent.roots import RootPlace
from ffmesh_agent.shell import asking, beforehand, inputs
from ffmesh_agent.shell.beforehand import Beforehand
from ffmesh_agent.shell.inputs import NotReady
from ffmesh_protocol.media import Argument, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.reports import FailureKind
from ffmesh_warden.handle import Warden
from support.disks import fill, small_disk

MB = 1_000_000


def path(path: str, root: str = "Movies") -> Argument:
    return (RootPath(root=root, path=path),)


def job(*args: str | Argument, kind: JobKind = JobKind.DIRECT, number: int = 0, program: str = "ffmpeg") -> Grant:
    attempt = f"01JD000000000000000000AT{number:02d}"
    return structs.replace(granted(program, *args), attempt=attempt, kind=kind)


def copied(name: str, *, number: int = 0) -> Grant:
    return job("-y", "-i", path(name), "-c", "copy", path(f"out-{number}.mkv", "Out"), number=number)


async def refusal(looking: Beforehand, grant: Grant) -> tuple[FailureKind, str]:
    with pytest.raises(NotReady) as refused:
        await looking.look(grant, grant)
    return refused.value.failure, refused.value.sentence


@pytest.fixture
def movies(tmp_path: Path) -> Path:
    movies = tmp_path / "movies"
    (movies / "a b").mkdir(parents=True)
    (movies / "a.mkv").write_bytes(b"film")
    return movies


@pytest.fixture
def disk(tmp_path: Path) -> Generator[Path, None, None]:
    with small_disk(tmp_path / "out", 64) as disk:
        yield disk


def of(movies: Path, out: Path | None = None, *, keep_free: str | None = None) -> Beforehand:
    return Beforehand(
        {"Movies": RootPlace(path=str(movies)), "Out": RootPlace(path=str(out or movies), keep_free=keep_free)}
    )


# --- inputs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [JobKind.DIRECT, JobKind.STAGED])
async def test_a_missing_input_is_told_in_one_sentence(movies: Path, kind: JobKind) -> None:
    for name in ("b.mkv", "no/folder/b.mkv", "a.mkv/b.mkv"):
        told = await refusal(of(movies), job("-i", path(name), path("out.mkv"), kind=kind))
        assert told == (FailureKind.INPUT, f"input file does not exist: $Movies/{name}")


async def test_so_is_one_of_ffprobe_and_one_of_several(movies: Path) -> None:
    told = await refusal(of(movies), job("-show_format", path("b.mkv"), program="ffprobe"))
    assert told == (FailureKind.INPUT, "input file does not exist: $Movies/b.mkv")
    told = await refusal(of(movies), job("-i", path("a.mkv"), "-i", path("b.srt"), path("out.mkv")))
    assert told == (FailureKind.INPUT, "input file does not exist: $Movies/b.srt")


async def test_a_relative_one_is_looked_for_in_the_working_folder(movies: Path) -> None:
    grant = structs.replace(job("-i", "b.mkv", "out.mkv"), cwd=RootPath(root="Movies", path="a b"))
    told = await refusal(of(movies), grant)
    assert told == (FailureKind.INPUT, "input file does not exist: $Movies/a b/b.mkv")
    (movies / "a b" / "b.mkv").touch()
    await of(movies).look(grant, grant)


async def test_a_dangling_link_a_folder_and_a_circle_have_their_own_sentences(movies: Path) -> None:
    (movies / "gone").symlink_to("nowhere")
    (movies / "circle").symlink_to("circle")
    look = of(movies)
    assert (await refusal(look, job("-i", path("gone"), path("o"))))[1] == "input file does not exist: $Movies/gone"
    assert (await refusal(look, job("-i", path("a b"), path("o"))))[1] == "input file is a folder: $Movies/a b"
    failure, sentence = await refusal(look, job("-i", path("circle"), path("o")))
    assert (failure, sentence.startswith("input file cannot be opened: $Movies/circle: ")) == (FailureKind.INPUT, True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_one_that_may_not_be_read_says_so(movies: Path) -> None:
    (movies / "a.mkv").chmod(0)
    told = await refusal(of(movies), job("-i", path("a.mkv"), path("o")))
    assert told == (FailureKind.INPUT, "input file may not be read: $Movies/a.mkv")


async def test_an_attached_job_hears_it_from_its_program(movies: Path) -> None:
    grant = job("-i", path("b.mkv"), path("out.mkv"), kind=JobKind.INTERACTIVE)
    await of(movies).look(grant, grant)


async def test_what_is_no_plain_file_is_left_to_the_program(movies: Path) -> None:
    for args in (("-i", path("f-%d.png")), ("-f", "lavfi", "-i", "testsrc"), ("-f", "dvdvideo", "-i", path("a b"))):
        grant = job(*args, path("out.mkv"))
        await of(movies).look(grant, grant)


async def test_a_root_that_does_not_answer_is_the_machines_fault_and_holds_up_nobody_else(
    movies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()

    def sizes_of(files: Iterable[File]) -> tuple[int | None, ...]:
        answers.wait()
        return inputs.sizes_of(files)

    monkeypatch.setattr(beforehand, "sizes_of", sizes_of)
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.05)
    grant = job("-i", path("a.mkv"), path("out.mkv"))
    look = of(movies)
    try:
        assert await refusal(look, grant) == (FailureKind.NODE, "$Movies does not answer")
        await look.look(job("-f", "null", "-"), job("-f", "null", "-"))
        monkeypatch.setattr(asking, "ANSWER_SECONDS", 1000.0)
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(refusal(look, grant), name="look")
            await asyncio.sleep(0)
            look.give_up(grant.attempt)
        assert waiting.result() == (FailureKind.TRANSIENT, "it was stopped before it began")
    finally:
        answers.set()


async def test_a_look_that_fails_when_nobody_waits_any_more_is_nobodys(
    movies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, unheard = threading.Event(), list[object]()

    def sizes_of(_: Iterable[File]) -> tuple[int | None, ...]:
        answers.wait()
        raise NotReady("too late", FailureKind.NODE)

    monkeypatch.setattr(beforehand, "sizes_of", sizes_of)
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.05)
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    assert (await refusal(of(movies), job("-i", path("a.mkv"), path("out.mkv"))))[0] is FailureKind.NODE
    assert _looks() != []
    answers.set()
    await until(lambda: _looks() == [])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
    assert unheard == []


def _looks() -> list[str]:
    """Threads that are still at it."""
    return [each.name for each in threading.enumerate() if each.name.startswith("room of ")]


# --- room -------------------------------------------------------------------------------------------------------------


def film(movies: Path, name: str, size: int) -> None:
    with (movies / name).open("wb") as file:
        file.truncate(size)


async def test_a_job_whose_output_does_not_fit_is_refused_with_the_sizes(movies: Path, disk: Path) -> None:
    film(movies, "large.mkv", 80 * MB)
    failure, sentence = await refusal(of(movies, disk), copied("large.mkv"))
    assert failure is FailureKind.NODE
    assert sentence == "$Out has 67.1 MB free, of which 671.1 kB is kept free; this job needs about 80.0 MB"
    film(movies, "small.mkv", 60 * MB)
    await of(movies, disk).look(copied("small.mkv"), copied("small.mkv"))


async def test_what_is_promised_to_one_is_not_promised_to_another(movies: Path, disk: Path) -> None:
    film(movies, "a.mkv", 40 * MB)
    look = of(movies, disk)
    first, second = copied("a.mkv"), copied("a.mkv", number=1)
    await look.look(first, first)
    failure, sentence = await refusal(look, second)
    assert failure is FailureKind.NODE
    assert "and 40.0 MB is promised to jobs that run; this job needs about 40.0 MB" in sentence
    look.over(first.attempt)
    await look.look(second, second)


async def test_of_two_that_come_together_one_has_the_room(movies: Path, disk: Path) -> None:
    film(movies, "a.mkv", 40 * MB)
    look = of(movies, disk)
    first, second = copied("a.mkv"), copied("a.mkv", number=1)
    done = await asyncio.gather(look.look(first, first), look.look(second, second), return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["NoneType", "NotReady"]


async def test_what_one_has_written_is_not_counted_twice(movies: Path, disk: Path) -> None:
    film(movies, "a.mkv", 40 * MB)
    film(movies, "b.mkv", 20 * MB)
    look = of(movies, disk)
    await look.look(copied("a.mkv"), copied("a.mkv"))
    (disk / "out-0.mkv").write_bytes(b"x" * 39 * MB)
    second = copied("b.mkv", number=1)
    await look.look(second, second)


async def test_what_is_overwritten_makes_room_for_what_comes(movies: Path, disk: Path) -> None:
    film(movies, "a.mkv", 40 * MB)
    (disk / "out-0.mkv").write_bytes(b"x" * 40 * MB)
    await of(movies, disk).look(copied("a.mkv"), copied("a.mkv"))


async def test_what_is_written_into_a_folder_of_its_own_is_counted_there(movies: Path, disk: Path) -> None:
    film(movies, "a.mkv", 40 * MB)
    film(movies, "b.mkv", 20 * MB)
    look = of(movies, disk)
    first = job("-i", path("a.mkv"), "-f", "hls", path(".ffmesh-1/hls/index.m3u8", "Out"))
    await look.look(first, first)
    (disk / ".ffmesh-1" / "hls").mkdir(parents=True)
    for number in range(3):
        (disk / ".ffmesh-1" / "hls" / f"{number}.ts").write_bytes(b"x" * 13 * MB)
    second = copied("b.mkv", number=1)
    await look.look(second, second)


async def test_below_the_watermark_nothing_begins_whatever_it_needs(movies: Path, disk: Path) -> None:
    unknown = job("-f", "lavfi", "-i", "testsrc", path("out.mkv", "Out"))
    look = of(movies, disk, keep_free="10 MB")
    await look.look(unknown, unknown)
    fill(disk, all_but=9 * MB)
    failure, sentence = await refusal(look, unknown)
    assert failure is FailureKind.NODE
    assert sentence.startswith("$Out has 9.0 MB free, of which 10.0 MB is kept free")


async def test_a_tiny_job_is_not_kept_from_a_small_disk(movies: Path, disk: Path) -> None:
    await of(movies, disk).look(copied("a.mkv"), copied("a.mkv"))


async def test_a_staged_job_of_any_program_heeds_the_watermark_where_it_is_to_lie(movies: Path, disk: Path) -> None:
    fill(disk, all_but=MB // 2)
    output = RootPath(root="Out", path="out.txt")
    grant = structs.replace(job("-c", "true", program="sh", kind=JobKind.STAGED), outputs=(output,))
    failure, sentence = await refusal(of(movies, disk), grant)
    assert (failure, sentence.startswith("$Out has ")) == (FailureKind.NODE, True)


async def test_what_is_made_elsewhere_needs_room_there_and_where_it_is_to_lie(movies: Path, disk: Path) -> None:
    film(movies, "large.mkv", 80 * MB)
    output = RootPath(root="Out", path="out.mkv")
    grant = structs.replace(
        job("-i", path("large.mkv"), "-c", "copy", path("out.mkv", "Out"), kind=JobKind.STAGED), outputs=(output,)
    )
    elsewhere = structs.replace(grant, args=(*grant.args[:-1], path("made.mkv")))
    look = of(movies, disk)
    with pytest.raises(NotReady, match=r"^\$Out has .* needs about 80\.0 MB$"):
        await look.look(grant, elsewhere)


async def test_the_agents_scratch_is_called_by_that_name(movies: Path, disk: Path) -> None:
    film(movies, "large.mkv", 80 * MB)
    output = RootPath(root="Movies", path="out.mkv")
    grant = structs.replace(
        job("-i", path("large.mkv"), "-c", "copy", path("out.mkv"), kind=JobKind.STAGED), outputs=(output,)
    )
    made = structs.replace(grant, args=(*grant.args[:-1], path("made.mkv", SCRATCH)))
    with pytest.raises(NotReady, match=r"^the agent's scratch has .* needs about 80\.0 MB$"):
        await of(movies).look(grant, made, {"Movies": str(movies), SCRATCH: str(disk)})


async def test_a_promise_ends_with_its_program_or_when_none_starts(warden: Warden, movies: Path, disk: Path) -> None:
    """The film is none, so that each program ends at once and writes nothing."""
    film(movies, "a.mkv", 40 * MB)
    missing = structs.replace(copied("a.mkv", number=2), cwd=RootPath(root="Movies", path="no such folder"))
    async with stage(warden, movies.parent / "home", {"Movies": str(movies), "Out": str(disk)}) as here:
        for number in range(2):
            assert (await here.ended(copied("a.mkv", number=number))).exit_code != 0
        await here.refused(missing)
        assert (await here.ended(copied("a.mkv", number=3))).exit_code != 0
