"""Roots that go away, and roots that never answer: under a job that waits for them, and under one that runs on them."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from end_to_end.outside import Mesh, gone, mesh, number_in, until
from support.mounts import mount_tmpfs, mountable, silent_mount, unmount

WAITS_AND_READS = 'echo $$ > "$1/pid"; until [ -e "$1/go" ]; do sleep 0.02; done; cat "$0/in"'
"""`$0` is the root that goes away, `$1` one that stays."""

WAITS_FOR_INPUT = 'until [ -e "$0/in" ]; do sleep 0.02; done; cp "$0/in" "$0/out"'


@contextmanager
def watched(folder: Path, *options: str) -> Generator[Mesh, None, None]:
    """A mesh whose first agent has `Films` where something must be mounted, and all have `Here`. For its client `Films`
    lies elsewhere: what hangs on the agent's machine does not hang on the client's."""
    home, films = folder / "home", folder / "films"
    for name in ("here", "elsewhere"):
        (folder / name).mkdir()
    file = home / "agents" / "agent-1" / "agent.toml"
    file.parent.mkdir(parents=True)
    file.write_text(tomli_w.dumps({"roots": {"Films": {"path": str(films), "mount_point": True}}}))
    roots = (f"Films={folder / 'elsewhere'}", f"agent-1:Films={films}", f"Here={folder / 'here'}")
    said = [word for root in roots for word in ("--root", root)]
    with mesh(home, *said, *options, "--program", "sh") as running:
        yield running


@pytest.fixture
def films(tmp_path: Path) -> Generator[Path, None, None]:
    with mountable(tmp_path / "films") as films:
        yield films


def root_of(running: Mesh, **is_so: object) -> dict[str, Any]:
    """How `Films` is on the first agent, as soon as it is so."""

    def look() -> dict[str, Any] | None:
        root: dict[str, Any] = running.agent()["roots"]["Films"]
        return root if root.items() >= is_so.items() else None

    return until(look, f"Films is {is_so}")


def waits_because(running: Mesh, job: str, why: str) -> None:
    shown = until(lambda: (shown := running.job(job))["reason"] and shown, f"{job} says why it waits")
    assert shown["state"] == "queued"
    assert shown["reason"].partition(";")[0] == f"root Films is not mounted on agent-1: {why}"


def test_a_job_waits_for_its_root_and_one_that_loses_it_goes_elsewhere_and_its_input_is_not_to_blame(
    tmp_path: Path, films: Path
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    with watched(tmp_path, "--agents", "2") as running:
        (elsewhere / "in").write_text("found elsewhere\n")
        running.say("drain", "agent-2")
        waiting = running.submit("--", "sh", "-c", WAITS_FOR_INPUT, elsewhere)
        waits_because(running, waiting, "nothing is mounted there")
        mount_tmpfs(films)
        (films / "in").write_text("a film\n")
        assert running.wait(waiting).returncode == 0
        assert (films / "out").read_text() == "a film\n"
        root = root_of(running, mounted=True)
        assert (root["writable"], root["why"], root["total_bytes"]) == (True, None, 4 * 2**20)

        losing = running.submit("--max-attempts", "2", "--", "sh", "-c", WAITS_AND_READS, elsewhere, here)
        program = number_in(here / "pid")
        running.say("resume", "agent-2")
        unmount(films)
        (here / "go").touch()
        gone(program)
        assert running.wait(losing).returncode == 0
        first, second = running.job(losing)["attempts"]
        assert (first["agent"], first["state"]) == ("agent-1", "failed")
        assert first["reason"].endswith("root Films went away: nothing is mounted there")
        assert (second["agent"], second["state"]) == ("agent-2", "succeeded")
        assert root_of(running, mounted=False)["why"] == "nothing is mounted there"


def test_a_mount_that_never_answers_freezes_neither_its_agent_nor_the_jobs_on_other_roots(
    tmp_path: Path, films: Path
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    with watched(tmp_path, "--slots", "3") as running:
        mount_tmpfs(films)
        (films / "in").touch()
        root_of(running, mounted=True)
        on_it = running.submit("--", "sh", "-c", WAITS_AND_READS, elsewhere, here)
        beside = running.submit("--", "sh", "-c", 'until [ -e "$0/end" ]; do sleep 0.02; done', here)
        number_in(here / "pid")
        running.until_job(beside, "running")
        with silent_mount(films):
            (here / "go").touch()
            assert root_of(running, mounted=False)["why"] == "it does not answer"
            waiting = running.submit("--", "sh", "-c", WAITS_FOR_INPUT, elsewhere)
            waits_because(running, waiting, "it does not answer")
            assert running.run("sh", "-c", 'echo done > "$0/other"', here).returncode == 0
            seen_at = running.agent()["last_seen_at"]
            until(lambda: running.agent()["last_seen_at"] > seen_at, "its beats go on")
            assert running.agent()["state"] == "online"
            running.say("cancel", on_it)
            assert running.wait(on_it).returncode == 130
            (here / "end").touch()
            assert running.wait(beside).returncode == 0
            assert running.job(beside)["attempts"][0]["number"] == len(running.job(beside)["attempts"])
        # What was mounted there before is there again, with its input.
        assert running.wait(waiting).returncode == 0
        with silent_mount(films):
            assert root_of(running, mounted=False)["why"] == "it does not answer"
            assert running.running.stop() == 0
            running.running.wait_until_gone()
