"""Every change goes to the database, the keyring and the broker's password file, in that order."""

import asyncio
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ffmesh_broker.passwords import is_hash_of
from ffmesh_coordinator.config import BrokerConfig, Config
from ffmesh_coordinator.core.keyring import Keyring
from ffmesh_coordinator.shell.enrolment import Enrolment, address_for_others
from ffmesh_coordinator.shell.errands import (
    Add,
    Added,
    Ensure,
    List,
    Listed,
    Membership,
    Remove,
    Removed,
    Rotate,
    Rotated,
    Wanted,
)
from ffmesh_coordinator.shell.errors import EnrolmentRefused, KeyUnusable, StoreUnusable, WrongRole
from ffmesh_coordinator.shell.home import Home
from ffmesh_coordinator.shell.store import Store
from ffmesh_protocol.errors import BadName, Forged
from ffmesh_protocol.keys import broker_password
from ffmesh_protocol.names import COORDINATOR, SPOKEN_ROLES, Principal, Role, agent, client
from ffmesh_protocol.tokens import understood

CONFIG = Config(public_host="mesh.example", broker=BrokerConfig(port=1999))


class Place:
    """A home with its enrolment."""

    def __init__(self, home: Home, enrolment: Enrolment, keyring: Keyring) -> None:
        self.home = home
        self.enrolment = enrolment
        self.keyring = keyring

    def logins(self) -> dict[str, str]:
        lines = self.home.path(CONFIG.broker.passwords).read_text().splitlines()
        return dict(line.split(":", 1) for line in lines)

    def lets_in(self, principal: Principal, secret: bytes) -> bool:
        return is_hash_of(self.logins()[principal.login], broker_password(secret, CONFIG.cluster, principal))


async def added(place: Place, name: str, role: str) -> Membership:
    answer = await place.enrolment.carried_out(Add(name=name, role=role))
    assert isinstance(answer, Added)
    assert answer.warning is None
    return answer.principal


@asynccontextmanager
async def enrolling(folder: Path) -> AsyncGenerator[Place, None]:
    home = Home(folder)
    async with Store.opened(home.database, may_make=not home.master_key.exists()) as store:
        keyring = Keyring(CONFIG.cluster, lambda: bytes(12))
        yield Place(home, await Enrolment.opened(home, CONFIG, store, keyring), keyring)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Place, None]:
    async with enrolling(tmp_path) as place:
        yield place


@pytest.mark.parametrize("role", [Role.AGENTS, Role.CLIENTS])
async def test_agents_and_clients_get_a_token_that_lets_them_in(place: Place, role: Role) -> None:
    member = await added(place, "pi", role.singular)
    assert (member.name, member.role, member.kid, member.login) == ("pi", role.singular, 1, None)
    token = understood(member.token or "")
    assert (token.cluster, token.role, token.name, token.kid) == ("home", role, "pi", 1)
    assert (token.host, token.port, token.secret) == ("mesh.example", 1999, member.secret)
    principal = Principal(role=role, name="pi")
    assert place.keyring.knows(principal)
    assert place.lets_in(principal, member.secret)


@pytest.mark.parametrize("role", [Role.WATCHERS, Role.CONTROLLERS])
async def test_watchers_and_controllers_get_a_login_that_lets_them_in(place: Place, role: Role) -> None:
    member = await added(place, "ha", role.singular)
    login = member.login
    assert member.token is None
    assert login is not None
    assert (login.host, login.port, login.cluster, login.username) == ("mesh.example", 1999, "home", f"{role}/ha")
    assert is_hash_of(place.logins()[login.username], login.password)


async def test_a_name_is_unique_over_all_roles(place: Place) -> None:
    await place.enrolment.add(agent("pi"))
    before = place.logins()
    for role in SPOKEN_ROLES:
        with pytest.raises(EnrolmentRefused, match="pi is an agent already"):
            await added(place, "pi", role)
    assert place.logins() == before


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Pi", "agent"),
        ("coordinator", "client"),
        ("to", "watcher"),
        ("", "client"),
        ("a b", "client"),
        ("pi", "agents"),
    ],
)
async def test_a_name_or_role_that_cannot_be_is_refused(place: Place, name: str, role: str) -> None:
    with pytest.raises(BadName):
        await added(place, name, role)
    with pytest.raises(BadName):
        await place.enrolment.carried_out(
            Ensure(principals=(Wanted(name="fine", role="agent"), Wanted(name=name, role=role)))
        )
    assert place.enrolment.listed().principals == ()


async def test_to_ensure_adds_who_is_missing_and_leaves_who_is_there(place: Place) -> None:
    first = await place.enrolment.ensure([agent("pi"), client("tv")])
    again = await place.enrolment.ensure([client("radio"), client("tv"), agent("pi")])
    assert [member.name for member in again.principals] == ["radio", "tv", "pi"]
    secrets = {member.name: member.secret for member in again.principals}
    assert {member.name: member.secret for member in first.principals}.items() <= secrets.items()
    assert len(set(secrets.values())) == 3


