"""Somebody with a membership of their own and bad intentions: says anything, signed with any key."""

from collections.abc import Generator
from contextlib import contextmanager

from ulid import ULID

from end_to_end.outside import Mesh
from end_to_end.watching import P, Watcher, listening
from ffmesh_protocol import codec
from ffmesh_protocol.keys import Label, broker_password, derived
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.names import COORDINATOR, Principal
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.signing import Numbers, Stamp, signed
from ffmesh_protocol.tokens import JoinToken, understood
from ffmesh_protocol.topics import Topics, Verb
from ffmesh_protocol.wire import Directed


class Forger:
    """One life of a principal that speaks to the coordinator. Made by `forging`."""

    def __init__(self, token: JoinToken, life: str, line: Watcher) -> None:
        self.me = Principal(role=token.role, name=token.name)
        self.life = life
        self.line = line
        self.topics = Topics(token.cluster)
        self.key = derived(token.secret, token.cluster, self.me, Label.TO_COORDINATOR)
        self._numbers = Numbers()
        self.coordinator = self._life_of_the_coordinator(other_than="")

    def meet_the_next_coordinator(self) -> str:
        """Waits for another life of it, and gives back the one that was spoken to."""
        before = self.coordinator
        self.coordinator = self._life_of_the_coordinator(other_than=before)
        return before

    def _life_of_the_coordinator(self, *, other_than: str) -> str:
        """As its status says."""

        def look(line: Watcher) -> str | None:
            status = line.last(self.topics.coordinator_status())
            fits = status and status["state"] == "online" and status["life"] != other_than
            return status["life"] if fits else None

        found: str = self.line.until(look, "a coordinator")
        return found

    def message(
        self,
        verb: str,
        message: Directed | bytes,
        *,
        meant_for: str | None = None,
        key: bytes | None = None,
        kid: int = 1,
        response_topic: str | None = None,
    ) -> Packet:
        """As it should be, unless something else is said."""
        payload = message if isinstance(message, bytes) else codec.encode(message)
        bare = Packet(
            topic=self.topics.directed(self.me, COORDINATOR, self.coordinator, verb),
            payload=payload,
            response_topic=response_topic or self.topics.directed(COORDINATOR, self.me, self.life, Verb.ANSWER),
            correlation=b"forged",
        )
        meant_for = meant_for or self.coordinator
        stamp = Stamp(
            kid=kid, sender_life=self.life, receiver_life=meant_for, number=self._numbers.next(self.coordinator)
        )
        return signed(bare, key or self.key, stamp)

    def send(self, packet: Packet) -> None:
        code = self.line.send(packet)
        assert code < 128, f"the broker refused it with {code}"

    def has_heard_all(self) -> None:
        """Returns when what the broker had to deliver until now has come: what it says to itself comes last."""
        last = self.topics.directed(self.me, self.me, self.life, "last")
        self.line.publish(last)
        self.line.until(lambda line: last in line.topics(), "its own word")

    def answers(self) -> list[bytes]:
        """All that was said to this life."""
        return [each.payload for each in [*self.line.seen] if f"/to/{self.me.login}/" in each.topic]


def joined(mesh: Mesh, name: str, role: str) -> JoinToken:
    """One more principal."""
    return understood(mesh.json("principal", "add", name, "--role", role, "--home", mesh.home)["token"])


def submit(job: str | None = None, *, script: str = "exit 0") -> Submit:
    """A job that can run."""
    return Submit(
        job=job or str(ULID()),
        kind=JobKind.DIRECT,
        program="sh",
        args=(("-c",), (script,)),
        cwd=None,
        env={},
        umask=None,
        stdin_is_terminal=False,
        needs=Needs(program="sh"),
        priority=0,
        timeout_seconds=None,
        labels={},
    )


@contextmanager
def forging(token: JoinToken, *more: str) -> Generator[Forger, None, None]:
    """With the real login of that principal. It listens to its own life, to what is public, and to `more`."""
    me, life = Principal(role=token.role, name=token.name), str(ULID())
    password = broker_password(token.secret, token.cluster, me)
    public = (f"{P}/coordinator/status", f"{P}/coordinator/summary", f"{P}/clients/+/status/+")
    topics = (*Topics(token.cluster).to_me(me, life), *public, *more)
    with listening(token.host, token.port, me.login, password, topics) as line:
        yield Forger(token, life, line)
