import asyncio
import threading

import pytest

from ffmesh_agent.shell import asking
from ffmesh_agent.shell.asking import Asking
from ffmesh_agent.shell.inputs import NotReady
from ffmesh_protocol.messages.reports import FailureKind


async def test_the_answer_is_what_the_work_gives_or_raises() -> None:
    assert await Asking().answer("x", "links", lambda: 7, "$Films") == 7
    with pytest.raises(ZeroDivisionError):
        await Asking().answer("x", "links", lambda: 1 // 0, "$Films")


async def test_a_root_that_does_not_answer_is_the_machines_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.05)
    answers = threading.Event()
    try:
        with pytest.raises(NotReady, match=r"\$Films did not answer") as refusal:
            await Asking().answer("x", "links", answers.wait, "$Films")
    finally:
        answers.set()
    assert refusal.value.failure is FailureKind.NODE


async def test_who_is_not_wanted_any_more_waits_no_longer() -> None:
    answers, about = threading.Event(), Asking()

    async def stop() -> None:
        about.give_up("another")
        about.give_up("x")

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stop(), name="stop")
            with pytest.raises(NotReady, match="it was stopped before it began") as refusal:
                await about.answer("x", "links", answers.wait, "$Films")
    finally:
        answers.set()
    assert refusal.value.failure is FailureKind.TRANSIENT
