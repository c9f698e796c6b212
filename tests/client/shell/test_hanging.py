"""Questions that may never be answered, each in a thread of its own."""

import asyncio
import threading
from pathlib import Path

import pytest

from ffmesh_client.shell.hanging import Askers

PATIENCE = 20.0


async def test_a_question_that_hangs_holds_up_no_other() -> None:
    let_go, askers = threading.Event(), Askers()
    hangs = askers.ask(let_go.wait)
    async with asyncio.timeout(PATIENCE):
        assert await askers.ask(lambda: "answered") == "answered"
        assert not hangs.done()
        let_go.set()
        assert await hangs


async def test_a_thread_that_was_answered_asks_again() -> None:
    askers = Askers()
    async with asyncio.timeout(PATIENCE):
        assert len({await askers.ask(threading.get_ident) for _ in range(20)}) == 1


async def test_what_goes_wrong_is_for_who_waits() -> None:
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(FileNotFoundError):
            await Askers().ask(Path("/there/is/nothing").read_bytes)
