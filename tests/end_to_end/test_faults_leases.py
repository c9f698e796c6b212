"""Parts that cannot hear each other for longer than a lease. Everything of this file waits in one minute, side by side.

In one mesh agents are frozen, dead, and beyond a network that swallows what is sent in one direction or in both; they
come back when their leases are over and others have done what they had. One has a copy that takes its name. In two more
meshes the coordinator is away for longer than a lease: dead, and frozen.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from end_to_end.faults import (
    NO_STRACE,
    ROOT,
    Company,
    Wish,
    agent_home,
    conversed,
    held_rename,
    until_all_settled,
    until_at_its_rename,
    until_kept,
    until_stage,
)
from end_to_end.holes import FROM_BROKER, TO_BROKER, Network, agent_of, far_agent, network_to
from end_to_end.outside import GENEROUS, Mesh, ending, finished, gone, mesh, until
from end_to_end.watching import P, Watcher, watching
from ffmesh_protocol.messages.jobs import AttemptState, JobKind, JobState, JobView
from ffmesh_protocol.times import HOLDING, LEASE
from support.mesh import freeze, frozen, is_alive, thaw

pytestmark = pytest.mark.timeout(400)

DIRECT, STAGED = JobKind.DIRECT, JobKind.STAGED
HELPER, FROZEN, DYING, TWIN = "agent-1", "agent-2", "agent-3", "twin"
DEAF = "deaf"
CUT = {"deaf-and-mute": (TO_BROKER, FROM_BROKER), "mute": (TO_BROKER,), DEAF: (FROM_BROKER,)}
"""Agents beyond a network, and what that swallows."""

UNREACHED = (FROZEN, *CUT)
LOST = (*UNREACHED, TWIN)
A_LEASE = LEASE + GENEROUS
SLOTS = "20"
LONG_AWAY = int(LEASE / HOLDING) + 5
"""An agent's heartbeats in more than a lease."""


# --- agents that are not heard


class Lost:
    """Each of the agents had a direct job, a staged one and an attached one when it was lost, by these names."""

    def __init__(self, running: Mesh, company: Company) -> None:
        self.running = running
        self.company = company
        self.networks: dict[str, Network] = {}
        self.clients: dict[str, subprocess.Popen[bytes]] = {}
        self.older_twin: subprocess.Popen[bytes] | None = None
        self.lives_of_twin: list[str] = []
        self.sees_commits = False
        self.while_leased: dict[str, JobView] = {}
        """How things stood while every lease still ran."""
        self.in_the_end: dict[str, JobView] = {}

    def homes(self) -> list[Path]:
        far = [self.running.home / "far" / name for name in (*CUT, f"copy of {TWIN}")]
        return [agent_home(self.running, name) for name in (HELPER, FROZEN, DYING)] + far


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, "Away"], None, None]:
    """Begun first, so that its minute is over when the other one is."""
    with ExitStack() as stack:
        found: dict[str, Away] = {}
        for how in ("dead", "frozen"):
            folder = tmp_path_factory.mktemp(how)
            options = ("--slots", "6", "--root", f"{ROOT}={folder}", "--program", "sh")
            running = stack.enter_context(mesh(folder / "home", *options, unfenced=3))
            found[how] = stack.enter_context(Away(running, how))
        yield found


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory, away: dict[str, "Away"]) -> Generator[Lost, None, None]:
    folder = tmp_path_factory.mktemp("lost")
    options = ("--agents", "3", "--slots", SLOTS, "--root", f"{ROOT}={folder}", "--program", "sh")
    with ExitStack() as stack:
        running = stack.enter_context(mesh(folder / "home", *options, unfenced=3))
        place = folder / "place"
        place.mkdir()
        lost = Lost(running, Company(running, place))
        for name in CUT:
            network = lost.networks[name] = stack.enter_context(network_to(running.config()["broker"]))
            stack.enter_context(far_agent(running, name, network.port, slots=int(SLOTS)))
        port = running.config()["broker"]["port"]
        lost.older_twin = stack.enter_context(far_agent(running, TWIN, port, slots=int(SLOTS)))
        with watching(running, f"{P}/agents/{TWIN}/status") as watcher:
            _begin(lost, stack)
            _lose(lost, stack)
            lost.lives_of_twin = [seen.json["life"] for seen in watcher.seen if seen.json["state"] != "offline"]
        yield lost


