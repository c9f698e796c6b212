"""Against the running mesh, with the real login and secret of somebody else: nothing that is refused changes anything.

Each refusal must be counted, and counted as what it is, in the summary that anybody can read.
"""

import os
import secrets
import signal
import sqlite3
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ulid import ULID

from end_to_end.forging import Forger, forging, joined, submit
from end_to_end.outside import Mesh, ending, finished, mesh, until
from end_to_end.watching import P
from ffmesh_protocol import codec
from ffmesh_protocol.keys import stream_keys
from ffmesh_protocol.limits import MESSAGE_BYTES
from ffmesh_protocol.messages.reports import Claim, Hello, Result, Results, Started, StreamLengths
from ffmesh_protocol.messages.requests import Attending, Bye, Cancel, DrainAgent, ListJobs, StreamCredit
from ffmesh_protocol.names import agent, client
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.signing import Stamp, signed
from ffmesh_protocol.streams import Chunk, packed
from ffmesh_protocol.tokens import JoinToken
from ffmesh_protocol.topics import Verb
from ffmesh_protocol.wire import Directed

NOT_AUTHORIZED = 135
OF_NOBODY = "01JD000000000000000000C00R"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("forgery")
    options = ("--slots", "3", "--root", f"Place={folder}", "--program", "sh")
    with mesh(folder / "home", *options) as running:
        yield running


@pytest.fixture(scope="module")
def as_mallory(running: Mesh) -> JoinToken:
    """A client."""
    return joined(running, "mallory", "client")


@pytest.fixture(scope="module")
def as_eve(running: Mesh) -> JoinToken:
    """An agent."""
    return joined(running, "eve", "agent")


@pytest.fixture
def mallory(as_mallory: JoinToken) -> Generator[Forger, None, None]:
    with forging(as_mallory) as forger:
        yield forger


@pytest.fixture
def eve(as_eve: JoinToken) -> Generator[Forger, None, None]:
    with forging(as_eve) as forger:
        yield forger


@pytest.fixture
def place(running: Mesh, tmp_path: Path) -> Path:
    """A folder under the root, for this test alone."""
    folder = running.home.parent / tmp_path.name
    folder.mkdir()
    return folder


def test_what_is_as_it_should_be_is_taken(running: Mesh, mallory: Forger) -> None:
    """Else nothing below would show anything."""
    wanted = submit()
    mallory.send(mallory.message(Verb.SUBMIT, wanted))
    running.until_job(wanted.job, "succeeded")
    assert running.job(wanted.job)["owner"] == "mallory"
    assert any(b'"accepted"' in answer for answer in mallory.answers())


# --- what the coordinator refuses

Forged = Callable[[Forger], Packet]


def _with_properties(packet: Packet, **changed: str) -> Packet:
    properties = tuple((name, changed.get(name, value)) for name, value in packet.properties)
    return msgspec.structs.replace(packet, properties=properties)


def _changed(packet: Packet) -> Packet:
    """One letter of the payload, after it was signed."""
    return msgspec.structs.replace(packet, payload=packet.payload.replace(b"exit 0", b"exit 1"))


def _without(packet: Packet, name: str) -> Packet:
    kept = tuple(each for each in packet.properties if each[0] != name)
    return msgspec.structs.replace(packet, properties=kept)


def _with_piece(piece: dict[str, Any]) -> bytes:
    wanted: dict[str, Any] = msgspec.json.decode(codec.encode(submit()))
    return msgspec.json.encode({**wanted, "args": [[piece]]})


def _lacking(field: str) -> bytes:
    wanted: dict[str, Any] = msgspec.json.decode(codec.encode(submit()))
    del wanted[field]
    return msgspec.json.encode(wanted)


