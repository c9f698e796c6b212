"""Who may take part. Every change goes the same way: the database, the keyring, the broker's password file, the broker.

What was committed is in force by the coordinator's next start at the latest: it brings all that follows up to date. A
command does the same without a coordinator; it holds the lock of the home meanwhile.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, Protocol, TypeAlias, assert_never

import msgspec

from ffmesh_broker import passwords
from ffmesh_broker.errors import BrokerFailed
from ffmesh_coordinator.config import Config
from ffmesh_coordinator.core.views import rfc3339
from ffmesh_coordinator.shell.addresses import own_address
from ffmesh_coordinator.shell.broker_process import BrokerNotTold, told_to_read_its_logins
from ffmesh_coordinator.shell.errands import (
    Add,
    Added,
    Change,
    Ensure,
    Ensured,
    List,
    Listed,
    Login,
    Member,
    Membership,
    Remove,
    Removed,
    Rotate,
    Rotated,
)
from ffmesh_coordinator.shell.errors import EnrolmentRefused, WrongRole
from ffmesh_coordinator.shell.home import Home, made_folder
from ffmesh_coordinator.shell.store import Enrolled, Store
from ffmesh_coordinator.shell.vault import Vault, made_master_key, read_master_key
from ffmesh_protocol.errors import BadName
from ffmesh_protocol.keys import SECRET_BYTES, broker_password
from ffmesh_protocol.names import COORDINATOR, SPOKEN_ROLES, Principal, Role, checked_principal
from ffmesh_protocol.tokens import JoinToken, spoken

FIRST_KID: Final = 1
JOINING_ROLES: Final = frozenset({Role.AGENTS, Role.CLIENTS})
"""Those who speak our wire and need a secret; the others get a login."""

_EVERYWHERE: Final = frozenset({"0.0.0.0", "::", "*"})  # noqa: S104 - told apart here, not bound to
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

TellBroker: TypeAlias = Callable[[], Awaitable[object]]
"""Makes the broker read its logins again; `BrokerFailed` or `BrokerNotTold` if it runs and does not."""

log = logging.getLogger(__name__)


class Keys(Protocol):
    """Where the secrets of principals go: the keyring of the core that runs, or of none."""

    def add(self, principal: Principal, kid: int, secret: bytes) -> None:
        """Also in the place of an earlier one."""

    def remove(self, principal: Principal) -> None: ...


class Enrolment:
    """Made by `opened` only."""

    def __init__(
        self, home: Home, config: Config, store: Store, vault: Vault, keys: Keys, tell_broker: TellBroker
    ) -> None:
        self._home = home
        self._config = config
        self._store = store
        self._vault = vault
        self._keys = keys
        self._broker_told = tell_broker
        self._members: dict[str, Enrolled] = {}
        self._changing = asyncio.Lock()
        self._rotation = asyncio.Event()
        """Set when somebody has got another secret; then there is a new one."""

    @classmethod
    async def opened(
        cls, home: Home, config: Config, store: Store, keys: Keys, tell_broker: TellBroker | None = None
    ) -> "Enrolment":
        """With everyone who was enrolled before. The master key is made where nobody was.

        Unless `tell_broker` knows better, the broker is the one whose pid stands in the file that the configuration
        names.
        """
        known = await store.principals()
        key = (
            read_master_key(home.master_key) if known or home.master_key.exists() else made_master_key(home.master_key)
        )
        by_pid = partial(told_to_read_its_logins, home.path(config.broker.pid_file))
        enrolment = cls(home, config, store, Vault(key), keys, tell_broker or by_pid)
        for each in known:
            enrolment._take(each, enrolment._secret(each))
        return enrolment

    async def come_into_force(self) -> str | None:
        """For a coordinator that starts: it enrols itself the first time, and the broker learns what the database has.

        The answer is a sentence if somebody else has to do something now.
        """
        async with self._changing:
            if COORDINATOR.name not in self._members:
                await self._enrol([COORDINATOR])
            # Whether the broker has read what an earlier process wrote, nobody knows.
            return await self._tell_broker(even_if_unchanged=True)

    @property
    def own_secret(self) -> bytes:
        return self._secret(self._members[COORDINATOR.name])

    async def carried_out(self, change: Change) -> Added | Ensured | Listed | Removed | Rotated:
        match change:
            case Add(name=name, role=role):
                return await self.add(_wanted_principal(name, role))
            case Ensure(principals=wanted):
                return await self.ensure([_wanted_principal(each.name, each.role) for each in wanted])
            case List():
                return self.listed()
            case Remove(name=name):
                return await self.remove(name)
            case Rotate(name=name):
                return await self.rotate(name)
            case _:
                assert_never(change)

    async def add(self, principal: Principal) -> Added:
        async with self._changing:
            there = self._members.get(principal.name)
            if there is not None:
                raise EnrolmentRefused(f"{principal.name} is {_a(there.principal.role)} already; choose another name")
            await self._enrol([principal])
            return Added(principal=self._membership(principal.name), warning=await self._tell_broker())

    async def ensure(self, principals: Sequence[Principal]) -> Ensured:
        async with self._changing:
            wanted = {principal.name: principal for principal in principals}
            for principal in principals:
                there = self._members.get(principal.name)
                taken = there.principal if there is not None else wanted[principal.name]
                if taken != principal:
                    raise WrongRole(
                        f"{principal.name} is {_a(taken.role)}, not {_a(principal.role)}; choose another name"
                    )
            await self._enrol([each for each in wanted.values() if each.name not in self._members])
            members = tuple(self._membership(each.name) for each in principals)
            return Ensured(principals=members, warning=await self._tell_broker())

    async def remove(self, name: str) -> Removed:
        async with self._changing:
            there = self._named(name)
            await self._store.remove_principal(name)
            del self._members[name]
            self._keys.remove(there.principal)
            log.info("%s was removed", there.principal.login)
            return Removed(principal=_member(there), warning=await self._tell_broker())

    async def rotate(self, name: str) -> Rotated:
        async with self._changing:
            there = self._named(name)
            kid, secret = there.kid + 1, os.urandom(SECRET_BYTES)
            sealed = self._vault.sealed(there.principal, kid, secret)
            rotated = msgspec.structs.replace(there, kid=kid, sealed_secret=sealed)
            await self._store.rotate_principal(rotated)
            self._take(rotated, secret)
            log.info("%s has got another secret, of generation %d", there.principal.login, kid)
            warning = await self._tell_broker()
            turned, self._rotation = self._rotation, asyncio.Event()
            turned.set()
            return Rotated(principal=self._membership(name), warning=warning)

    async def rotations(self, kids: Mapping[str, int]) -> Ensured:
        """Of these principals those whose secret is of another generation, as soon as there is one. The broker knows
        of it by then."""
        while True:
            async with self._changing:
                found = [name for name, kid in kids.items() if name in self._members and self._members[name].kid != kid]
                if found:
                    return Ensured(principals=tuple(map(self._membership, found)), warning=None)
                rotation = self._rotation
            await rotation.wait()

    def _named(self, name: str) -> Enrolled:
        there = self._members.get(name)
        if there is None or there.principal == COORDINATOR:
            raise EnrolmentRefused(f"nobody is called {name}; `ffmesh principal list` shows who takes part")
        return there

    def listed(self) -> Listed:
        return Listed(
            principals=tuple(_member(each) for each in self._members.values() if each.principal != COORDINATOR)
        )

    async def _enrol(self, principals: Sequence[Principal]) -> None:
        secrets = {principal: os.urandom(SECRET_BYTES) for principal in principals}
        new = [
            Enrolled(
                principal=principal,
                kid=FIRST_KID,
                sealed_secret=self._vault.sealed(principal, FIRST_KID, secret),
                created_at=time.time(),
            )
            for principal, secret in secrets.items()
        ]
        await self._store.add_principals(new)
        for each in new:
            self._take(each, secrets[each.principal])
            log.info("%s was added", each.principal.login)

    def _take(self, enrolled: Enrolled, secret: bytes) -> None:
        self._members[enrolled.principal.name] = enrolled
        self._keys.add(enrolled.principal, enrolled.kid, secret)

    def _secret(self, enrolled: Enrolled) -> bytes:
        return self._vault.opened(enrolled.principal, enrolled.kid, enrolled.sealed_secret)

    def _password(self, enrolled: Enrolled) -> str:
        return broker_password(self._secret(enrolled), self._config.cluster, enrolled.principal)

    async def _tell_broker(self, *, even_if_unchanged: bool = False) -> str | None:
        """The password file, then the broker; a sentence if somebody else has to do something now."""
        wanted = {each.principal.login: self._password(each) for each in self._members.values()}
        try:
            changed = await asyncio.to_thread(self._write_passwords, wanted)
            if changed or even_if_unchanged:
                await self._broker_told()
        except (BrokerFailed, BrokerNotTold) as error:
            return str(error)
        except OSError as error:
            return (
                f"the broker's password file could not be written ({error}); the broker does not know of the change yet"
            )
        return None

    def _write_passwords(self, wanted: Mapping[str, str]) -> bool:
        path = self._home.path(self._config.broker.passwords)
        made_folder(path.parent)
        return passwords.replace_all(path, wanted)

    def _membership(self, name: str) -> Membership:
        enrolled = self._members[name]
        principal, secret, config = enrolled.principal, self._secret(enrolled), self._config
        token = login = None
        host = address_for_others(config)
        if principal.role in JOINING_ROLES:
            token = spoken(
                JoinToken(
                    cluster=config.cluster,
                    role=principal.role,
                    name=principal.name,
                    secret=secret,
                    host=host,
                    port=config.broker.port,
                    kid=enrolled.kid,
                )
            )
        else:
            login = Login(
                host=host,
                port=config.broker.port,
                username=principal.login,
                password=self._password(enrolled),
                cluster=config.cluster,
            )
        member = _member(enrolled)
        return Membership(
            name=member.name,
            role=member.role,
            created_at=member.created_at,
            kid=enrolled.kid,
            secret=secret,
            token=token,
            login=login,
        )


def address_for_others(config: Config) -> str:
    """Where another machine finds the broker: what is configured, or what follows from where it listens."""
    if config.public_host is not None:
        return config.public_host
    if config.broker.host not in _LOOPBACK:
        return config.broker.host
    return config.listen if config.listen not in _EVERYWHERE else own_address()


def _wanted_principal(name: str, role: str) -> Principal:
    if role not in SPOKEN_ROLES:
        raise BadName(f"“{role[:80]}” is no role; the roles are {', '.join(SPOKEN_ROLES)}")
    return checked_principal(SPOKEN_ROLES[role], name)


def _member(enrolled: Enrolled) -> Member:
    principal = enrolled.principal
    return Member(name=principal.name, role=principal.role.singular, created_at=rfc3339(enrolled.created_at) or "")


def _a(role: Role) -> str:
    return f"{'an' if role is Role.AGENTS else 'a'} {role.singular}"
