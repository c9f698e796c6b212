import base64
from pathlib import Path

import pytest
import tomli_w

from ffmesh_agent.config import loaded
from ffmesh_agent.manners.minds import Manners, Power, Temperature
from ffmesh_protocol.errors import BadConfig
from ffmesh_protocol.messages.manners import Manner

SLOW = Manner.SLOW
SECRET = base64.b64encode(bytes(range(32))).decode()


def _file(folder: Path, **changed: object) -> Path:
    table = {"cluster": "home", "name": "pi-1", "secret": SECRET, "broker": {"host": "::1", "port": 1883}} | changed
    file = folder / "agent.toml"
    file.write_text(tomli_w.dumps({key: value for key, value in table.items() if value is not None}))
    return file


def test_what_is_left_out_has_a_sensible_value(tmp_path: Path) -> None:
    config = loaded(_file(tmp_path))
    assert config.secret == bytes(range(32))
    assert (config.kid, config.roots, config.slots) == (1, {}, {"cpu": 1})
    assert config.programs == {"ffmpeg": "", "ffprobe": ""}
    assert config.principal.login == "agents/pi-1"


def test_everything_said_is_taken(tmp_path: Path) -> None:
    config = loaded(
        _file(tmp_path, kid=2, roots={"Movies": "/m ü"}, programs={"true": "/bin/true"}, slots={"cpu": 4, "gpu": 1})
    )
    assert (config.kid, config.roots, config.programs) == (2, {"Movies": "/m ü"}, {"true": "/bin/true"})
    assert config.slots == {"cpu": 4, "gpu": 1}


def test_manners_are_taken_and_what_each_leaves_out_is_sensible(tmp_path: Path) -> None:
    said = {"slow_cpus": 1, "power": {}, "temperature": {"above": 75.5, "then": "slow", "unknown": "ignore"}}
    manners = loaded(_file(tmp_path, manners=said)).manners
    assert manners == Manners(
        slow_cpus=1, power=Power(), temperature=Temperature(above=75.5, then=SLOW, unknown="ignore")
    )
    assert (manners.inhibit_sleep, manners.minded["power"].then) == (True, Manner.PAUSE)


