"""What an agent can do and how it is doing, as it says itself and as the coordinator shows it."""

from enum import StrEnum
from typing import Annotated

import msgspec

from ffmesh_protocol.limits import (
    CONDITIONS,
    FPS_MAX,
    HEAVIEST,
    LIGHTEST,
    LIST_ITEMS,
    SENTENCE_CHARS,
    SLOTS,
    WORD_CHARS,
)
from ffmesh_protocol.messages.manners import Condition, Manner
from ffmesh_protocol.messages.presence import AgentState
from ffmesh_protocol.names import Name, Ulid
from ffmesh_protocol.wire import Natural, Told

Word = Annotated[str, msgspec.Meta(max_length=WORD_CHARS)]
Weight = Annotated[float, msgspec.Meta(ge=LIGHTEST, le=HEAVIEST)]
Words = Annotated[tuple[Word, ...], msgspec.Meta(max_length=LIST_ITEMS)]
FramesPerSecond = Annotated[float, msgspec.Meta(ge=0, le=FPS_MAX)]
Count = Annotated[int, msgspec.Meta(ge=0, le=SLOTS)]
Conditions = Annotated[tuple[Condition, ...], msgspec.Meta(max_length=CONDITIONS)]


class Host(Told, frozen=True):
    arch: Word
    cores: Natural
    memory_bytes: Natural
    model: Word
    temperature_sensor: bool = False


class RootState(Told, frozen=True):
    """`mounted`: it is there, and can be read. The rest is null where nobody has looked."""

    mounted: bool
    writable: bool | None = None
    free_bytes: Natural | None = None
    total_bytes: Natural | None = None
    why: Annotated[str, msgspec.Meta(max_length=SENTENCE_CHARS)] | None = None
    """Why it is not there, or takes no new output: a sentence that names no place of the machine."""
    storage: Word | None = None
    """A nonce that lies in it: two agents that tell the same one see the same storage."""


class SlotCount(Told, frozen=True):
    total: Count


class SlotUse(Told, frozen=True):
    total: Count
    used: Count


class Load(Told, frozen=True):
    cpu_percent: float | None
    memory_percent: float | None
    temperature_c: float | None


class Advert(Told, frozen=True):
    """The short part: what placement and Home Assistant need. Retained."""

    life: Ulid
    version: Word
    features: Words
    host: Host
    programs: dict[Word, Word]
    hwaccels: Words
    roots: dict[Name, RootState]
    slots: dict[Word, SlotCount]
    fence: Word
    tried: bool
    supported_codecs: Words = ()
    """What the usual encoders that work here make, and those of hardware: `h264`, `av1`, `aac`."""
    has_gpu: bool = False
    gpu_type: Word | None = None
    """Who made it: `nvidia`, `intel`, `amd` … Of several, the first of `gpus`."""
    gpus: Words = ()
    max_resolution: Word | None = None
    """The largest picture that an encoder of hardware took here, as `3840x2160`."""
    weight: Weight = 1.0
    """Its owner's: work goes to whose share of free slots times this is largest."""


class AdvertPrograms(Told, frozen=True):
    """The long lists, on a topic of their own. `tried` is false as long as something of them is only listed that is
    to be tried: encoders and accelerators of hardware, and the usual encoders."""

    life: Ulid
    encoders: Words
    decoders: Words
    filters: Words
    unavailable: dict[Word, str]
    tried: bool
    max_resolutions: dict[Word, Word] = msgspec.field(default_factory=dict[str, str])
    """By encoders of hardware."""
    speeds: dict[Word, FramesPerSecond] = msgspec.field(default_factory=dict[str, float])
    """Frames of 1280x720 in a second, by encoders: a short benchmark."""


class Heartbeat(Told, frozen=True):
    """For people. To its agent it comes back as a sign that the broker answers.

    `beat` counts the heartbeats of this life.
    """

    life: Ulid
    beat: Natural
    load: Load
    slots: dict[Word, SlotUse]
    running: tuple[Ulid, ...]
    conditions: Conditions = ()
    """What its configuration minds of its machine, in force or not."""


class Activity(StrEnum):
    """Of an agent that is there."""

    IDLE = "idle"
    BUSY = "busy"
    """It holds a job, at least one."""


class PublicAgent(Told, frozen=True):
    """An agent without its long lists, as on the retained topic: small enough for Home Assistant."""

    name: Name
    state: AgentState
    life: Ulid | None
    version: Word | None
    features: Words
    host: Host | None
    programs: dict[Word, Word]
    hwaccels: Words
    tried: bool
    roots: dict[Name, RootState]
    slots: dict[Word, SlotUse]
    fence: Word | None
    load: Load
    running: tuple[Ulid, ...]
    last_seen_at: str | None
    supported_codecs: Words = ()
    has_gpu: bool = False
    gpu_type: Word | None = None
    gpus: Words = ()
    max_resolution: Word | None = None
    weight: Weight = 1.0
    paused: tuple[Ulid, ...] = ()
    """Of those that run, the jobs that stand still."""
    manner: Manner | None = None
    """What a person has told it to do: `drain`, `pause` or `stop`."""
    activity: Activity | None = None
    """Null: it is offline."""
    conditions: Conditions = ()


class AgentView(PublicAgent, frozen=True, kw_only=True):
    """An agent as `ffmesh agent NAME --json` shows it."""

    encoders: Words
    decoders: Words
    filters: Words
    unavailable: dict[Word, str]
    max_resolutions: dict[Word, Word] = msgspec.field(default_factory=dict[str, str])
    speeds: dict[Word, FramesPerSecond] = msgspec.field(default_factory=dict[str, float])
