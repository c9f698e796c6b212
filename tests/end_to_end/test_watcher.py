"""What anybody with a watcher's login sees while a job runs: all of it readable, nothing of it private."""

import base64
import json
import shlex
import tomllib
from collections.abc import Generator
from typing import Any

import pytest

from end_to_end.outside import Mesh, ending, finished, mesh, until
from end_to_end.test_commands import JOB, PROGRESS
from end_to_end.watching import P, Seen, Watcher, watching

NOT_AUTHORIZED = 135
PRIVATE = {"args", "outputs", "labels", "owner"}


class Story:
    """What a watcher that was there all the time saw of two jobs and of what was there before."""

    def __init__(self, seen: list[Seen], running: Mesh, private: list[str], jobs: list[str]) -> None:
        self.seen = seen
        self.running = running
        self.private = private
        self.jobs = jobs

    def said(self, topic: str) -> list[Seen]:
        return [each for each in self.seen if each.topic == topic]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("watcher")
    films = folder / "HiddenFolder"
    films.mkdir()
    with mesh(folder / "home", "--root", f"Films={films}", "--program", "sh") as running:
        yield running


@pytest.fixture(scope="module")
def story(running: Mesh) -> Story:
    films = running.home.parent / "HiddenFolder"
    encode = shlex.split("ffmpeg -re -f lavfi -i testsrc=size=64x64:rate=25 -t 2.5 -c:v libx264 -metadata")
    words = ("--label", "title=A film, made small", "--label", "HiddenLabel=HiddenValue")
    with watching(running) as watcher:
        running.until_agent("online")
        done = running.ffmesh("run", *words, "--", *encode, "comment=HiddenArgument", films / "HiddenFile.mkv")
        assert done.returncode == 0, done.stderr
        handed_in = running.submit(*words, "--", "sh", "-c", "echo HiddenOutput; echo HiddenError >&2; exit 3")
        running.wait(handed_in)
        # One that no agent can read: its reason names it, and only who may ask is told.
        lost = running.submit("--", "ffmpeg", "-i", films / "HiddenMissing.mkv", "-f", "null", "-")
        running.wait(lost)
        jobs = [job["id"] for job in running.json("jobs")]
        watcher.until(lambda now: _all_ended(now, jobs), "the ends of all jobs")
        watcher.until(lambda now: now.last(f"{P}/agents/agent-1/heartbeat"), "a heartbeat")
        watcher.until(lambda now: now.last(f"{P}/coordinator/summary")["jobs_ended"].get("failed") == 2, "the summary")
        seen = [*watcher.seen]
    return Story(seen, running, _secrets(running), [*reversed(jobs)])


def test_presence_adverts_progress_jobs_and_the_summary_are_all_there(story: Story) -> None:
    film = story.jobs[0]
    topics = {each.topic for each in story.seen}
    assert topics >= {
        *(f"{P}/coordinator/{what}" for what in ("status", "summary", "events", "agents/agent-1", f"jobs/{film}")),
        *(f"{P}/agents/agent-1/{what}" for what in ("status", "advert", "advert/programs", "heartbeat")),
        f"{P}/agents/agent-1/progress/{film}",
    }
    retained = {each.topic for each in story.seen if each.retained}
    assert {f"{P}/coordinator/status", f"{P}/agents/agent-1/status", f"{P}/agents/agent-1/advert"} <= retained


def test_every_payload_is_json_or_clears_its_topic(story: Story) -> None:
    for each in story.seen:
        if each.payload:
            assert isinstance(each.json, dict), each
            assert b"\n" not in each.payload, "one line in `mosquitto_sub -v`"


def test_nothing_private_is_seen_in_any_topic_payload_or_property(story: Story) -> None:
    for each in story.seen:
        whole = f"{each.topic}\n{each.payload.decode()}\n{each.properties}"
        for private in (*story.private, "Hidden", str(story.running.home.parent)):
            assert private not in whole, each


def test_nothing_directed_is_seen(story: Story) -> None:
    assert [each.topic for each in story.seen if "/to/" in each.topic] == []
    assert [each for each in story.seen if dict(each.properties).keys() & {"mac", "n", "kid"}] == []


def test_a_public_job_has_the_keys_of_a_job_but_the_private_ones(story: Story) -> None:
    for job in story.jobs:
        for each in story.said(f"{P}/coordinator/jobs/{job}"):
            if each.payload:
                assert set(each.json) == (JOB - PRIVATE) | {"title"}
                assert set(each.json["progress"]) == PROGRESS