REFUSED: dict[str, dict[str, Forged]] = {
    "forged": {
        "signed with another key": lambda me: me.message("submit", submit(), key=secrets.token_bytes(32)),
        "changed after it was signed": lambda me: _changed(me.message("submit", submit())),
        "signed for another verb": lambda me: msgspec.structs.replace(
            me.message("jobs", submit()), topic=me.message("submit", b"").topic
        ),
        "of another generation of the secret": lambda me: me.message("submit", submit(), kid=2),
        "under another number": lambda me: _with_properties(me.message("submit", submit()), n="999"),
        "from another life": lambda me: _with_properties(me.message("submit", submit()), **{"from": OF_NOBODY}),
    },
    "other_life": {"for another life": lambda me: me.message("submit", submit(), meant_for=OF_NOBODY)},
    "malformed": {
        "no JSON": lambda me: me.message("submit", b'{"job": '),
        "no text": lambda me: me.message("submit", b"\xff\xfe\x00"),
        "nothing": lambda me: me.message("submit", b""),
        "a list": lambda me: me.message("submit", b"[]"),
        "a submit without its program": lambda me: me.message("submit", _lacking("program")),
        "a piece of an unknown kind": lambda me: me.message("submit", _with_piece({"kind": "url", "path": "x"})),
        "a reserved piece": lambda me: me.message("submit", _with_piece({"kind": "input", "index": 0})),
        "nested too deep": lambda me: me.message("submit", b"[" * 1000 + b"]" * 1000),
        "an unknown verb": lambda me: me.message("reboot", submit()),
        "a verb whose time has not come": lambda me: me.message("pause", submit()),
        "without a MAC": lambda me: _without(me.message("submit", submit()), "mac"),
        "without any property": lambda me: Packet(topic=me.message("submit", b"").topic, payload=b"{}"),
        "of another version": lambda me: _with_properties(me.message("submit", submit()), v="2"),
        "with the answer sent to somebody else": lambda me: me.message(
            "jobs", ListJobs(), response_topic=f"{P}/coordinator/to/clients/local/{me.life}/answer"
        ),
    },
    "oversized": {"larger than a message may be": lambda me: me.message("submit", b" " * (MESSAGE_BYTES + 1))},
    "not_allowed": {
        "a verb of agents": lambda me: me.message("claim", Claim(attempts=(OF_NOBODY,))),
        "a hello": lambda me: me.message("hello", _hello()),
    },
}


def test_what_a_client_must_not_say_changes_nothing_and_is_counted_as_what_it_is(
    running: Mesh, mallory: Forger
) -> None:
    packets = [make(mallory) for makers in REFUSED.values() for make in makers.values()]
    with _nothing_changes(running, mallory, {counter: len(makers) for counter, makers in REFUSED.items()}):
        for packet in packets:
            mallory.send(packet)
    assert mallory.answers() == []


def test_what_an_agent_must_not_say_changes_nothing_and_is_counted(running: Mesh, eve: Forger) -> None:
    job = running.submit("--need", "encoder=of_nobody", "--", "sh", "-c", "true")
    words: dict[str, Directed] = {
        "submit": submit(),
        "cancel": Cancel(job=job),
        "jobs": ListJobs(),
        "attending": Attending(jobs=(job,)),
        "drain": DrainAgent(agent="agent-1", draining=True),
    }
    with _nothing_changes(running, eve, {"not_allowed": len(words)}):
        for verb, word in words.items():
            eve.send(eve.message(verb, word))
    assert eve.answers() == []
    running.say("cancel", job)


def test_a_message_that_the_broker_has_kept_is_not_acted_on(running: Mesh, mallory: Forger) -> None:
    """A coordinator that was frozen for longer than the broker has patience connects again, with the same life."""
    packet = mallory.message(Verb.SUBMIT, submit())
    mallory.send(packet)
    running.until_job(msgspec.json.decode(packet.payload)["job"], "succeeded")
    coordinator = running.pid("coordinator")
    with _nothing_changes(running, mallory, {"repeated": 1, "not_allowed": 1, "malformed": 1}):
        mallory.send(msgspec.structs.replace(packet, retain=True))
        os.kill(coordinator, signal.SIGSTOP)
        try:
            mallory.line.until_says(f"{P}/coordinator/status", state="offline")
        finally:
            os.kill(coordinator, signal.SIGCONT)
        mallory.line.until_says(f"{P}/coordinator/status", state="online", life=mallory.coordinator)
        running.until_agent("online")
        mallory.line.publish(packet.topic, b"", retain=True)  # clears it, and is a message as well: a malformed one


def test_a_message_that_is_said_again_is_counted_and_makes_no_second_job(running: Mesh, mallory: Forger) -> None:
    packet = mallory.message(Verb.SUBMIT, submit())
    mallory.send(packet)
    running.until_job(msgspec.json.decode(packet.payload)["job"], "succeeded")
    with _nothing_changes(running, mallory, {"repeated": 3}):
        for _ in range(3):
            mallory.send(packet)


def test_a_life_that_has_said_goodbye_is_heard_no_more(running: Mesh, mallory: Forger) -> None:
    mallory.send(mallory.message(Verb.BYE, Bye()))
    with _nothing_changes(running, mallory, {"other_life": 1}):
        mallory.send(mallory.message(Verb.SUBMIT, submit()))
    (answer,) = until(mallory.answers, "it is told so")
    assert msgspec.json.decode(answer) == {"requires": []}
    assert [each.topic.rpartition("/")[2] for each in mallory.line.seen if "/to/" in each.topic] == ["retired"]


