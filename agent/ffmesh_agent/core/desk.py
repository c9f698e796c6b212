"""What the parts of the agent's core share: who we are, the time of the event at hand, and the effects that pile up."""

from ffmesh_agent.core.attempt import About
from ffmesh_agent.core.audiences import Audiences
from ffmesh_agent.core.effects import Effect, Note, NoteLevel, Publish, Tell
from ffmesh_agent.core.post import Post
from ffmesh_protocol.deadlines import Deadlines
from ffmesh_protocol.messages.manners import Condition, Manner
from ffmesh_protocol.topics import Family
from ffmesh_protocol.wire import Directed, Told


class Desk:
    def __init__(self, *, name: str, life: str, post: Post, audiences: Audiences) -> None:
        self.name = name
        self.life = life
        self.post = post
        self.topics = post.topics
        self.audiences = audiences
        self.deadlines = Deadlines[About]()
        self.now = 0.0
        self.connected = False
        self.connection = 0
        self.coordinator: str | None = None
        """The life of the coordinator that we greeted."""
        self.told: Manner | None = None
        """What a person has this agent do, by the coordinator."""
        self.knows_pauses = False
        """The coordinator does: it is told of what was handed back."""
        self.conditions: tuple[Condition, ...] = ()
        """What its configuration names of this machine, and whether that is so now."""
        self.ending = False
        """It leaves when all is done."""
        self.leaving = False
        """It leaves as soon as all has been told to end."""
        self.superseded = False
        """Another life has our name: what is said in public under it is said of that one."""
        self._effects: list[Effect] = []

    def order(self, effect: Effect) -> None:
        self._effects.append(effect)

    def taken_effects(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    def tell(self, message: Directed) -> None:
        """To the coordinator, if there is one: what matters is said again when it is back."""
        if self.coordinator is not None and self.connected:
            self.order(Tell(life=self.coordinator, message=message))

    def publish(self, family: Family, topic: str, message: Told | None) -> None:
        if self.connected and not self.superseded:
            self.order(Publish(family=family, topic=topic, message=message))

    def note(self, text: str) -> None:
        self.order(Note(level=NoteLevel.INFO, text=text))

    def warn(self, text: str) -> None:
        self.order(Note(level=NoteLevel.WARNING, text=text))

    def after(self, seconds: float) -> float:
        return self.now + seconds
