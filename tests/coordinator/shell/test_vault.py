"""Secrets are sealed for one principal, under a key that only its owner can read."""

import os
import stat
from pathlib import Path

import pytest

from ffmesh_coordinator.shell.errors import KeyUnusable
from ffmesh_coordinator.shell.vault import KEY_BYTES, Vault, made_master_key, read_master_key
from ffmesh_protocol.names import agent, client

SECRET = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "master.key"


def test_a_secret_opens_for_its_principal_and_generation_and_for_nobody_else() -> None:
    vault = Vault(bytes(KEY_BYTES))
    box = vault.sealed(agent("pi"), 1, SECRET)
    assert vault.opened(agent("pi"), 1, box) == SECRET
    for principal, kid, moved in [(agent("nas"), 1, box), (client("pi"), 1, box), (agent("pi"), 2, box)]:
        with pytest.raises(KeyUnusable):
            vault.opened(principal, kid, moved)
    for damaged in (box[:-1], b"", box[:10], bytes([box[0] ^ 1]) + box[1:]):
        with pytest.raises(KeyUnusable):
            vault.opened(agent("pi"), 1, damaged)
    with pytest.raises(KeyUnusable):
        Vault(b"\1" * KEY_BYTES).opened(agent("pi"), 1, box)


def test_a_box_shows_nothing_and_is_never_the_same() -> None:
    vault = Vault(bytes(KEY_BYTES))
    boxes = {vault.sealed(agent("pi"), 1, SECRET) for _ in range(10)}
    assert len(boxes) == 10
    assert all(SECRET not in box for box in boxes)


def test_a_key_is_made_for_its_owner_alone_and_read_again(path: Path) -> None:
    key = made_master_key(path)
    assert len(key) == KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_nlink == 1
    assert read_master_key(path) == key
    assert [file.name for file in path.parent.iterdir()] == ["master.key"]


def test_a_key_never_takes_the_place_of_another(path: Path) -> None:
    key = made_master_key(path)
    with pytest.raises(KeyUnusable):
        made_master_key(path)
    assert read_master_key(path) == key


def test_what_a_crash_left_of_a_key_is_no_hindrance(path: Path) -> None:
    path.with_name(".master.key.new").write_text("ab")
    key = made_master_key(path)
    assert read_master_key(path) == key


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o610])
def test_a_key_that_others_can_touch_is_refused(path: Path, mode: int) -> None:
    made_master_key(path)
    path.chmod(mode)
    with pytest.raises(KeyUnusable, match=f"mode {mode:o}.*chmod 600"):
        read_master_key(path)


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "no key", "é" * 64, "\0" * 65, "ab" * 10_000])
def test_a_damaged_key_is_refused(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(KeyUnusable, match="damaged"):
        read_master_key(path)


def test_a_missing_key_is_refused(path: Path) -> None:
    with pytest.raises(KeyUnusable, match=r"missing.*backup"):
        read_master_key(path)


def test_a_key_that_is_no_plain_file_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(KeyUnusable):
        read_master_key(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_key_of_somebody_else_is_refused(path: Path) -> None:
    made_master_key(path)
    path.chmod(0)
    with pytest.raises(KeyUnusable, match="Permission denied"):
        read_master_key(path)
