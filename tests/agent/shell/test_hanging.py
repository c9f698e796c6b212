import asyncio
import threading

from ffmesh_agent.shell.hanging import KEPT, Look, started


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


async def test_a_thread_that_has_answered_looks_again_and_one_that_hangs_does_not() -> None:
    let_go = threading.Event()
    hangs = started("hangs", lambda: let_go.wait() and threading.current_thread())
    answered = [await started("look", threading.current_thread) for _ in range(100)]
    assert len(set(answered)) <= KEPT + 1
    let_go.set()
    assert await hangs not in answered


def _threads(name: str) -> int:
    return sum(1 for each in threading.enumerate() if each.name == name)


async def test_of_many_threads_that_looked_at_once_a_few_are_kept() -> None:
    let_go = threading.Event()
    many = [started("one of many", let_go.wait) for _ in range(50)]
    assert _threads("one of many") > KEPT
    let_go.set()
    await asyncio.gather(*many)
    async with asyncio.timeout(20):
        while _threads("one of many") or _threads("waits for a look") > KEPT:  # noqa: ASYNC110
            await asyncio.sleep(0.001)  # threads set no events of ours
