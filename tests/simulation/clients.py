"""The clients in the bottle: one that waits for its job, and one that hands it in."""

from typing import TYPE_CHECKING

from ffmesh_client.core import effects as client_effects
from ffmesh_client.core import events as client_events
from ffmesh_client.core.attached import Attached
from ffmesh_client.core.phases import Phase
from ffmesh_client.core.post import Identity
from ffmesh_client.core.post import Post as ClientPost
from ffmesh_protocol.messages.answers import Accepted, JobList, Refusal
from ffmesh_protocol.messages.presence import ClientState
from ffmesh_protocol.messages.requests import Bye, Cancel, Retry, Submit
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.wire import Directed
from simulation.part import Part

if TYPE_CHECKING:
    from simulation.world import World


class RunPart(Part):
    """`ffmesh run`: one interactive job, attached until its end."""

    def __init__(self, world: "World", name: str, identity: Identity, submit: Submit) -> None:
        super().__init__(world, name)
        self._identity = identity
        self.submit = submit
        self.core = Attached(submit, 0.0)
        self.post = ClientPost(identity, world.ulid())
        self.finished: int | None = None

    def begin(self) -> None:
        self.core = Attached(self.submit, self.world.now)
        self.post = ClientPost(self._identity, self.life)

    def subscriptions(self) -> list[str]:
        return list(self.post.subscriptions())

    def will(self) -> Packet:
        return self.post.status(ClientState.OFFLINE, self.connection)

    def connected(self) -> None:
        self.send([self.post.status(ClientState.ONLINE, self.connection)])
        self.feed(client_events.Connected())

    def disconnected(self) -> None:
        self.feed(client_events.Disconnected())

    def woken(self) -> None:
        self.feed(client_events.Woken())

    def hear(self, packet: Packet) -> None:
        heard = self.post.opened(packet)
        if heard is not None:
            self.feed(heard)

    def feed(self, event: client_events.Event) -> None:
        for effect in self.core.handle(event, self.world.now):
            if self.alive:
                self._carry_out(effect)
        if self.core.phase in (Phase.ATTENDING, Phase.ENDED):
            self.world.truth.accepted.add(self.submit.job)

    def _carry_out(self, effect: client_effects.Effect) -> None:
        match effect:
            case client_effects.Tell(message=message, correlation=correlation):
                packet = self.post.to_coordinator(message, correlation)
                self.send([packet] if packet is not None else [])
            case client_effects.TellAgent(credit=credit):
                packet = self.post.to_agent(credit)
                self.send([packet] if packet is not None else [])
            case client_effects.OpenStreams(job=job, assignment=assignment):
                self.post.open_streams(job, assignment)
            case client_effects.Write(stream=stream, content=content):
                if stream == "stdout":
                    self.world.truth.heard[self.submit.job] += content
                self.feed(client_events.Written(stream=stream, count=len(content)))
            case client_effects.WakeAt(elapsed=at):
                self.wake_at(at)
            case client_effects.Finish(exit_code=code):
                self._finish(code)
            case client_effects.GiveUp():
                self._finish(69)
            case _:
                pass

    def _finish(self, code: int) -> None:
        self.finished = code
        self.world.truth.client_ends[self.submit.job].append(code)
        bye = self.post.to_coordinator(Bye())
        self.send([self.post.status(ClientState.OFFLINE, self.connection), *([bye] if bye else [])])
        self.alive = False
        if self.line is not None:
            line, self.line = self.line, None
            self.world.after(5.0, f"{self.name} disconnects", lambda: self.world.broker.cut(line, will=False))


class SubmitPart(Part):
    """`ffmesh submit`, and perhaps `cancel` or `retry`: repeats itself until the coordinator has said that it is so."""

    def __init__(
        self,
        world: "World",
        name: str,
        identity: Identity,
        submit: Submit,
        *,
        cancel_after: float | None,
        retry_after: float | None,
    ) -> None:
        super().__init__(world, name)
        self._identity = identity
        self.submit = submit
        self.cancel_after = cancel_after
        self.retry_after = retry_after
        self.post = ClientPost(identity, world.ulid())
        self._accepted = False
        self._waits_for: set[bytes] = set()
        self._plans = (cancel_after is not None) + (retry_after is not None)

    @property
    def has_said_all(self) -> bool:
        return self._accepted and self._plans == 0 and not self._waits_for

    def begin(self) -> None:
        self.post = ClientPost(self._identity, self.life)
        self._ask()

    def subscriptions(self) -> list[str]:
        return list(self.post.subscriptions())

    def will(self) -> Packet:
        return self.post.status(ClientState.OFFLINE, self.connection)

    def hear(self, packet: Packet) -> None:
        heard = self.post.opened(packet)
        if not isinstance(heard, client_events.Answered):
            return
        if heard.correlation == b"submit":
            if isinstance(heard.answer, Accepted) and not self._accepted:
                self._was_accepted()
        elif isinstance(heard.answer, JobList | Refusal):
            self._waits_for.discard(heard.correlation)

    def _was_accepted(self) -> None:
        self._accepted = True
        self.world.truth.accepted.add(self.submit.job)
        if self.cancel_after is not None:
            self.later(self.cancel_after, "wants it cancelled", lambda: self._want(b"cancel"))
        if self.retry_after is not None:
            self.later(self.retry_after, "wants it tried again", lambda: self._want(b"retry"))

    def _want(self, what: bytes) -> None:
        self._plans -= 1
        self._waits_for.add(what)

    def _ask(self) -> None:
        """Until an answer says that it is so. (A refusal of the submit may pass: its parents are not there yet.)"""
        wanted: list[tuple[Directed, bytes]] = []
        if not self._accepted:
            wanted.append((self.submit, b"submit"))
        if b"cancel" in self._waits_for:
            wanted.append((Cancel(job=self.submit.job), b"cancel"))
        if b"retry" in self._waits_for:
            wanted.append((Retry(job=self.submit.job), b"retry"))
        for message, correlation in wanted:
            packet = self.post.to_coordinator(message, correlation)
            self.send([packet] if packet is not None else [])
        self.later(1.0, "asks", self._ask)
