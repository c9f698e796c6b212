"""Names, roles, lives: what may be called what. A wrong name is refused early, with a sentence that says why."""

import re
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from ffmesh_protocol.errors import BadName
from ffmesh_protocol.limits import NAME_CHARS
from ffmesh_protocol.wire import Told

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z"
ULID_PATTERN: Final = r"^[0-7][0-9A-HJKMNP-TV-Z]{25}\Z"

Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN, max_length=NAME_CHARS)]
Ulid = Annotated[str, msgspec.Meta(pattern=ULID_PATTERN, max_length=26)]
"""26 letters of Crockford's base 32, in upper case: the only spelling, so that equal means equal."""

RESERVED: Final = frozenset({"to", "coordinator"})
DEFAULT_CLUSTER: Final = "home"

_name = re.compile(NAME_PATTERN)
_ulid = re.compile(ULID_PATTERN)


class Role(StrEnum):
    """What a principal is. The value is its place in topics and logins."""

    COORDINATOR = "coordinator"
    AGENTS = "agents"
    CLIENTS = "clients"
    WATCHERS = "watchers"
    CONTROLLERS = "controllers"

    @property
    def singular(self) -> str:
        """As people and the command line say it."""
        return "coordinator" if self is Role.COORDINATOR else self.value.removesuffix("s")


SPOKEN_ROLES: Final = {role.singular: role for role in Role if role is not Role.COORDINATOR}
"""The roles that a person may give to somebody, by the word they use."""


class Principal(Told, frozen=True):
    """Anyone with a name, a role and a secret."""

    role: Role
    name: str

    @property
    def login(self) -> str:
        """Its user name at the broker, and its place in topics."""
        return self.role.value if self.role is Role.COORDINATOR else f"{self.role.value}/{self.name}"


COORDINATOR: Final = Principal(role=Role.COORDINATOR, name="coordinator")


def agent(name: str) -> Principal:
    return Principal(role=Role.AGENTS, name=name)


def client(name: str) -> Principal:
    return Principal(role=Role.CLIENTS, name=name)


def is_name(text: str) -> bool:
    return _name.match(text) is not None and text not in RESERVED


def is_ulid(text: str) -> bool:
    return _ulid.match(text) is not None


def checked_name(what: str, text: str, *, lower_case: bool = False) -> str:
    """The name itself, or `BadName` with a sentence; `what` is the thing that is named ("agent", "root")."""
    thing = f"{'an' if what[:1] in 'aeiou' else 'a'} {what}"
    if text in RESERVED:
        raise BadName(f"“{text}” is reserved and cannot name {thing}; choose another name")
    if not is_name(text):
        raise BadName(
            f"“{_printable(text[:80])}” cannot name {thing}: "
            f"1 to {NAME_CHARS} of the letters A-Z and a-z, digits, _ and -, beginning with a letter or digit"
        )
    if lower_case and text != text.lower():
        raise BadName(f"“{text}” cannot name {thing}: only lower case; “{text.lower()}” would do")
    return text


def _printable(text: str) -> str:
    """A sentence is one line, whatever somebody typed."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def checked_principal(role: Role, text: str) -> Principal:
    return Principal(role=role, name=checked_name(role.singular, text, lower_case=role is Role.AGENTS))
