import os
import stat
import subprocess
from pathlib import Path

import pytest

from broker.peer import connected, dialling
from ffmesh_broker.errors import BrokerFailed
from ffmesh_broker.passwords import hashed_password, is_hash_of, remove_login, replace_all, set_login
from ffmesh_protocol.errors import BadName
from support.broker import private_broker

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    return tmp_path / "passwords"


def lines(path: Path) -> dict[str, str]:
    return dict(line.split(":") for line in path.read_text(encoding="utf-8").splitlines())


def test_a_new_file_is_for_its_owner_alone(passwords: Path) -> None:
    assert set_login(passwords, "agents/pi-1", "secret")
    assert stat.S_IMODE(passwords.stat().st_mode) == 0o600
    assert passwords.stat().st_uid == passwords.parent.stat().st_uid


def test_we_accept_what_mosquitto_passwd_hashes(passwords: Path) -> None:
    passwords.touch(0o600)
    subprocess.run(["mosquitto_passwd", "-b", passwords, "agents/pi-1", "secret"], check=True)
    theirs = lines(passwords)["agents/pi-1"]
    assert is_hash_of(theirs, "secret")
    assert not is_hash_of(theirs, "Secret")
    assert not set_login(passwords, "agents/pi-1", "secret")


def test_a_login_that_is_unchanged_keeps_its_line_and_the_file_is_not_touched(passwords: Path) -> None:
    replace_all(passwords, {"agents/pi-1": "one", "clients/tv": "two"})
    before, number = passwords.read_bytes(), passwords.stat().st_ino
    assert not replace_all(passwords, {"clients/tv": "two", "agents/pi-1": "one"})
    assert not set_login(passwords, "clients/tv", "two")
    assert not remove_login(passwords, "clients/web")
    assert (passwords.read_bytes(), passwords.stat().st_ino) == (before, number)
    assert set_login(passwords, "clients/tv", "three")
    assert passwords.read_bytes().splitlines()[0] == before.splitlines()[0]


def test_the_logins_are_those_that_were_set_and_not_removed(passwords: Path) -> None:
    set_login(passwords, "coordinator", "one")
    set_login(passwords, "agents/pi-1", "two")
    set_login(passwords, "agents/pi-2", "three")
    assert remove_login(passwords, "agents/pi-1")
    assert set_login(passwords, "agents/pi-2", "four")
    assert {
        login: is_hash_of(hashed, {"coordinator": "one", "agents/pi-2": "four"}[login])
        for login, hashed in lines(passwords).items()
    } == {"coordinator": True, "agents/pi-2": True}
    assert replace_all(passwords, {"clients/tv": "five"})
    assert list(lines(passwords)) == ["clients/tv"]
    assert replace_all(passwords, {})
    assert passwords.read_bytes() == b""


def test_an_empty_file_is_made_where_there_is_none(passwords: Path) -> None:
    assert replace_all(passwords, {})
    assert passwords.read_bytes() == b""


def test_no_two_hashes_are_alike() -> None:
    assert hashed_password("secret") != hashed_password("secret")


@pytest.mark.parametrize(
    "hashed",
    [
        "",
        "secret",
        "$6$c2FsdA==$aGFzaA==",
        "$7$0$c2FsdA==$aGFzaA==",
        "$7$x$c2FsdA==$aGFzaA==",
        "$7$1$c$aGFzaA==",
        "$7$1$c2FsdA==$",
    ],
)
def test_what_is_no_hash_of_ours_fits_no_password(hashed: str) -> None:
    assert not is_hash_of(hashed, "secret")
    assert not is_hash_of(hashed, "")


@pytest.mark.parametrize(
    "login",
    [
        "",
        "agents",
        "agents/",
        "agents/pi/status",
        "agents//pi",
        "agents/a b",
        "agents/ä",
        "agents/+",
        "agents/#",
        "agents/%u",
        "agents/..",
        "agents/a:b",
        "agents/a\nclients/b",
        "agents/pi\n",
        "agents/Pi",
        "agents/to",
        "agents/coordinator",
        "agents/" + "x" * 64,
        "coordinator/x",
        "Coordinator",
        "strangers/x",
        "pi-1",
        "/pi-1",
        "$SYS/x",
        "#",
    ],
)
def test_a_login_that_is_not_a_role_and_a_name_does_not_get_into_the_file(passwords: Path, login: str) -> None:
    set_login(passwords, "agents/pi-1", "secret")
    before = passwords.read_bytes()
    with pytest.raises(BadName):
        set_login(passwords, login, "secret")
    with pytest.raises(BadName):
        replace_all(passwords, {"agents/pi-2": "secret", login: "secret"})
    assert passwords.read_bytes() == before


