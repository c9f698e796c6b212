import pytest

from ffmesh_agent.ffmpeg.keys import reads_keys


def _reads(*arguments: str, program: str = "ffmpeg") -> bool:
    return reads_keys(program, [argument.encode() for argument in arguments])


def test_an_ffmpeg_that_is_told_what_to_do_with_what_exists_reads_keys() -> None:
    assert _reads("-y", "-i", "in.mkv", "out.mkv")
    assert _reads("-i", "in.mkv", "-n", "out.mkv")
    assert _reads("-progress", "pipe:3", "-y", "-i", "in.mkv", "-f", "mp4", "pipe:1")
    assert _reads("-y", "-i", "in.mkv", "-f", "null", "-")


def test_one_that_may_ask_whether_to_overwrite_would_wait_for_ever_and_gets_none() -> None:
    assert not _reads("-i", "in.mkv", "out.mkv")


def test_another_program_gets_none() -> None:
    assert not _reads("-y", "-i", "in.mkv", "out.mkv", program="ffprobe")


@pytest.mark.parametrize("said", ["-nostdin", "-d"])
def test_one_that_says_it_reads_none_gets_none(said: str) -> None:
    assert not _reads("-y", said, "-i", "in.mkv", "out.mkv")


@pytest.mark.parametrize(
    "name",
    [
        *("-", "pipe:", "pipe:0", "pipe:00", "fd:", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", "file:/dev/stdin"),
        *("concat:a.ts|pipe:0", "cache:pipe:", "async:fd:", "movie=pipe\\:0"),
    ],
)
def test_one_whose_standard_input_may_be_data_gets_none(name: str) -> None:
    assert not _reads("-y", "-i", name, "out.mkv")


def test_a_list_of_protocols_with_pipe_in_it_may_open_standard_input_by_a_file() -> None:
    assert not _reads("-y", "-protocol_whitelist", "file,pipe", "-i", "list.ffconcat", "out.mkv")
