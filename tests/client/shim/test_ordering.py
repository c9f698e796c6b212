"""From a call to a job, where the disk has a say."""

from pathlib import Path

import pytest

from ffmesh_client.config import BrokerPlace, ClientConfig
from ffmesh_client.disk import Disk
from ffmesh_client.shim.ordering import Order, StaysHere, ordered
from ffmesh_client.shim.wording import Call
from ffmesh_protocol.media import RootPath


@pytest.fixture
def movies(tmp_path: Path) -> Path:
    (tmp_path / "movies").mkdir()
    return tmp_path / "movies"


def told(movies: Path, *words: str) -> Order | StaysHere:
    call = Call(umask=0o22, open=(), folder=str(movies), real="ffmpeg", name="ffmpeg", environment={}, arguments=words)
    roots = {"Movies": str(movies)}
    config = ClientConfig(name="me", secret=bytes(32), broker=BrokerPlace(host="127.0.0.1"), roots=roots)
    return ordered(call, config, Disk())


@pytest.mark.parametrize(("named", "stays"), [("part.ts", False), ("/elsewhere/part.ts", True)])
def test_a_list_that_is_reached_by_a_link_is_looked_into(movies: Path, tmp_path: Path, named: str, stays: bool) -> None:
    (tmp_path / "link").symlink_to(movies)
    (movies / "list.m3u8").write_text(f"#EXTM3U\n{named}\n")
    order = told(movies, "-i", f"{tmp_path}/link/list.m3u8", "out.mkv")
    if stays:
        assert isinstance(order, StaysHere)
        assert "/elsewhere/part.ts" in order.reason
    else:
        assert isinstance(order, Order)
        assert order.submit.args[1] == (RootPath(root="Movies", path="list.m3u8"),)


def test_what_an_agent_would_refuse_stays_here(movies: Path) -> None:
    order = told(movies, "-i", "a.mkv", "-metadata", "title=a", "-map", "/etc/passwd", "out.mkv")
    assert isinstance(order, StaysHere)
    assert "/etc/passwd" in order.reason


def test_what_a_call_asks_for_is_asked_of_the_agent(movies: Path) -> None:
    order = told(movies, "-i", "a.mkv", "-c:v", "hevc_nvenc", "-vf", "scale=2:2", "out.mkv")
    assert isinstance(order, Order)
    assert order.submit.needs.capabilities == ("encoder=hevc_nvenc", "filter=scale")