def test_a_captured_submit_does_nothing_to_a_coordinator_that_was_started_anew(running: Mesh, mallory: Forger) -> None:
    packet = mallory.message(Verb.SUBMIT, submit())
    mallory.send(packet)
    job = msgspec.json.decode(packet.payload)["job"]
    running.until_job(job, "succeeded")
    running.until_back("coordinator", running.kill("coordinator"))
    old = mallory.meet_the_next_coordinator()
    new = mallory.coordinator
    running.until_agent("online")
    moved = msgspec.structs.replace(packet, topic=packet.topic.replace(old, new))
    with _nothing_changes(running, mallory, {"forged": 2}):
        mallory.send(packet)  # to a life that is over: nobody listens
        mallory.send(moved)
        mallory.send(_with_properties(moved, to=new))
    assert len(running.job(job)["attempts"]) == 1


# --- what the broker refuses


@pytest.mark.parametrize(
    "topic",
    [
        "clients/local/to/coordinator/{coordinator}/submit",
        "clients/local/to/coordinator/{coordinator}/cancel",
        "clients/local/status/{life}",
        "clients/mallory2/to/coordinator/{coordinator}/submit",
        "agents/agent-1/to/coordinator/{coordinator}/claim",
        "agents/agent-1/status",
        "agents/agent-1/advert",
        "coordinator/status",
        "coordinator/jobs/{life}",
        "coordinator/to/agents/agent-1/{agent}/grant",
        "coordinator/to/clients/local/{life}/ended",
        "controllers/mallory/set/pause",
        "forbidden/canary",
    ],
)
def test_nobody_can_speak_in_the_place_of_another(running: Mesh, mallory: Forger, eve: Forger, topic: str) -> None:
    lives = {"coordinator": mallory.coordinator, "life": mallory.life, "agent": running.agent()["life"]}
    for forger in (mallory, eve):
        packet = msgspec.structs.replace(forger.message(Verb.SUBMIT, submit()), topic=f"{P}/{topic.format(**lives)}")
        assert forger.line.send(packet) == NOT_AUTHORIZED


# --- the jobs of others


def test_an_agent_cannot_take_over_what_was_granted_to_another(running: Mesh, eve: Forger, place: Path) -> None:
    job = running.submit("--", "sh", "-c", 'while [ ! -e "$0/go" ]; do sleep 0.02; done; exit 4', place)
    running.until_job(job, "running")
    attempt = _attempt_of(running, job)
    before = running.job(job)
    eve.send(eve.message(Verb.HELLO, _hello()))
    running.until_agent("online", "eve")
    for verb, word in (
        (Verb.CLAIM, Claim(attempts=(attempt,))),
        (Verb.STARTED, Started(attempts=(attempt,))),
        (Verb.RESULT, Results(results=(_result(job, attempt),))),
    ):
        eve.send(eve.message(verb, word))
    until(lambda: [each for each in _said_to(eve) if each in ("settled", "withdrawn")], "she was heard")
    assert running.job(job) == before
    (place / "go").touch()
    assert running.wait(job).returncode == 4
    assert [attempt["agent"] for attempt in running.job(job)["attempts"]] == ["agent-1"]


def test_an_agent_cannot_speak_into_the_streams_of_another(running: Mesh, eve: Forger, place: Path) -> None:
    with _attached(running, eve, place) as (command, attempt, life):
        for offset, key in ((2, eve.key), (0, eve.key), (2, secrets.token_bytes(32))):
            payload = packed(Chunk(attempt=attempt, offset=offset, content=b"FORGED\n"))
            topic = eve.topics.directed(eve.me, client("local"), life, Verb.STDOUT)
            eve.send(_stamped(Packet(topic=topic, payload=payload), key, eve.life, life))
        (place / "go").touch()
        assert finished(command) == (0, b"a\nb\n", b"")


def test_a_client_cannot_give_or_take_credit_for_the_streams_of_another(
    running: Mesh, mallory: Forger, as_mallory: JoinToken, place: Path
) -> None:
    with _attached(running, mallory, place) as (command, attempt, _):
        (job,) = running.jobs_called(str(place))
        key = stream_keys(as_mallory.secret, as_mallory.cluster, job["id"], attempt).to_agent
        credit = StreamCredit(attempt=attempt, received={"stdout": 2, "stderr": 0}, allowed={"stdout": 0, "stderr": 0})
        theirs = running.agent()["life"]
        topic = mallory.topics.directed(mallory.me, agent("agent-1"), theirs, Verb.CREDIT)
        mallory.send(_stamped(Packet(topic=topic, payload=codec.encode(credit)), key, mallory.life, theirs))
        (place / "go").touch()
        assert finished(command) == (0, b"a\nb\n", b"")