@as_root
def test_owner_and_mode_stay_when_root_rewrites_the_file(passwords: Path) -> None:
    set_login(passwords, "agents/pi-1", "secret")
    os.chown(passwords, NOBODY, NOBODY)
    passwords.chmod(0o640)
    assert set_login(passwords, "agents/pi-2", "secret")
    there = passwords.stat()
    assert (there.st_uid, there.st_gid, stat.S_IMODE(there.st_mode)) == (NOBODY, NOBODY, 0o640)


@as_root
def test_a_file_that_root_makes_belongs_to_the_owner_of_its_folder(passwords: Path) -> None:
    os.chown(passwords.parent, NOBODY, NOBODY)
    set_login(passwords, "agents/pi-1", "secret")
    there = passwords.stat()
    assert (there.st_uid, there.st_gid, stat.S_IMODE(there.st_mode)) == (NOBODY, NOBODY, 0o600)


def test_a_link_in_place_of_the_file_is_refused(passwords: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("", encoding="utf-8")
    passwords.symlink_to(elsewhere)
    with pytest.raises(BrokerFailed, match="not a plain file"):
        set_login(passwords, "agents/pi-1", "secret")
    assert elsewhere.read_bytes() == b""


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(passwords: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_login(passwords, "agents/pi-1", "secret")
    before = passwords.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(BrokerFailed, match="No space left on device"):
        set_login(passwords, "agents/pi-2", "secret")
    assert passwords.read_bytes() == before
    assert list(passwords.parent.iterdir()) == [passwords]


async def test_a_login_that_is_removed_while_connected_is_thrown_off_and_nobody_else(tmp_path: Path) -> None:
    logins = {"agents/pi-1": "one", "agents/pi-2": "two", "clients/tv": "three"}
    async with private_broker(tmp_path, logins=logins) as broker:
        with (
            connected(broker.port, "agents/pi-1", "one") as removed,
            connected(broker.port, "agents/pi-1", "one") as removed_too,
            connected(broker.port, "agents/pi-2", "two") as other,
            connected(broker.port, "clients/tv", "three") as client,
        ):
            remove_login(broker.folder.passwords, "agents/pi-1")
            await broker.reload()
            removed.wait_until_disconnected()
            removed_too.wait_until_disconnected()
            assert other.may_publish("ffmesh/home/agents/pi-2/status")
            assert client.may_publish("ffmesh/home/clients/tv/status/life")
            assert other.is_connected
            assert client.is_connected
        with dialling(broker.port, "agents/pi-1", "one") as removed:
            assert removed.connack()[0] == 135


async def test_a_changed_password_throws_off_who_came_with_the_old_one(tmp_path: Path) -> None:
    async with private_broker(tmp_path, logins={"agents/pi-1": "one", "agents/pi-2": "two"}) as broker:
        with connected(broker.port, "agents/pi-1", "one") as old, connected(broker.port, "agents/pi-2", "two") as other:
            set_login(broker.folder.passwords, "agents/pi-1", "new")
            await broker.reload()
            old.wait_until_disconnected()
            assert other.may_publish("ffmesh/home/agents/pi-2/status")
            assert other.is_connected
        with connected(broker.port, "agents/pi-1", "new"):
            pass


async def test_a_login_that_is_added_may_connect_at_once(tmp_path: Path) -> None:
    async with private_broker(tmp_path, logins={"agents/pi-1": "one"}) as broker:
        with connected(broker.port, "agents/pi-1", "one") as witness:
            set_login(broker.folder.passwords, "agents/pi-2", "a pässword: with $7$ in it")
            await broker.reload()
            with connected(broker.port, "agents/pi-2", "a pässword: with $7$ in it"):
                assert witness.is_connected
