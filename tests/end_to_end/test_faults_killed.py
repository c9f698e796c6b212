"""Each part of a mesh is killed while jobs are in every phase. None is lost, none is done twice, every one ends."""

import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from end_to_end.faults import (
    NO_STRACE,
    ROOT,
    SCRIPT,
    Company,
    Wish,
    agent_home,
    conversed,
    held_rename,
    until_all_settled,
    until_at_its_rename,
    until_kept,
    until_online,
    until_stage,
)
from end_to_end.outside import Mesh, ending, finished, gone, mesh, until
from end_to_end.watching import P, Watcher, watching
from ffmesh_protocol.messages.jobs import AttemptState, JobKind, JobState
from support.mesh import freeze, frozen, thaw

DIRECT, STAGED = JobKind.DIRECT, JobKind.STAGED
AGENTS = ("agent-1", "agent-2")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("killed")
    options = ("--agents", "2", "--slots", "4", "--root", f"{ROOT}={folder}", "--program", "sh")
    with mesh(folder / "home", *options, unfenced=2) as running:
        yield running


@pytest.fixture
def company(running: Mesh, tmp_path: Path) -> Company:
    folder = running.home.parent / tmp_path.name
    folder.mkdir()
    until_online(running, *AGENTS)
    return Company(running, folder)


class EveryPhase:
    """Jobs in each phase that a job can be in, held there. The coordinator is frozen, so that nothing moves on.

    waiting      `waiting`, for two others
    queued       `queued`, for a slot of agent-1
    granted      `granted`, whose program is not started: the warden of agent-2 is frozen
    running      `direct`, `aside` (staged) and `attached` (a `run`)
    staged       `whole`: it waits for permission to take its place
    committing   `placed`: it has the permission, and agent-2 stands before the rename
    ended        `ended`: its result is on the disk of agent-1, and nobody has settled it
    """

    def __init__(self, attached: "subprocess.Popen[bytes]", tracer: "subprocess.Popen[bytes] | None") -> None:
        self.attached = attached
        self.all_go = ExitStack()
        self._tracer = tracer

    def let_the_dead_be_buried(self) -> None:
        """A tracer keeps them from those who started them."""
        if self._tracer is not None:
            self._tracer.kill()

    @property
    def sees_commits(self) -> bool:
        return self._tracer is not None

    def says_what_it_did_not_see(self) -> None:
        if not self.sees_commits:
            pytest.skip(f"held in every phase but that of the commit. {NO_STRACE}")


@contextmanager
def every_phase(running: Mesh, company: Company) -> Generator[EveryPhase, None, None]:
    first, second = (agent_home(running, agent) for agent in AGENTS)
    company.hand_in(
        Wish("direct", DIRECT, "agent-1", tries=2),
        Wish("ended", DIRECT, "agent-1", tries=2),
        Wish("aside", STAGED, "agent-1", tries=3),
        Wish("whole", STAGED, "agent-1", tries=3),
        Wish("placed", STAGED, "agent-2", tries=3),
        Wish("waiting", DIRECT, after=("direct", "placed")),
    )
    with ending(company.begin_run("attached", on="agent-2")) as attached, ExitStack() as held:
        company.until_runs("direct", "ended", "aside", "whole", "placed", "attached")
        company.attached("attached")
        tracer = held.enter_context(held_rename(running.pid("agent-2"), company, "placed"))
        phases = EveryPhase(attached, tracer)
        if tracer is not None:
            company.let_go("placed")
            until_at_its_rename(company, "placed")
            until_stage(second, company.ids["placed"], "committing")
        warden = running.running.warden_of(running.pid("agent-2"))
        held.enter_context(frozen(warden))
        company.hand_in(Wish("granted", DIRECT, "agent-2", tries=2), Wish("queued", DIRECT, "agent-1", tries=2))
        company.until_are(("granted",), JobState.GRANTED)
        company.until_are(("queued",), JobState.QUEUED)
        company.until_are(("direct", "ended", "aside", "whole", "placed", "attached"), JobState.RUNNING)
        held.enter_context(frozen(running.pid("coordinator")))
        company.let_go("ended", "whole")
        until_kept(first, company.ids["ended"])
        until_stage(first, company.ids["whole"], "sealed")
        phases.all_go = held
        yield phases