def test_what_is_public_of_a_job_is_what_the_command_shows(story: Story) -> None:
    for job in story.jobs:
        shown = story.running.job(job)
        *_, ended, cleared = story.said(f"{P}/coordinator/jobs/{job}")
        public = ended.json
        assert _without_reasons({key: shown[key] for key in public}) == _without_reasons(public)
        assert (cleared.payload, ended.retained) == (b"", False)


def test_a_job_is_seen_from_grant_to_end_and_then_cleared(story: Story) -> None:
    for job, end in zip(story.jobs, ("succeeded", "failed", "failed"), strict=True):
        said = story.said(f"{P}/coordinator/jobs/{job}")
        states = [each.json["state"] for each in said if each.payload]
        order = ["granted", "running", end]
        assert states[-1] == end
        assert [order.index(state) for state in states] == sorted(order.index(state) for state in states)
        assert said[-1].payload == b""


def test_progress_goes_forward_and_is_cleared_at_the_end(story: Story) -> None:
    said = story.said(f"{P}/agents/agent-1/progress/{story.jobs[0]}")
    assert said[-1].payload == b""
    told = [each.json for each in said[:-1]]
    assert all(set(each) == PROGRESS for each in told)
    times = [each["out_time_s"] for each in told if each["out_time_s"] is not None]
    assert times == sorted(times)
    assert times[-1] > 0


def test_the_title_is_seen_and_no_other_label(story: Story) -> None:
    (first, *_) = story.said(f"{P}/coordinator/jobs/{story.jobs[0]}")
    assert first.json["title"] == "A film, made small"


def test_the_start_and_the_end_of_each_job_are_events_that_are_not_kept(story: Story) -> None:
    events = story.said(f"{P}/coordinator/events")
    assert not any(each.retained for each in events)
    for job in story.jobs:
        told = [each.json for each in events if each.json["job"] == job]
        assert len(told) >= 2
        assert all(set(each) == {"event_type", "job", "workflow", "title", "agent", "reason"} for each in told)


@pytest.mark.parametrize(
    "topic",
    [
        "coordinator/status",
        "coordinator/to/agents/agent-1/01JD000000000000000000AGNT/grant",
        "agents/agent-1/status",
        "agents/agent-1/advert",
        "clients/local/to/coordinator/01JD000000000000000000C00R/submit",
        "clients/watcher/to/coordinator/01JD000000000000000000C00R/submit",
        "watchers/watcher/status",
        "watchers/watcher/to/coordinator/01JD000000000000000000C00R/submit",
        "controllers/watcher/set/pause",
        "forbidden/canary",
    ],
)
def test_a_watcher_may_say_nothing(running: Mesh, topic: str) -> None:
    with watching(running) as watcher:
        assert watcher.publish(f"{P}/{topic}") == NOT_AUTHORIZED
        assert watcher.publish(f"{P}/{topic}", b"", retain=True) == NOT_AUTHORIZED


def test_a_watcher_that_asks_for_what_is_directed_hears_nothing(running: Mesh) -> None:
    asked = (f"{P}/+/+/to/#", f"{P}/coordinator/to/#", f"{P}/clients/local/#", f"$share/group/{P}/#")
    with watching(running, *asked) as watcher:
        with ending(running.begin("run", "--", "sh", "-c", "echo private")) as command:
            assert finished(command)[:2] == (0, b"private\n")
        # The farewell of that client is the last that is said of it, and it is public.
        until(lambda: any(b"offline" in each.payload for each in [*watcher.seen]), "its farewell")
        assert {each.topic for each in watcher.seen if "/to/" in each.topic} == set()


def _without_reasons(job: dict[str, Any]) -> dict[str, Any]:
    """In public they are fixed sentences: those of a job may hold a path."""
    attempts = [{**attempt, "reason": None} for attempt in job["attempts"]]
    return {**job, "reason": None, "attempts": attempts}


def _all_ended(now: Watcher, jobs: list[str]) -> bool:
    topics = {f"{P}/coordinator/jobs/{job}" for job in jobs}
    cleared = {each.topic for each in [*now.seen] if not each.payload}
    return topics <= cleared


def _secrets(running: Mesh) -> list[str]:
    """All that is secret, in every spelling that it might have."""
    found: list[str] = [running.watcher["password"]]
    for file in (running.client, running.home / "agents" / "agent-1" / "agent.toml"):
        secret = tomllib.loads(file.read_text())["secret"]
        found += [secret, base64.b64decode(secret).hex(), json.dumps(secret)]
    return found
