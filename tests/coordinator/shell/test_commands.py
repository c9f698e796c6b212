"""`ffmesh-coordinator principal …` without a coordinator, as a person types it. With one: test_runtime.py."""

import json
import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ffmesh_broker.passwords import is_hash_of
from ffmesh_coordinator.shell.home import SERVICE, Home
from ffmesh_protocol.names import Role
from ffmesh_protocol.tokens import understood


def ran(*arguments: str | Path, home: Path | None = None) -> "subprocess.CompletedProcess[str]":
    said = subprocess.run(
        [sys.executable, "-m", "ffmesh_coordinator", *arguments, *_home(home)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in said.stderr
    return said


def _home(home: Path | None) -> list[str]:
    return ["--home", str(home)] if home else []


def done(*arguments: str, home: Path) -> str:
    said = ran(*arguments, home=home)
    assert (said.returncode, said.stderr) == (0, ""), said
    return said.stdout


def refused(*arguments: str | Path, home: Path | None = None) -> tuple[int, str]:
    said = ran(*arguments, home=home)
    assert said.stdout == ""
    assert said.stderr.count("\n") == 1, "one line"
    assert said.stderr.startswith("ffmesh-coordinator")
    return said.returncode, said.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "a home, größer"
    home.mkdir()
    (home / "coordinator.toml").write_text('cluster = "studio"\npublic_host = "mesh.example"\n')
    return home


def test_add_prints_a_token_and_nothing_else(home: Path) -> None:
    token = understood(done("principal", "add", "pi-1", "--role", "agent", home=home))
    assert (token.cluster, token.role, token.name, token.host, token.port) == (
        "studio",
        Role.AGENTS,
        "pi-1",
        "mesh.example",
        1883,
    )


def test_add_tells_a_person_what_to_run_there(home: Path) -> None:
    ours, theirs = pty.openpty()
    words = ["principal", "add", "pi-1", "--role", "agent", "--home", str(home)]
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        done = subprocess.run(
            [sys.executable, "-m", "ffmesh_coordinator", *words], stdout=subprocess.PIPE, stderr=theirs, check=True
        )
        os.close(theirs)
        said = terminal.read(4096).decode()
    assert understood(done.stdout.decode()).name == "pi-1"
    assert said.startswith("ffmesh-coordinator: on the machine of pi-1: `ffmesh join TOKEN")
    assert "`ffmesh-agent --config" in said


def test_add_of_a_watcher_prints_its_login_as_in_watcher_toml(home: Path) -> None:
    login = tomllib.loads(done("principal", "add", "ha", "--role", "watcher", home=home))
    assert set(login) == {"host", "port", "username", "password", "cluster"}
    (line,) = (home / "broker" / "passwords").read_text().splitlines()
    assert line.startswith("watchers/ha:")
    assert is_hash_of(line.split(":", 1)[1], login["password"])


def test_json_is_one_document(home: Path) -> None:
    added = json.loads(done("principal", "add", "pi-1", "--role", "agent", "--json", home=home))
    assert set(added) == {"name", "role", "token"}
    login = json.loads(done("principal", "--json", "add", "ha", "--role", "controller", home=home))
    assert set(login) == {"name", "role", "host", "port", "username", "password", "cluster"}
    listed = json.loads(done("principal", "list", "--json", home=home))
    assert [(each["name"], each["role"]) for each in listed] == [("pi-1", "agent"), ("ha", "controller")]
    assert all(set(each) == {"name", "role", "created_at"} for each in listed)
    removed = json.loads(done("principal", "remove", "ha", "--json", home=home))
    assert (removed["name"], removed["role"]) == ("ha", "controller")


def test_list_is_a_table(home: Path) -> None:
    assert done("principal", "list", home=home).split() == ["NAME", "ROLE", "SINCE"]
    done("principal", "add", "pi-1", "--role", "agent", home=home)
    heading, row = done("principal", "list", home=home).splitlines()
    assert row.split()[:2] == ["pi-1", "agent"]
    assert heading.index("ROLE") == row.index("agent")


def test_remove_takes_the_login_too(home: Path) -> None:
    done("principal", "add", "pi-1", "--role", "agent", home=home)
    assert done("principal", "remove", "pi-1", home=home) == ""
    assert (home / "broker" / "passwords").read_text() == ""
    code, sentence = refused("principal", "remove", "pi-1", home=home)
    assert code == 1
    assert "nobody is called pi-1" in sentence


def test_rotate_prints_what_add_prints_with_another_secret(home: Path) -> None:
    before = understood(done("principal", "add", "pi-1", "--role", "agent", home=home))
    after = understood(done("principal", "rotate", "pi-1", home=home))
    assert (after.name, after.role, after.host, before.kid, after.kid) == ("pi-1", before.role, before.host, 1, 2)
    assert after.secret != before.secret
    told = json.loads(done("principal", "rotate", "pi-1", "--json", home=home))
    assert (set(told), told["role"], understood(told["token"]).kid) == ({"name", "role", "token"}, "agent", 3)
    login = tomllib.loads(done("principal", "add", "ha", "--role", "watcher", home=home))
    other = tomllib.loads(done("principal", "rotate", "ha", home=home))
    assert (login.pop("password") == other.pop("password"), login) == (False, other)
    code, sentence = refused("principal", "rotate", "nobody", home=home)
    assert code == 1
    assert "nobody is called nobody" in sentence


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["add", "Pi", "--role", "agent"], 2),
        (["add", "coordinator", "--role", "client"], 2),
        (["add", "pi", "--role", "boss"], 2),
        (["add", "pi"], 2),
        (["add", "--role", "agent"], 2),
        (["rename"], 2),
        ([], 2),
        (["list", "--colour"], 2),
        (["remove", "nobody"], 1),
    ],
)
def test_what_cannot_be_done_is_one_line_and_an_exit_code(home: Path, arguments: list[str], code: int) -> None:
    assert refused("principal", *arguments, home=home if arguments else None)[0] == code