def test_the_death_of_the_broker_disturbs_no_job_in_any_phase(running: Mesh, company: Company) -> None:
    """It forgets all that it kept."""
    with every_phase(running, company) as phases:
        running.until_back("broker", running.kill("broker"))
        phases.all_go.close()
        company.let_go()
        views = company.until_ended()
        company.check(views)
        assert {name: len(view.attempts) for name, view in views.items()} == dict.fromkeys(company.ids, 1)
        assert finished(phases.attached) == (0, b"", b"")
        phases.says_what_it_did_not_see()


def test_the_death_of_the_coordinator_disturbs_no_job_in_any_phase(running: Mesh, company: Company) -> None:
    with every_phase(running, company) as phases:
        running.until_back("coordinator", running.kill("coordinator"))
        phases.all_go.close()
        company.let_go()
        views = company.until_ended()
        company.check(views)
        assert {name: len(view.attempts) for name, view in views.items()} == dict.fromkeys(company.ids, 1)
        assert finished(phases.attached) == (0, b"", b"")
        phases.says_what_it_did_not_see()


@pytest.mark.parametrize("what", ["the agent", "its warden", "both at once", "both and the coordinator"])
def test_of_a_dead_agent_what_was_done_counts_and_the_rest_is_done_anew(
    running: Mesh, company: Company, what: str
) -> None:
    """What had not started runs once; what was whole takes its place; nothing runs beside what was begun before."""
    with every_phase(running, company) as phases:
        programs = [company.program(name) for name in ("direct", "aside", "attached")]
        agents = {name: running.pid(name) for name in AGENTS}
        wardens = [running.running.warden_of(agent) for agent in agents.values()]
        for pid in [*(agents.values() if what != "its warden" else ()), *(wardens if what != "the agent" else ())]:
            with suppress(ProcessLookupError):  # a warden whose agent has died dies too
                os.kill(pid, signal.SIGKILL)
        if what == "both and the coordinator":  # with it goes all that was said to it since it was frozen
            running.until_back("coordinator", running.kill("coordinator"))
        phases.let_the_dead_be_buried()
        for name, agent in agents.items():
            running.until_back(name, agent)
        gone(*agents.values(), *programs)
        until_online_anew(running)
        phases.all_go.close()
        company.let_go()
        views = company.until_ended()
        company.check(views, but=("attached",))
        attached = views["attached"]
        assert (attached.state, attached.reason_code) == (JobState.FAILED, "lost")
        code, _, said = finished(phases.attached)
        assert (code, said.count(b"\n"), b"lost" in said) == (1, 1, True)
        for name in ("waiting", "queued", "granted", "ended"):
            assert company.lines("ran")[name] == 1, name
        for name in ("direct", "granted"):
            assert [each.state for each in views[name].attempts] == [AttemptState.LOST, AttemptState.SUCCEEDED]
        for name in ("whole", "placed") if phases.sees_commits else ("whole",):
            assert (len(views[name].attempts), company.lines("ran")[name]) == (1, 1), name
        for name in AGENTS:
            until_all_settled(agent_home(running, name))
        phases.says_what_it_did_not_see()


def until_online_anew(running: Mesh) -> None:
    with watching(running, f"{P}/agents/+/status") as watcher:
        for agent in AGENTS:
            watcher.until_says(f"{P}/agents/{agent}/status", state="online")


