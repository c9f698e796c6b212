"""What may be asked of a coordinator on its own machine, and the answers: one line of JSON each, over its socket.

    {"do": "add", "name": "pi-1", "role": "agent"}      {"ok": true, "principal": {…}, "warning": null}
    {"do": "ensure", "principals": [{"name", "role"}]}  {"ok": true, "principals": [{…}], "warning": null}
    {"do": "list"}                                      {"ok": true, "principals": [{"name", "role", "created_at"}]}
    {"do": "remove", "name": "pi-1"}                    {"ok": true, "principal": {"name", …}, "warning": null}
    {"do": "rotate", "name": "pi-1"}                    {"ok": true, "principal": {…}, "warning": null}
    {"do": "rotations", "kids": {"pi-1": 1}}            {"ok": true, "principals": [{…}], "warning": null}, as soon as
                                                        one of these has a secret of another generation
    {"do": "ready", "agents": ["pi-1"]}                 {"ok": true}, as soon as these agents can take work
    {"do": "status"}                                    {"ok": true, "cluster": …, "life": …, …}

What cannot be done is answered with {"ok": false, "error": SENTENCE, "exit": CODE}, the code that a command ends with.
Roles are the words that people use: agent, client, watcher, controller.
"""

from typing import TypeAlias

from ffmesh_protocol.wire import Told


class Wanted(Told, frozen=True):
    name: str
    role: str


class Add(Told, frozen=True, tag_field="do", tag="add"):
    """One more principal. The name must be free, over all roles."""

    name: str
    role: str


class Ensure(Told, frozen=True, tag_field="do", tag="ensure"):
    """These, all of them or none: who is there stays as it is, who is missing is added."""

    principals: tuple[Wanted, ...]


class List(Told, frozen=True, tag_field="do", tag="list"):
    """Everyone but the coordinator itself."""


class Remove(Told, frozen=True, tag_field="do", tag="remove"):
    """At once: its connections are ended, and what it says from now on is nobody's."""

    name: str


class Rotate(Told, frozen=True, tag_field="do", tag="rotate"):
    """A new secret in the place of the old one, which is nobody's from now on. Name, role and the rest stay."""

    name: str


class Rotations(Told, frozen=True, tag_field="do", tag="rotations"):
    """Answered as soon as one of these principals has a secret of another generation than is said here, with all that
    have. Who is not there is not waited for."""

    kids: dict[str, int]


class Ready(Told, frozen=True, tag_field="do", tag="ready"):
    """Answered as soon as the coordinator is connected and each of these agents can take work."""

    agents: tuple[str, ...] = ()


class Status(Told, frozen=True, tag_field="do", tag="status"):
    """How the coordinator is."""


Errand: TypeAlias = Add | Ensure | List | Remove | Rotate | Rotations | Ready | Status
Change: TypeAlias = Add | Ensure | List | Remove | Rotate
"""What needs no coordinator that runs: a command does it by itself, under the lock of the home."""


class Login(Told, frozen=True):
    """For who speaks plain MQTT: watchers and controllers."""

    host: str
    port: int
    username: str
    password: str
    cluster: str


class Member(Told, frozen=True):
    """One principal, for lists."""

    name: str
    role: str
    created_at: str


class Membership(Member, frozen=True):
    """One principal and how it takes part: agents and clients by a join token, watchers and controllers by a login."""

    kid: int
    secret: bytes
    token: str | None
    login: Login | None

    def __repr__(self) -> str:
        return f"Membership({self.role} {self.name})"  # without the secrets, which have no business in a log


class Added(Told, frozen=True):
    """`warning`: it is done, but somebody has to do something before it counts."""

    principal: Membership
    warning: str | None
    ok: bool = True


class Ensured(Told, frozen=True):
    principals: tuple[Membership, ...]
    warning: str | None
    ok: bool = True


class Listed(Told, frozen=True):
    principals: tuple[Member, ...]
    ok: bool = True


class Removed(Told, frozen=True):
    principal: Member
    warning: str | None
    ok: bool = True


class Rotated(Told, frozen=True):
    """`principal` has its new secret."""

    principal: Membership
    warning: str | None
    ok: bool = True


class IsReady(Told, frozen=True):
    ok: bool = True


class Standing(Told, frozen=True):
    cluster: str
    life: str
    pid: int
    version: str
    connected: bool
    ok: bool = True


class NotDone(Told, frozen=True):
    error: str
    exit: int
    ok: bool = False


Answer: TypeAlias = Added | Ensured | Listed | Removed | Rotated | IsReady | Standing | NotDone