def test_a_name_that_is_taken_is_said_with_its_role(home: Path) -> None:
    done("principal", "add", "pi-1", "--role", "agent", home=home)
    code, sentence = refused("principal", "add", "pi-1", "--role", "client", home=home)
    assert code == 1
    assert "is an agent already" in sentence


def test_a_home_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    code, sentence = refused("principal", "list", home=tmp_path / "nowhere")
    assert code == 2
    assert str(tmp_path / "nowhere" / "coordinator.toml") in sentence
    (tmp_path / "coordinator.toml").write_text("cluster = 1")
    assert refused("principal", "list", home=tmp_path)[0] == 2
    assert refused("--config", tmp_path / "coordinator.toml")[0] == 2
    assert refused("--config", tmp_path / "missing.toml")[0] == 2
    assert refused()[0] == 2


def test_a_damaged_database_and_an_open_key_are_said_so(home: Path) -> None:
    done("principal", "add", "pi-1", "--role", "agent", home=home)
    (home / "master.key").chmod(0o644)
    assert "chmod 600" in refused("principal", "list", home=home)[1]
    (home / "master.key").chmod(0o600)
    (home / "coordinator.db").write_bytes(b"x" * 10_000)
    for arguments in (["principal", "list", *_home(home)], ["--config", str(home / "coordinator.toml")]):
        code, sentence = refused(*arguments)
        assert code == 2
        assert "damaged" in sentence


def test_a_coordinator_that_has_the_home_but_no_door_is_waited_for_and_then_said(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ffmesh_coordinator import __main__ as program

    monkeypatch.setattr("ffmesh_coordinator.shell.commands.REQUEST_PATIENCE", 0.1)
    monkeypatch.setattr("sys.argv", ["ffmesh-coordinator", "principal", "list", "--home", str(home)])
    with Home(home).locked(SERVICE), pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 69


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--help"],
            ["--config FILE", "init", "principal", "backup", "restore", "[broker]", "passwords", "keep_finished_days"],
        ),
        (["backup", "--help"], ["FILE", "--force", "--home DIR", "--json", "master.key"]),
        (["restore", "--help"], ["FILE", "--home DIR", "--json", "nothing runs twice"]),
        (["principal", "--help"], ["add", "list", "remove", "rotate"]),
        (["principal", "rotate", "--help"], ["NAME", "--home DIR", "--json", "new secret"]),
        (["principal", "add", "--help"], ["NAME", "--role", "--home DIR", "--json", "join token"]),
        (["init", "--help"], ["--home DIR", "--listen ADDRESS", "--port N", "--advertise HOST", "--json"]),
        (["--version"], ["ffmesh-coordinator 0"]),
    ],
)
def test_help_says_what_there_is(arguments: list[str], words: list[str]) -> None:
    said = ran(*arguments)
    assert said.returncode == 0
    for word in words:
        assert word in said.stdout
