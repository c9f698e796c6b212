"""client.toml: where it is looked for, and what must stand in it."""

import base64
from pathlib import Path

import pytest

from ffmesh_client.config import ClientConfig, found, load
from ffmesh_protocol.errors import BadConfig

SECRET = bytes(range(32))
WORDS = f"""\
cluster = "home"
name = "laptop"
secret = "{base64.b64encode(SECRET).decode()}"

[broker]
host = "127.0.0.1"
port = 1884

[roots]
Movies = "/media/movies"
"""


def written(path: Path, text: str = WORDS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_option_comes_before_the_variable_and_that_before_the_folders(tmp_path: Path) -> None:
    for_all = written(tmp_path / "etc" / "client.toml")
    in_home = written(tmp_path / ".config" / "ffmesh" / "client.toml")
    in_folder = written(tmp_path / "xdg" / "ffmesh" / "client.toml")
    folder = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    variable = {"FFMESH_CONFIG": "/by/variable"}
    assert found("/by/option", variable | folder, tmp_path, for_all) == Path("/by/option")
    assert found(None, variable | folder, tmp_path, for_all) == Path("/by/variable")
    assert found(None, folder, tmp_path, for_all) == in_folder
    assert found(None, {}, tmp_path, for_all) == in_home
    in_home.unlink()
    assert found(None, {}, tmp_path, for_all) == for_all


def test_a_configuration_folder_that_is_not_absolute_is_ignored(tmp_path: Path) -> None:
    in_home = written(tmp_path / ".config" / "ffmesh" / "client.toml")
    assert found(None, {"XDG_CONFIG_HOME": "relative"}, tmp_path, tmp_path / "none") == in_home


def test_where_there_is_none_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"ffmesh up.*ffmesh join TOKEN"):
        found(None, {}, tmp_path, tmp_path / "none")


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    config = load(written(tmp_path / "client.toml"))
    assert (config.cluster, config.name, config.secret, config.kid) == ("home", "laptop", SECRET, 1)
    assert (config.broker.host, config.broker.port) == ("127.0.0.1", 1884)
    assert config.roots == {"Movies": "/media/movies"}
    assert config.principal.login == "clients/laptop"


def test_the_secret_does_not_show(tmp_path: Path) -> None:
    config = load(written(tmp_path / "client.toml"))
    assert base64.b64encode(SECRET).decode() not in repr(config)
    assert repr(SECRET) not in repr(config)


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('name = "laptop"', "", "name"),
        ('name = "laptop"', 'name = "a/b"', "a/b"),
        ('name = "laptop"', 'name = "coordinator"', "reserved"),
        ('cluster = "home"', 'cluster = "Home"', "lower case"),
        ("port = 1884", "port = 70000", "port"),
        ("port = 1884", 'port = "1884"', "port"),
        ('host = "127.0.0.1"', "", "host"),
        ("secret = ", "secret = 3 #", "secret"),
        ("secret = ", 'secret = "AAAA" #', "secret"),
        ('Movies = "/media/movies"', 'Movies = "media"', "absolute"),
        ('Movies = "/media/movies"', '"a b" = "/media"', "a b"),
        ('cluster = "home"', 'cluster = "home"\ncolour = "red"', "colour"),
        ('cluster = "home"', "cluster = home", "line 1"),
    ],
)
def test_a_mistake_is_named_with_the_file_in_one_line(tmp_path: Path, old: str, new: str, word: str) -> None:
    path = written(tmp_path / "client.toml", WORDS.replace(old, new))
    with pytest.raises(BadConfig) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="does not exist"):
        load(tmp_path / "client.toml")
    with pytest.raises(BadConfig, match="cannot be read"):
        load(tmp_path)
    (tmp_path / "client.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(BadConfig, match="UTF-8"):
        load(tmp_path / "client.toml")


def test_a_configuration_is_a_value() -> None:
    assert ClientConfig.__struct_config__.frozen
