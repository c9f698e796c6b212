"""What may stand in `coordinator.toml`, and what is said of the rest."""

from pathlib import Path

import pytest

from ffmesh_coordinator.config import Config, default_home, load
from ffmesh_protocol.errors import BadConfig


def written(tmp_path: Path, text: str | bytes) -> Path:
    file = tmp_path / "coordinator.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_every_key_may_be_left_out(tmp_path: Path) -> None:
    assert load(written(tmp_path, "")) == Config()
    assert load(written(tmp_path, "[broker]")) == Config()


def test_every_key_may_be_said(tmp_path: Path) -> None:
    config = load(
        written(
            tmp_path,
            """
            cluster = "studio"
            public_details = true
            listen = "0.0.0.0"
            public_host = "mesh.example"
            keep_finished_days = 7
            keep_finished_jobs = 0
            [broker]
            host = "10.0.0.2"
            port = 8883
            passwords = "/etc/mosquitto/passwords"
            pid_file = "/run/mosquitto.pid"
            """,
        )
    )
    assert (config.cluster, config.public_details, config.listen) == ("studio", True, "0.0.0.0")
    assert (config.public_host, config.broker.host, config.broker.port) == ("mesh.example", "10.0.0.2", 8883)
    assert (config.keep_finished_days, config.keep_finished_jobs) == (7, 0)
    assert (config.broker.passwords, config.broker.pid_file) == ("/etc/mosquitto/passwords", "/run/mosquitto.pid")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cluster = 5", ["cluster", "expected str, got int"]),
        ('cluster = "Home"', ["cluster", "lower case"]),
        ('cluster = "a b"', ["cluster", "cannot name"]),
        ('colour = "red"', ["no key colour", "cluster", "public_details", "broker"]),
        ("[broker]\nprot = 1", ["no key broker.prot", "host", "port", "passwords", "pid_file"]),
        ('[broker]\nport = "1883"', ["broker.port", "expected int, got str"]),
        ("[broker]\nport = 0", ["broker.port", ">= 1"]),
        ("[broker]\nport = 65536", ["broker.port", "<= 65535"]),
        ('[broker]\nhost = ""', ["broker.host"]),
        ("broker = 7", ["broker", "got int"]),
        ("public_details = 1", ["public_details", "expected bool"]),
        ("keep_finished_days = -1", ["keep_finished_days", ">= 0"]),
        ("keep_finished_days = nan", ["keep_finished_days"]),
        ("keep_finished_jobs = 1.5", ["keep_finished_jobs", "expected int"]),
        ("cluster = red\n", ["not TOML", "line 1"]),
        (b"cluster = '\xff'", ["UTF-8"]),
    ],
)
def test_a_mistake_is_named_with_file_and_key(tmp_path: Path, text: str | bytes, words: list[str]) -> None:
    file = written(tmp_path, text)
    with pytest.raises(BadConfig) as caught:
        load(file)
    sentence = str(caught.value)
    assert sentence.startswith(str(file))
    assert "\n" not in sentence
    for word in words:
        assert word in sentence


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"does not exist.*ffmesh up"):
        load(tmp_path / "coordinator.toml")
    with pytest.raises(BadConfig, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("environment", "user", "home"),
    [
        ({"XDG_STATE_HOME": "/x/state", "HOME": "/home/me"}, 1000, "/x/state/ffmesh"),
        ({"XDG_STATE_HOME": "", "HOME": "/home/me"}, 1000, "/home/me/.local/state/ffmesh"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/home/me"}, 1000, "/home/me/.local/state/ffmesh"),
        ({"XDG_STATE_HOME": "/x/state", "HOME": "/root"}, 0, "/var/lib/ffmesh"),
    ],
)
def test_the_home_when_nobody_says(environment: dict[str, str], user: int, home: str) -> None:
    assert default_home(environment, user) == Path(home)
