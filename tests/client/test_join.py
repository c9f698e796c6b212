"""`ffmesh join`: from a token to a machine that takes part."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ffmesh_protocol.names import Role
from ffmesh_protocol.tokens import JoinToken, spoken
from support.mesh import mesh_up, wait_until

WITH_AGENT_ALONE = """
import sys
sys.modules["rich"] = sys.modules["aiosqlite"] = None
from ffmesh_client.command_line import main
sys.exit(main(sys.argv[1:]))
"""
"""As if no other extra were installed."""


def token(name: str = "pi-1", role: Role = Role.AGENTS, *, secret: bytes = bytes(32), host: str = "10.0.0.1") -> str:
    return spoken(JoinToken(cluster="home", role=role, name=name, secret=secret, host=host, port=1883))


def join(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {name: str(home) for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME")}
    return subprocess.run(
        [sys.executable, "-c", WITH_AGENT_ALONE, "join", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def table(file: Path) -> dict[str, object]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def test_an_agents_token_becomes_an_agents_file_for_its_owner_alone(tmp_path: Path) -> None:
    done = join(tmp_path, token(), "--home", str(tmp_path / "new"), "--root", f"Films={tmp_path}", "--program", "true")
    file = tmp_path / "new" / "agent.toml"
    assert (done.returncode, done.stderr) == (0, "")
    assert f"ffmesh-agent --config {file}" in done.stdout
    assert table(file) == {
        "cluster": "home",
        "name": "pi-1",
        "secret": "A" * 43 + "=",
        "kid": 1,
        "broker": {"host": "10.0.0.1", "port": 1883},
        "roots": {"Films": str(tmp_path)},
        "programs": {"ffmpeg": "", "ffprobe": "", "true": ""},
    }
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent)] == [0o600, 0o700]


def test_a_clients_token_goes_where_every_command_looks(tmp_path: Path) -> None:
    done = join(tmp_path, token("tv", Role.CLIENTS), "--json")
    file = tmp_path / "ffmesh" / "client.toml"
    assert json.loads(done.stdout) == {"config": str(file), "role": "client", "name": "tv"}
    assert table(file)["name"] == "tv"
    assert "programs" not in table(file)


def test_to_join_again_keeps_the_roots_and_programs_that_are_not_said_anew(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    home = str(tmp_path)
    said = ("--root", f"Films={tmp_path}", "--root", f"Series={tmp_path}", "--program", "true")
    join(tmp_path, token(), "--home", home, *said)
    done = join(tmp_path, token(secret=bytes([1] * 32)), "--home", home, "--root", f"Series={other}")
    after = table(tmp_path / "agent.toml")
    assert done.returncode == 0
    assert after["roots"] == {"Films": str(tmp_path), "Series": str(other)}
    assert after["programs"] == {"ffmpeg": "", "ffprobe": "", "true": ""}
    assert after["secret"] != "A" * 43 + "="


def test_what_a_person_has_written_into_the_file_stays(tmp_path: Path) -> None:
    join(tmp_path, token(), "--home", str(tmp_path))
    file = tmp_path / "agent.toml"
    file.write_text(f"{file.read_text(encoding='utf-8')}\n[slots]\ncpu = 4\n", encoding="utf-8")
    join(tmp_path, token(), "--home", str(tmp_path))
    assert table(file)["slots"] == {"cpu": 4}


def test_the_table_of_a_root_stays_until_it_gets_another_path(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    home, files = str(tmp_path), ("--root", f"Films={tmp_path}")
    join(tmp_path, token(), "--home", home, *files, "--root", f"Series={tmp_path}")
    file = tmp_path / "agent.toml"
    said = {"path": str(tmp_path), "mount_point": True}
    written = file.read_text(encoding="utf-8").replace("[roots]", 'fence = "required"\n\n[roots]')
    for name in ("Films", "Series"):
        written = written.replace(f'{name} = "{tmp_path}"', f'{name} = {{ path = "{tmp_path}", mount_point = true }}')
    file.write_text(written, encoding="utf-8")
    join(tmp_path, token(), "--home", home, *files, "--root", f"Series={other}")
    assert table(file)["roots"] == {"Films": said, "Series": str(other)}


@pytest.mark.parametrize("other", [token("pi-2"), token().replace("ffmesh1.", "ffmesh2."), "nonsense", token()[:-9]])
def test_another_principals_file_and_a_bad_token_change_nothing(tmp_path: Path, other: str) -> None:
    join(tmp_path, token(), "--home", str(tmp_path))
    before = (tmp_path / "agent.toml").read_bytes()
    done = join(tmp_path, other, "--home", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "agent.toml").read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        ("--root", "Films"),
        ("--root", "Films=/there/is/no/such/folder"),
        ("--root", "pi-1:Films=/"),
        ("--program", "x264=/there/is/no/x264"),
    ],
)
def test_roots_and_programs_that_cannot_be_are_refused_before_anything_is_written(
    tmp_path: Path, words: tuple[str, str]
) -> None:
    done = join(tmp_path, token(), "--home", str(tmp_path), *words)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert not (tmp_path / "agent.toml").exists()


def test_a_client_has_no_programs(tmp_path: Path) -> None:
    done = join(tmp_path, token("tv", Role.CLIENTS), "--program", "true")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_a_token_that_is_good_on_the_brokers_machine_only_says_so(tmp_path: Path) -> None:
    done = join(tmp_path, token(host="127.0.0.1"), "--home", str(tmp_path))
    assert done.returncode == 0
    assert "--listen" in done.stderr


def test_who_has_joined_does_the_work_and_may_ask_for_it(tmp_path: Path) -> None:
    with mesh_up(tmp_path / "home") as mesh:
        for name, role in (("pi-1", "agent"), ("tv", "client")):
            added = mesh.ffmesh("principal", "add", name, "--role", role, "--home", mesh.home)
            assert mesh.ffmesh("join", added.stdout, "--home", tmp_path / name).returncode == 0
        agent = subprocess.Popen(
            [sys.executable, "-m", "ffmesh_agent", "--config", tmp_path / "pi-1" / "agent.toml"],
            stderr=subprocess.DEVNULL,
        )
        try:
            client = ("--config", tmp_path / "tv" / "client.toml")

            def offers_ffmpeg() -> bool:
                done = mesh.ffmesh(*client, "agent", "pi-1", "--json")
                return done.returncode == 0 and "ffmpeg" in json.loads(done.stdout)["programs"]

            wait_until(offers_ffmpeg, "pi-1 is never online", 30)
            assert shutil.which("ffmpeg")
            done = mesh.ffmesh(*client, "run", "--on", "pi-1", "--", "ffmpeg", "-version")
            assert done.stdout.startswith("ffmpeg version")
        finally:
            agent.send_signal(signal.SIGTERM)
            agent.wait(20)