def test_nobody_can_read_what_is_said_to_others(running: Mesh, as_mallory: JoinToken, as_eve: JoinToken) -> None:
    everything = ("#", f"{P}/+/+/to/#", f"{P}/+/+/to/clients/local/#", f"{P}/coordinator/to/#", f"$share/all/{P}/#")
    with forging(as_mallory, *everything) as mallory, forging(as_eve, *everything) as eve:
        assert running.run("sh", "-c", "echo private; echo secret >&2").returncode == 0
        for forger in (mallory, eve):
            forger.has_heard_all()
            seen = [*forger.line.seen]
            assert {each.topic.rpartition("/")[2] for each in seen if "/to/" in each.topic} == {"last"}
            assert not any(b"private" in each.payload or b"secret" in each.payload for each in seen)


# --- how it is looked at


class _nothing_changes:  # noqa: N801 - used like a function
    """Within the block these counters of refusals go up, by so much and no others; jobs and agents stay."""

    def __init__(self, running: Mesh, forger: Forger, counted: dict[str, int]) -> None:
        self._running = running
        self._forger = forger
        self._counted = counted

    def __enter__(self) -> None:
        self._state = self._look()
        before = self._refused()
        self._expected = {counter: number + self._counted.get(counter, 0) for counter, number in before.items()}

    def __exit__(self, kind: type[BaseException] | None, *_more: object) -> None:
        if kind is not None:
            return
        until(lambda: sum(self._refused().values()) >= sum(self._expected.values()), f"counted: {self._counted}")
        assert self._refused() == self._expected
        assert self._look() == self._state

    def _refused(self) -> dict[str, int]:
        summary = self._forger.line.until_says(f"{P}/coordinator/summary", life=self._forger.coordinator)
        found: dict[str, int] = summary["refused"]
        return found

    def _look(self) -> tuple[Any, ...]:
        agents = self._running.json("agents")
        shown = [{key: each[key] for key in ("name", "state", "life", "running", "slots", "roots")} for each in agents]
        return self._running.json("jobs", "--limit", "1000"), shown


class _attached:  # noqa: N801 - used like a function
    """A `run` that has written `a` and will write `b`: the command, its attempt, and the life of its client."""

    def __init__(self, running: Mesh, forger: Forger, place: Path) -> None:
        script = 'echo a; touch "$0/said"; while [ ! -e "$0/go" ]; do sleep 0.02; done; echo b'
        self._before = self._lives(forger)
        self._command = running.begin("run", "--label", f"title={place}", "--", "sh", "-c", script, place)
        self._running = running
        self._forger = forger
        self._place = place

    def __enter__(self) -> tuple[Any, str, str]:
        until(lambda: (self._place / "said").exists(), "the program has said something")
        (job,) = self._running.jobs_called(str(self._place))
        # Commands that only ask come and go; the one that stays is the one that runs.
        (life,) = until(lambda: self._lives(self._forger) - self._before or None, "its life")
        return self._command, _attempt_of(self._running, job["id"]), life

    def __exit__(self, *_why: object) -> None:
        with ending(self._command):
            pass

    def _lives(self, forger: Forger) -> set[str]:
        """Of clients called local that are here now."""
        prefix = f"{P}/clients/local/status/"
        here = {topic for topic in forger.line.topics() if topic.startswith(prefix)}
        return {topic.removeprefix(prefix) for topic in here if forger.line.last(topic)["state"] == "online"}


def _attempt_of(running: Mesh, job: str) -> str:
    """Nobody is told an attempt's id but its agent and its client: here somebody has found it out."""
    database = sqlite3.connect(f"file:{running.home / 'coordinator.db'}?mode=ro", uri=True)
    try:
        found = database.execute("SELECT a.id FROM attempts a JOIN jobs j ON a.job = j.sequence WHERE j.id = ?", (job,))
        ((attempt,),) = found.fetchall()
    finally:
        database.close()
    return str(attempt)


def _stamped(packet: Packet, key: bytes, sender: str, receiver: str) -> Packet:
    return signed(packet, key, Stamp(kid=1, sender_life=sender, receiver_life=receiver, number=1))


def _said_to(forger: Forger) -> list[str]:
    """The verbs of all that was said to this life."""
    return [each.topic.rpartition("/")[2] for each in [*forger.line.seen] if "/to/" in each.topic]


def _hello() -> Hello:
    return Hello(
        beat=1, boot="forged", spool=str(ULID()), version="0.1.0", features=("direct", "interactive"), heard=0, held=()
    )


def _result(job: str, attempt: str) -> Result:
    return Result(
        attempt=attempt,
        job=job,
        started=True,
        exit_code=0,
        signal=None,
        stopped=None,
        reason_code=ReasonCode.EXITED,
        reason=None,
        seconds=1.0,
        lengths=StreamLengths(stdout=0, stderr=0),
    )
