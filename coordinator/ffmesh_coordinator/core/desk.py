"""What the parts of the core share: the books, the time of the event at hand, and the effects that pile up for it."""

from collections.abc import Callable

from ffmesh_coordinator.core.deadlines import About
from ffmesh_coordinator.core.effects import Effect, Note, NoteLevel, Publish, Reply, SaveAgent, Tell
from ffmesh_coordinator.core.events import Asker
from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.core.keyring import Keyring
from ffmesh_coordinator.core.ledger import Ledger
from ffmesh_coordinator.core.matching import Matching
from ffmesh_coordinator.core.moment import Now
from ffmesh_coordinator.core.post import Post
from ffmesh_coordinator.core.roster import Agent, Roster
from ffmesh_protocol.deadlines import Deadlines
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.messages.answers import Answer, Refusal
from ffmesh_protocol.messages.jobs import JobEvent
from ffmesh_protocol.names import Principal
from ffmesh_protocol.names import agent as agent_principal
from ffmesh_protocol.topics import DELIVERY, Family
from ffmesh_protocol.wire import Directed, Told


class Desk:
    def __init__(
        self,
        *,
        life: str,
        version: str,
        public_details: bool,
        keyring: Keyring,
        post: Post,
        ids: Callable[[], str],
    ) -> None:
        self.life = life
        self.version = version
        self.public_details = public_details
        self.keyring = keyring
        self.post = post
        self.ids = ids
        self.topics = post.topics
        self.ledger = Ledger()
        self.roster = Roster()
        self.matching = Matching(self.roster)
        self.deadlines = Deadlines[About]()
        self.now = Now(elapsed=0.0, utc=0.0)
        self.began_at = 0.0
        """When this life did: by the clock that counts sleep."""
        self.connected = False
        self.connection = 0
        self.full = False
        """The disk takes nothing: nothing new is accepted, offered or promised."""
        self._effects: list[Effect] = []

    def order(self, effect: Effect) -> None:
        self._effects.append(effect)

    def taken_effects(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    def tell(self, receiver: Principal, life: str, message: Directed) -> None:
        self.order(Tell(receiver=receiver, life=life, message=message))

    def tell_agent(self, name: str, life: str, message: Directed) -> None:
        self.tell(agent_principal(name), life, message)

    def reply(self, asker: Asker | None, answer: Answer) -> None:
        if asker is not None:
            self.order(Reply(asker=asker, answer=answer))

    def refuse(self, asker: Asker | None, code: RefusalCode, sentence: str) -> None:
        self.reply(asker, Refusal(code=code, sentence=sentence))

    def publish(self, family: Family, topic: str, message: Told | None, *, retain: bool | None = None) -> None:
        kept = DELIVERY[family].retain if retain is None else retain
        self.order(Publish(family=family, topic=topic, message=message, retain=kept))

    def announce(self, event: JobEvent) -> None:
        self.publish(Family.EVENTS, self.topics.events(), event)

    def note(self, text: str) -> None:
        self.order(Note(level=NoteLevel.INFO, text=text))

    def warn(self, text: str) -> None:
        self.order(Note(level=NoteLevel.WARNING, text=text))

    def remember(self, agent: Agent) -> None:
        self.order(SaveAgent(agent=agent.remembered()))

    def after(self, seconds: float) -> float:
        return self.now.elapsed + seconds

    def book(self, agent: Agent, attempt: str, job: Job) -> None:
        """A slot of it is taken, whatever it says itself."""
        agent.booked[attempt] = job.asked.needs.slot
        if job.is_interactive:
            agent.attended.add(attempt)
        self.matching.changed(agent)

    def unbook(self, agent_name: str, attempt: str) -> None:
        agent = self.roster.get(agent_name)
        if agent is not None and agent.booked.pop(attempt, None) is not None:
            agent.attended.discard(attempt)
            self.matching.changed(agent)