def _begin(lost: Lost, stack: ExitStack) -> None:
    """One agent after the other is the only one that takes work. In the end the helper is."""
    running, company = lost.running, lost.company
    for name in (*CUT, TWIN):
        running.until_agent("online", name)
    agents = (*LOST, DYING)
    for name in (HELPER, *agents):
        _drain(running, name, draining=True)
    for name in agents:
        _drain(running, name, draining=False)
        wishes = [Wish(f"{name} direct", DIRECT, tries=2), Wish(f"{name} staged", STAGED, tries=2)]
        if name == DYING:
            wishes = [Wish("placed", STAGED, tries=2)]
        elif name == DEAF:
            wishes.append(Wish("permitted", STAGED, tries=2))
        elif name == FROZEN:
            wishes += [Wish("late direct", DIRECT, tries=2), Wish("late staged", STAGED, tries=2)]
        company.hand_in(*wishes)
        names = [wish.name for wish in wishes]
        if name != DYING:
            names.append(f"{name} attached")
            lost.clients[name] = stack.enter_context(ending(company.begin_run(names[-1])))
            company.attached(names[-1])
        company.until_runs(*names)
        company.until_are(names, JobState.RUNNING)
        _drain(running, name, draining=True)
    _drain(running, HELPER, draining=False)


def _lose(lost: Lost, stack: ExitStack) -> None:
    """And bring back, after their leases are over and what they had is done."""
    running, company = lost.running, lost.company
    dying = running.pid(DYING)
    with running.running.nothing_restarted():
        with held_rename(dying, company, "placed") as tracer:
            if tracer is not None:
                lost.sees_commits = True
                company.let_go("placed")
                until_at_its_rename(company, "placed")
                until_stage(agent_home(running, DYING), company.ids["placed"], "committing")
            os.kill(dying, signal.SIGKILL)
        gone(dying)
        programs = [company.program(f"{name} direct") for name in UNREACHED]
        since = time.monotonic()
        with frozen(running.pid(FROZEN)):
            for name, network in lost.networks.items():
                network.swallow(*CUT[name])
            of_twin = company.program(f"{TWIN} direct")
            far = running.home / "far"
            shutil.copytree(far / TWIN, far / f"copy of {TWIN}")
            stack.enter_context(agent_of(far / f"copy of {TWIN}"))
            gone(of_twin)
            company.let_go("late direct", "late staged", "placed", "permitted")
            company.until_over("late direct", "late staged", "permitted")
            company.until_ended(*(f"{name} attached" for name in LOST))
            aside = [f"{name} staged" for name in LOST]
            company.let_go(*aside)
            lost.while_leased = company.until_ended(*aside, "late staged")
            in_place = [f"{name} direct" for name in LOST]
            company.until_are(in_place, JobState.RUNNING)
            if time.monotonic() - since < LEASE / 2:  # else this machine is too slow to tell
                assert all(map(is_alive, programs)), "nobody has stopped them yet"
            gone(*programs, seconds=A_LEASE)
            company.let_go(*in_place)
            lost.in_the_end = company.until_ended(seconds=A_LEASE)
    for network in lost.networks.values():
        network.heal()
    for name in (*LOST, DYING):
        running.until_agent("draining", name)
    for home in lost.homes():
        until_all_settled(home)


def _drain(running: Mesh, agent: str, *, draining: bool) -> None:
    conversed(running, lambda mesh: mesh.drain(agent, draining))


def _states(view: JobView) -> list[AttemptState]:
    return [each.state for each in view.attempts]