async def test_to_ensure_somebody_of_another_role_changes_nothing(place: Place) -> None:
    await place.enrolment.add(agent("pi"))
    with pytest.raises(WrongRole, match="pi is an agent, not a client"):
        await place.enrolment.ensure([agent("new"), client("pi")])
    with pytest.raises(WrongRole):
        await place.enrolment.ensure([agent("twice"), client("twice")])
    assert [member.name for member in place.enrolment.listed().principals] == ["pi"]


async def test_to_ensure_the_same_twice_at_once_makes_one(place: Place) -> None:
    async with asyncio.TaskGroup() as group:
        both = [group.create_task(place.enrolment.ensure([agent("pi")])) for _ in range(2)]
    first, second = (each.result().principals[0].secret for each in both)
    assert first == second


async def test_who_is_removed_is_gone_everywhere(place: Place) -> None:
    await place.enrolment.ensure([agent("pi"), client("tv")])
    removed = await place.enrolment.carried_out(Remove(name="pi"))
    assert isinstance(removed, Removed)
    assert (removed.principal.name, removed.principal.role) == ("pi", "agent")
    assert not place.keyring.knows(agent("pi"))
    assert place.keyring.knows(client("tv"))
    assert set(place.logins()) == {"clients/tv"}
    assert [member.name for member in place.enrolment.listed().principals] == ["tv"]
    with pytest.raises(EnrolmentRefused, match="nobody is called pi"):
        await place.enrolment.remove("pi")


async def test_a_name_that_was_removed_may_come_back_with_a_new_secret(place: Place) -> None:
    before = (await place.enrolment.add(agent("pi"))).principal.secret
    await place.enrolment.remove("pi")
    after = (await place.enrolment.add(client("pi"))).principal.secret
    assert before != after
    assert place.lets_in(client("pi"), after)


@pytest.mark.parametrize("role", [Role.AGENTS, Role.CLIENTS])
async def test_who_is_rotated_gets_another_token_and_the_old_secret_is_nobodys(place: Place, role: Role) -> None:
    before = await added(place, "pi", role.singular)
    other = await added(place, "other", "agent")
    principal = Principal(role=role, name="pi")
    old_key = place.keyring.verifying(principal, 1)
    answer = await place.enrolment.carried_out(Rotate(name="pi"))
    assert isinstance(answer, Rotated)
    after = answer.principal
    assert (answer.warning, after.name, after.role, after.created_at) == (None, "pi", role.singular, before.created_at)
    token = understood(after.token or "")
    assert (token.kid, token.secret, token.secret == before.secret) == (2, after.secret, False)
    assert place.keyring.verifying(principal, 2) != old_key
    with pytest.raises(Forged):
        place.keyring.verifying(principal, 1)
    assert place.lets_in(principal, after.secret)
    assert not place.lets_in(principal, before.secret)
    assert place.lets_in(agent("other"), other.secret)
    assert (await place.enrolment.rotate("pi")).principal.kid == 3


async def test_a_watcher_that_is_rotated_gets_another_login(place: Place) -> None:
    before = await added(place, "ha", "watcher")
    after = (await place.enrolment.rotate("ha")).principal
    assert before.login is not None
    assert after.login is not None
    assert after.login.username == before.login.username
    assert is_hash_of(place.logins()["watchers/ha"], after.login.password)
    assert not is_hash_of(place.logins()["watchers/ha"], before.login.password)


@pytest.mark.parametrize("name", ["nobody", "coordinator"])
async def test_nobody_unknown_nor_the_coordinator_is_rotated(tmp_path: Path, name: str) -> None:
    async with enrolling(tmp_path) as place:
        await place.enrolment.come_into_force()
        with pytest.raises(EnrolmentRefused, match=f"nobody is called {name}"):
            await place.enrolment.rotate(name)