def test_the_secret_is_not_shown(tmp_path: Path) -> None:
    assert repr(loaded(_file(tmp_path))) == "AgentConfig(home/pi-1)"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"name": None}, "missing required field `name`"),
        ({"naem": "x"}, "unknown field `naem`"),
        ({"broker": {"host": "x", "port": "1883"}}, "broker.port: Expected `int`, got `str`"),
        ({"broker": {"host": "x", "port": 0}}, "broker.port: "),
        ({"broker": {"host": "x", "port": 1, "tls": True}}, "broker: .*unknown field `tls`"),
        ({"secret": "AAAA"}, "secret: 3 bytes instead of 32"),
        ({"secret": "no base64!"}, "secret: Invalid base64"),
        ({"kid": 0}, "kid: "),
        ({"name": "Pi-1"}, "only lower case; “pi-1” would do"),
        ({"cluster": "coordinator"}, "reserved"),
        ({"roots": {"My Movies": "/m"}}, "cannot name a root"),
        ({"roots": {"Movies": "media"}}, "roots.Movies: “media” is not absolute"),
        ({"roots": {"A": {"path": "/a", "needs": ["B"]}}}, "roots.A.needs: there is no root B"),
        (
            {"roots": {"A": {"path": "/a", "needs": ["B"]}, "B": {"path": "/b", "needs": ["A"]}}},
            "roots.A.needs: A needs B needs A, so that none of them would ever be there",
        ),
        ({"roots": {"A": {"path": "/a", "sentinel": "../x"}}}, "roots.A.sentinel: “../x” is not below the root"),
        ({"roots": {"A": {"path": "/a", "recover": [""]}}}, "roots.A: a path that cannot be"),
        ({"programs": {"bin/sh": ""}}, "“bin/sh” cannot name a program"),
        ({"programs": {"sh": "bin/sh"}}, "programs.sh: “bin/sh” is not absolute"),
        ({"slots": {"cpu": -1}}, "slots"),
        ({"fence": "sometimes"}, "fence: .*say one of on, required, landlock, bubblewrap, off"),
        ({"manners": {"heat": {}}}, "manners: .*unknown field `heat`"),
        ({"manners": {"slow_cpus": 0}}, "manners.slow_cpus: "),
        ({"manners": {"power": {"then": "halt"}}}, "manners.power.then: .*say one of slow, drain, pause, stop"),
        ({"manners": {"power": {"unknown": "x"}}}, "manners.power.unknown: .*say one of ignore, slow, drain, pause"),
        ({"manners": {"input": {"idle": 10}}}, "manners.input.idle: .*write a number and s, min or h, as in 10 min"),
        ({"manners": {"power": {"ends_after": "1 day"}}}, "manners.power.ends_after: .*write a number and s, min or h"),
        ({"manners": {"temperature": {"above": "80 °C"}}}, "manners.temperature.above: Expected `float`, got `str`"),
        ({"manners": {"temperature": {"file": "temp"}}}, "manners.temperature.file: “temp” is not absolute"),
        ({"manners": {"power": {"every": "0 s"}}}, "manners.power.every: “0 s” is too often; 0.1 s is the least"),
        ({"manners": {"hours": {}}}, "manners.hours: say which, as in only = "),
        ({"manners": {"hours": {"only": ["Mo-Fi"]}}}, "manners.hours.only: “Fi” is no day; write one of Mo, Tu"),
        ({"manners": {"programs": {}}}, "manners.programs: say which, as in names = "),
        ({"manners": {"programs": {"names": ["/usr/bin/obs"]}}}, "manners.programs.names: “/usr/bin/obs” is a path"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_file_and_the_key(
    changed: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    file = _file(tmp_path, **changed)
    with pytest.raises(BadConfig, match=sentence) as caught:
        loaded(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_unreadable_or_no_toml_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"there is no file .*none\.toml; `ffmesh join"):
        loaded(tmp_path / "none.toml")
    with pytest.raises(BadConfig, match="cannot be read"):
        loaded(tmp_path)
    (tmp_path / "bad.toml").write_bytes(b"\xff = ")
    with pytest.raises(BadConfig, match="is no TOML"):
        loaded(tmp_path / "bad.toml")
    (tmp_path / "bad.toml").write_text("name = \n")
    with pytest.raises(BadConfig, match=r"is no TOML: .*line 1"):
        loaded(tmp_path / "bad.toml")


@pytest.mark.parametrize(
    ("file", "said", "runs"),
    [
        ({}, {}, True),
        ({"trials": {"run": False}}, {}, False),
        ({}, {"FFMESH_TRIALS": "off"}, False),
        ({"trials": {"run": False}}, {"FFMESH_TRIALS": "on"}, True),
        ({"trials": {"run": False}}, {"FFMESH_TRIALS": ""}, False),
    ],
)
def test_trials_are_switched_by_the_file_and_before_it_by_the_environment(
    file: dict[str, object], said: dict[str, str], runs: bool, tmp_path: Path
) -> None:
    assert loaded(_file(tmp_path, **file), said).trials.run is runs


def test_an_environment_that_says_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="FFMESH_TRIALS=no in the environment says nothing; say on or off"):
        loaded(_file(tmp_path), {"FFMESH_TRIALS": "no"})


def test_the_environment_goes_before_the_file_key_by_key(tmp_path: Path) -> None:
    file = _file(tmp_path, slots={"cpu": 4, "gpu": 1}, roots={"Movies": "/m"})
    said = {
        "FFMESH_AGENT__name": "pi-2",
        "FFMESH_AGENT__slots__cpu": "2",
        "FFMESH_AGENT__roots__Music": "/mu sic",
        "FFMESH_AGENT__network": '["ffmpeg"]',
        "FFMESH_AGENT__manners__temperature__above": "75.5",
        "FFMESH_AGENT__broker__host": "10.0.0.1",
        "OTHER": "x",
    }
    config = loaded(file, said)
    assert (config.name, config.broker.host, config.network) == ("pi-2", "10.0.0.1", ("ffmpeg",))
    assert config.slots == {"cpu": 2, "gpu": 1}
    assert config.root_paths == {"Movies": "/m", "Music": "/mu sic"}
    assert config.manners.temperature == Temperature(above=75.5)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("slots__cpu", "many", "slots"),
        ("solts__cpu", "2", "solts"),
        ("roots__Movies__read_only", "true", "path"),
        ("weight", "1\nname = 2", "weight"),
    ],
)
def test_what_the_environment_says_wrong_is_an_error_that_names_it(
    name: str, value: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(BadConfig, match=f"FFMESH_AGENT__{name} in the environment: .*{why}"):
        loaded(_file(tmp_path, roots={"Movies": "/m"}), {f"FFMESH_AGENT__{name}": value})