LOST_AND_DONE = [AttemptState.LOST, AttemptState.SUCCEEDED]


@pytest.mark.parametrize("agent", LOST)
def test_who_waits_for_an_agent_that_is_lost_is_told_while_its_lease_still_runs(lost: Lost, agent: str) -> None:
    assert lost.while_leased[f"{agent} direct"].state is JobState.RUNNING
    attached = lost.while_leased[f"{agent} attached"]
    assert (attached.state, attached.reason_code, len(attached.attempts)) == (JobState.FAILED, "lost", 1)
    code, _, said = finished(lost.clients[agent])
    assert (code, said.count(b"\n"), b"lost" in said) == (1, 1, True)


@pytest.mark.parametrize("agent", LOST)
def test_what_a_lost_agent_writes_aside_is_done_by_another_while_its_lease_still_runs(lost: Lost, agent: str) -> None:
    assert lost.while_leased[f"{agent} direct"].state is JobState.RUNNING
    staged = lost.while_leased[f"{agent} staged"]
    assert (_states(staged), [each.agent for each in staged.attempts]) == (LOST_AND_DONE, [agent, HELPER])


@pytest.mark.parametrize("agent", LOST)
def test_what_a_lost_agent_writes_in_place_is_dead_before_another_begins(lost: Lost, agent: str) -> None:
    """Killed by its agent, or by the warden of one that is frozen; at the end of its lease, and of a twin at once."""
    name = f"{agent} direct"
    direct = lost.in_the_end[name]
    assert (_states(direct), [each.agent for each in direct.attempts]) == (LOST_AND_DONE, [agent, HELPER])
    assert (lost.company.lines("ran")[name], lost.company.lines("at once")[name]) == (2, 0)


def test_an_agent_whose_copy_takes_its_name_leaves_for_good_and_the_copy_stays(lost: Lost) -> None:
    """Each has one life, and the copy has the last word: neither drives the other away again and again."""
    assert lost.older_twin is not None
    assert lost.older_twin.wait(GENEROUS) == 78
    said = (lost.running.home / "far" / TWIN / "said").read_text()
    assert "has taken over" in said.splitlines()[-1]
    _older, newer = dict.fromkeys(lost.lives_of_twin)
    assert lost.lives_of_twin[-1] == lost.running.agent(TWIN)["life"] == newer
    _drain(lost.running, TWIN, draining=False)
    assert lost.running.ffmesh("run", "--on", TWIN, "--", "sh", "-c", "echo here").stdout == b"here\n"


def test_a_result_that_comes_after_the_lease_changes_nothing(lost: Lost) -> None:
    """Both programs had ended well by themselves while their agent was frozen; their jobs tell the second attempt."""
    for name in ("late direct", "late staged"):
        view = lost.in_the_end[name]
        assert (_states(view), [each.agent for each in view.attempts]) == (LOST_AND_DONE, [FROZEN, HELPER]), name
        assert lost.company.lines("ran")[name] == lost.company.lines("over")[name] == 2, name
    program = lost.company.program("late staged")
    assert (lost.company.place / "late staged.out").read_text().endswith(f"ended by {program}\n"), "the second one"


def test_an_agent_killed_before_its_rename_comes_back_after_another_has_committed_and_renames_nothing(
    lost: Lost,
) -> None:
    if not lost.sees_commits:
        pytest.skip(NO_STRACE)
    placed = lost.in_the_end["placed"]
    assert (_states(placed), [each.agent for each in placed.attempts]) == (LOST_AND_DONE, [DYING, HELPER])
    assert lost.company.lines("over")["placed"] == 2, "both were whole"


def test_who_was_permitted_to_commit_and_never_heard_it_is_replaced_after_its_lease(lost: Lost) -> None:
    assert lost.while_leased["permitted"].state is JobState.RUNNING
    permitted = lost.in_the_end["permitted"]
    assert (_states(permitted), [each.agent for each in permitted.attempts]) == (LOST_AND_DONE, [DEAF, HELPER])


