"""What the coordinator tells an agent. What is ready together shares a message: these are lists on the wire."""

from typing import Annotated, TypeAlias

import msgspec

from ffmesh_protocol.limits import LIST_ITEMS, NUMBER_MAX
from ffmesh_protocol.media import Arguments, Environment, Needs, Outputs, Program, RootPath, Timeout, Umask
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.manners import Manner
from ffmesh_protocol.names import Name, Ulid
from ffmesh_protocol.reasons import Stopped
from ffmesh_protocol.wire import Directed, Natural, Told

Ulids: TypeAlias = Annotated[tuple[Ulid, ...], msgspec.Meta(max_length=LIST_ITEMS)]


class Offer(Told, frozen=True):
    attempt: Ulid
    job: Ulid
    kind: JobKind
    needs: Needs


class Offers(Directed, frozen=True):
    """Verb `offer`: would you take these?"""

    offers: tuple[Offer, ...]


class Audience(Told, frozen=True):
    """The client life that an interactive job's streams go to, and the sealed keys for them (base64)."""

    client: Name
    life: Ulid
    kid: Annotated[int, msgspec.Meta(ge=1, le=NUMBER_MAX)]
    sealed_keys: Annotated[str, msgspec.Meta(max_length=256)]


class Grant(Told, frozen=True):
    """One attempt, allowed to run. It is on the coordinator's disk before it is sent."""

    attempt: Ulid
    job: Ulid
    number: Natural
    kind: JobKind
    program: Program
    args: Arguments
    cwd: RootPath | None
    env: Environment
    umask: Umask | None
    needs: Needs
    timeout_seconds: Timeout | None
    audience: Audience | None
    outputs: Outputs = ()
    """Of a staged job: what its arguments name as its outputs, to be written aside and put in place by permission."""


class Grants(Directed, frozen=True):
    """Verb `grant`: start these. Repeated, with new numbers, until the agent lists the attempts."""

    grants: tuple[Grant, ...]


class Withdrawn(Directed, frozen=True):
    """Verb `withdrawn`: your claim came too late; these are not for you."""

    attempts: Ulids


class Stop(Told, frozen=True):
    attempt: Ulid
    job: Ulid
    why: Stopped


class Cancels(Directed, frozen=True):
    """Verb `cancel`: stop these and send their results."""

    stops: tuple[Stop, ...]


class Leased(Directed, frozen=True):
    """Verb `leased`: the answer to the `holding` or `hello` of that `beat`.

    The leases of these attempts begin anew: at the agent with the moment when it sent that beat, at the coordinator
    with the moment of this answer. So the agent's end is always first.
    """

    beat: Natural
    attempts: Ulids


class Commit(Directed, frozen=True):
    """Verb `commit`: put the outputs of these in place, within their leases. On disk here before it is sent."""

    attempts: Ulids


class Settled(Directed, frozen=True):
    """Verb `settled`: these results are on disk here, or nobody needs them; forget them."""

    attempts: Ulids


class Resend(Directed, frozen=True):
    """Verb `resend`: you hold results of these; send them again."""

    attempts: Ulids


class Welcome(Directed, frozen=True):
    """Verb `welcome`: the answer to `hello`, and whether the agent is to take new work.

    `features`: what this coordinator knows.
    """

    draining: bool
    manner: Manner | None = None
    features: tuple[str, ...] = ()


class Drain(Directed, frozen=True):
    """Verb `drain`: take no new work, or take it again. What runs goes on, unless `manner` says otherwise."""

    draining: bool
    manner: Manner | None = None


class TailWanted(Directed, frozen=True):
    """Verb `tail`: send the kept end of the standard error of this attempt, or its lines above `after`."""

    attempt: Ulid
    request: Ulid
    after: Natural | None = None


class Superseded(Directed, frozen=True):
    """Verb `superseded`: another life of this agent's name is here. Stop everything, exit with 78, stay down."""
