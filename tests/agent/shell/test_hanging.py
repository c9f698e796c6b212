import asyncio
import threading

from ffmesh_agent.shell.hanging import Look


async def test_what_does_not_answer_holds_up_nobody_and_is_asked_once() -> None:
    asked, let_go = threading.Semaphore(0), threading.Event()

    def hang() -> str:
        asked.release()
        let_go.wait()
        return "late"

    look = Look("hang", hang)
    assert await look.answer(0.01) is None
    assert await look.answer(0.01) is None
    assert asked.acquire(timeout=10)
    assert not asked.acquire(blocking=False)
    let_go.set()
    async with asyncio.timeout(10):
        assert await look.answer(10) == "late"


async def test_each_look_is_a_new_one() -> None:
    answers = iter(["first", "second"])
    look = Look("look", lambda: next(answers))
    assert [await look.answer(10), await look.answer(10)] == ["first", "second"]