def test_when_all_are_back_every_job_is_as_it_was_and_every_output_is_there_once_and_whole(lost: Lost) -> None:
    attached = [f"{name} attached" for name in LOST]
    views = lost.company.until_ended()
    assert views == lost.in_the_end
    lost.company.check(views, but=attached)
    agents = conversed(lost.running, lambda mesh: mesh.agents())
    busy = {agent.name: agent.running for agent in agents if agent.running or agent.slots["cpu"].used}
    assert (len(agents), busy) == (len(lost.homes()), {})


# --- a coordinator that is away


class Away:
    """The coordinator is dead, or frozen, from the beginning of the block. Jobs run on, and two of them end."""

    def __init__(self, running: Mesh, how: str) -> None:
        self.running = running
        self.how = how
        place = running.home.parent / "place"
        place.mkdir()
        self.company = Company(running, place)
        self._stack = ExitStack()

    def __enter__(self) -> "Away":
        running, company, stack = self.running, self.company, self._stack
        company.hand_in(
            Wish("direct"), Wish("ends"), Wish("aside", STAGED), Wish("whole", STAGED), Wish("queued", on="nobody")
        )
        self.attached = stack.enter_context(ending(company.begin_run("attached")))
        company.attached("attached")
        running_ones = ("direct", "ends", "aside", "whole", "attached")
        company.until_runs(*running_ones)
        company.until_are(running_ones, JobState.RUNNING)
        self._coordinator = running.pid("coordinator")
        self._leave()
        self.watcher = stack.enter_context(watching(running, f"{P}/coordinator/status", f"{P}/agents/+/heartbeat"))
        self.watcher.until_says(f"{P}/coordinator/status", state="offline")
        self._beats = self._beats_heard()
        company.let_go("ends", "whole")
        until_kept(agent_home(running, "agent-1"), company.ids["ends"])
        until_stage(agent_home(running, "agent-1"), company.ids["whole"], "sealed")
        return self

    def __exit__(self, *_why: object) -> None:
        self._stack.close()
        thaw(self._coordinator)

    def until_longer_than_a_lease(self) -> None:
        until(lambda: self._beats_heard() >= self._beats + LONG_AWAY, "a lease is over", A_LEASE)

    def comes_back(self) -> None:
        if self.how == "frozen":
            thaw(self._coordinator)
        thaw(self.running.running.process.pid)
        self.watcher.until_says(f"{P}/coordinator/status", state="online")

    def _leave(self) -> None:
        if self.how == "frozen":
            freeze(self._coordinator)
            return
        freeze(self.running.running.process.pid)
        self._stack.callback(thaw, self.running.running.process.pid)
        self.running.kill("coordinator")

    def _beats_heard(self) -> int:
        return _beats(self.watcher)


def _beats(watcher: Watcher) -> int:
    return sum(seen.topic.endswith("/heartbeat") for seen in [*watcher.seen])


@pytest.mark.parametrize("how", ["dead", "frozen"])
def test_a_coordinator_that_is_away_for_longer_than_a_lease_disturbs_nothing_that_runs(
    lost: Lost, away: dict[str, Away], how: str
) -> None:
    """Leases stand still: nobody is there who could give the jobs to others. What ended meanwhile counts."""
    there = away[how]
    company = there.company
    there.until_longer_than_a_lease()
    assert all(is_alive(company.program(name)) for name in ("direct", "aside", "attached"))
    there.comes_back()
    company.let_go()
    views = company.until_ended("direct", "ends", "aside", "whole", "attached")
    assert views["queued"].state is JobState.QUEUED
    conversed(there.running, lambda mesh: mesh.cancel(company.ids["queued"]))
    views = company.until_ended()
    company.check(views, but=("queued",))
    ran = [name for name in views if name != "queued"]
    assert {name: len(views[name].attempts) for name in ran} == dict.fromkeys(ran, 1)
    assert finished(there.attached) == (0, b"", b"")