async def test_what_was_rotated_is_so_after_a_restart_and_not_on_the_disk_as_it_is(tmp_path: Path) -> None:
    async with enrolling(tmp_path) as place:
        await place.enrolment.add(agent("pi"))
        secret = (await place.enrolment.rotate("pi")).principal.secret
    assert all(secret not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    async with enrolling(tmp_path) as place:
        assert place.keyring.kid(agent("pi")) == 2
        (member,) = (await place.enrolment.ensure([agent("pi")])).principals
        assert (member.kid, member.secret) == (2, secret)


async def test_who_waits_for_a_rotation_is_told_once_the_broker_knows_and_of_nobody_else(place: Place) -> None:
    await place.enrolment.ensure([agent("pi"), client("tv"), client("radio")])
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        waiting = group.create_task(place.enrolment.rotations({"pi": 1, "tv": 1, "nobody": 1}))
        await place.enrolment.rotate("radio")
        await place.enrolment.remove("tv")
        assert not waiting.done()
        secret = (await place.enrolment.rotate("pi")).principal.secret
        (member,) = (await waiting).principals
    assert (member.name, member.kid, member.secret) == ("pi", 2, secret)
    (late,) = (await place.enrolment.rotations({"pi": 1})).principals
    assert late.secret == secret


async def test_a_coordinator_enrols_itself_once_and_nobody_can_list_or_remove_it(tmp_path: Path) -> None:
    secrets: list[bytes] = []
    for _ in range(2):
        async with enrolling(tmp_path) as place:
            assert await place.enrolment.come_into_force() is None
            secrets.append(place.enrolment.own_secret)
            assert place.lets_in(COORDINATOR, secrets[-1])
            assert place.enrolment.listed().principals == ()
            with pytest.raises(EnrolmentRefused):
                await place.enrolment.remove("coordinator")
    assert secrets[0] == secrets[1]


async def test_everyone_is_there_again_after_a_restart_and_the_broker_is_brought_up_to_date(tmp_path: Path) -> None:
    async with enrolling(tmp_path) as place:
        secret = (await place.enrolment.add(agent("pi"))).principal.secret
    place.home.path(CONFIG.broker.passwords).write_text("agents/old:$7$1$x$y\n")
    async with enrolling(tmp_path) as place:
        await place.enrolment.come_into_force()
        assert place.keyring.principals() == {agent("pi"), COORDINATOR}
        assert set(place.logins()) == {"agents/pi", "coordinator"}
        assert place.lets_in(agent("pi"), secret)


async def test_secrets_are_not_on_the_disk_as_they_are(tmp_path: Path) -> None:
    async with enrolling(tmp_path) as place:
        secret = (await place.enrolment.add(agent("pi"))).principal.secret
    for file in tmp_path.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert secret not in content, file
            assert secret.hex().encode() not in content, file
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


async def test_a_home_without_its_key_or_with_another_one_is_refused(tmp_path: Path) -> None:
    async with enrolling(tmp_path) as place:
        await place.enrolment.add(agent("pi"))
    key = place.home.master_key.read_bytes()
    place.home.master_key.unlink()
    with pytest.raises(KeyUnusable, match="missing"):
        async with enrolling(tmp_path):
            pass
    place.home.master_key.touch(0o600)
    place.home.master_key.write_text("00" * 32)
    with pytest.raises(KeyUnusable, match="do not belong together"):
        async with enrolling(tmp_path):
            pass
    place.home.master_key.write_bytes(key)
    async with enrolling(tmp_path) as place:
        assert place.keyring.knows(agent("pi"))


async def test_a_key_without_its_database_is_refused(tmp_path: Path) -> None:
    async with enrolling(tmp_path) as place:
        pass
    place.home.database.unlink()
    with pytest.raises(StoreUnusable, match="gone"):
        async with enrolling(tmp_path):
            pass


async def test_a_password_file_that_cannot_be_written_is_said_and_mended_later(place: Place) -> None:
    passwords = place.home.path(CONFIG.broker.passwords)
    passwords.mkdir(parents=True)
    answer = await place.enrolment.add(agent("pi"))
    assert answer.warning is not None
    assert str(passwords) in answer.warning
    passwords.rmdir()
    assert await place.enrolment.come_into_force() is None
    assert place.lets_in(agent("pi"), answer.principal.secret)


async def test_a_list_says_who_and_since_when_and_no_secret(place: Place) -> None:
    await place.enrolment.ensure([agent("pi"), client("tv")])
    listed = await place.enrolment.carried_out(List())
    assert isinstance(listed, Listed)
    assert [(member.name, member.role) for member in listed.principals] == [("pi", "agent"), ("tv", "client")]
    assert all(member.created_at.endswith("Z") for member in listed.principals)
    assert listed.principals[0].__struct_fields__ == ("name", "role", "created_at")


@pytest.mark.parametrize(
    ("config", "host"),
    [
        (Config(), "127.0.0.1"),
        (Config(listen="10.0.0.7"), "10.0.0.7"),
        (Config(listen="0.0.0.0", public_host="mesh.example"), "mesh.example"),
        (Config(listen="0.0.0.0", broker=BrokerConfig(host="broker.lan")), "broker.lan"),
        (Config(listen="10.0.0.7", broker=BrokerConfig(host="localhost")), "10.0.0.7"),
    ],
)
def test_a_token_names_an_address_that_others_can_reach(config: Config, host: str) -> None:
    assert address_for_others(config) == host


def test_who_listens_everywhere_is_found_at_an_address_of_its_own() -> None:
    assert address_for_others(Config(listen="0.0.0.0")) not in {"", "0.0.0.0"}