def test_clients_that_die_while_no_coordinator_is_there_take_their_jobs_with_them(
    running: Mesh, company: Company
) -> None:
    """Their agents stop what runs, at once; what was queued or granted never starts; what has ended has ended once."""
    warden = running.running.warden_of(running.pid("agent-2"))
    with ExitStack() as held:
        runs = {"running": "agent-1", "ended": "agent-1", "granted": "agent-2", "queued": "agent-1"}
        clients: dict[str, subprocess.Popen[bytes]] = {}

        def begin(*names: str) -> None:
            for name in names:
                clients[name] = held.enter_context(ending(company.begin_run(name, on=runs[name])))
            for name in names:
                company.attached(name)

        company.hand_in(Wish("one", on="agent-1"), Wish("two", on="agent-1"))
        begin("running", "ended")
        company.until_runs("running", "ended", "one", "two")
        freeze(warden)
        held.callback(thaw, warden)
        # What somebody waits for is queued by no lack of slots that have anything else.
        conversed(running, lambda mesh: mesh.drain("agent-1", draining=True))
        begin("granted", "queued")
        company.until_are(("granted",), JobState.GRANTED)
        company.until_are(("queued",), JobState.QUEUED)
        company.until_are(("running", "ended", "one", "two"), JobState.RUNNING)
        with running.running.nothing_restarted():
            dead = running.kill("coordinator")
            company.let_go("ended")
            until_kept(agent_home(running, "agent-1"), company.ids["ended"])
            program = company.program("running")
            for client in clients.values():
                client.kill()
            gone(program)
            until_kept(agent_home(running, "agent-1"), company.ids["running"])
        running.until_back("coordinator", dead)
        thaw(warden)
        company.until_ended("queued", "granted", "running", "ended")
        conversed(running, lambda mesh: mesh.drain("agent-1", draining=False))
        company.let_go()
        views = company.until_ended()
    ran = company.lines("ran")
    assert dict(ran) == {"one": 1, "two": 1, "running": 1, "ended": 1}
    assert (views["running"].state, views["running"].reason_code) == (JobState.CANCELLED, "client_gone")
    for name in ("queued", "granted"):  # whoever notices first: the coordinator, or an agent that waits for the client
        ends = ((JobState.CANCELLED, "client_gone"), (JobState.FAILED, "client_silent"))
        assert (views[name].state, views[name].reason_code) in ends, name
    assert views["one"].state is views["two"].state is JobState.SUCCEEDED


def test_a_client_that_dies_after_its_submit_was_accepted_has_handed_it_in_once(
    running: Mesh, company: Company
) -> None:
    """Also when it never came to print the id."""
    company.let_go()
    with watching(running, f"{P}/coordinator/events") as watcher, ExitStack() as clients:
        for name in ("one", "two", "three"):
            words = ("submit", "--label", f"title={company.title(name)}", "--", "sh", "-c", SCRIPT, company.place, name)
            client = clients.enter_context(ending(running.begin(*words)))
            _until_accepted(watcher, company.title(name))
            client.kill()
            company.attached(name, JobKind.DIRECT)
    company.check(company.until_ended())
    assert company.lines("ran") == dict.fromkeys(company.ids, 1)


def _until_accepted(watcher: Watcher, title: str) -> None:
    watcher.until(lambda now: title in {seen.json["title"] for seen in [*now.seen]}, f"{title} is accepted")


def test_a_client_that_dies_before_its_submit_is_answered_has_handed_it_in_once_or_not_at_all(
    running: Mesh, company: Company
) -> None:
    """It is killed while it waits for a coordinator that is frozen, and will read what was said."""
    title = f"{company.place.name}/never"
    with frozen(running.pid("coordinator")):
        client = running.begin(
            "submit", "--label", f"title={title}", "--", "sh", "-c", 'touch "$0"', company.place / "ran"
        )
        with ending(client), watching(running, f"{P}/clients/+/status/+") as watcher:
            watcher.until(lambda now: now.topics(), "it is connected")
            client.kill()
            watcher.until(
                lambda now: any(seen.json["state"] == "offline" for seen in [*now.seen] if seen.payload), "its will"
            )
    jobs = running.jobs_called(title)
    assert len(jobs) <= 1
    for job in jobs:
        running.until_job(job["id"], "succeeded")
    assert (company.place / "ran").exists() is bool(jobs)
    until(lambda: running.ffmesh("agents").returncode == 0, "the mesh goes on")
