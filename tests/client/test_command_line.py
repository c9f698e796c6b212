"""What `ffmesh` makes of its command line, without a mesh."""

import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from ffmesh_client.command_line import COMMANDS, EXIT_CODES, main

OURS = (
    *("run", "submit", "jobs", "job", "wait", "cancel", "retry", "logs", "agents", "agent", "drain", "resume"),
    *("pause", "stop", "top"),
)
CONFIG = """\
name = "me"
secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
broker = {host = "127.0.0.1", port = 1}
"""


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever this machine has of its own."""
    monkeypatch.setenv("FFMESH_CONFIG", str(tmp_path / "none.toml"))


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    try:
        code = main(words)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    out, err = capsys.readouterr()
    return code, out, err


def test_help_names_every_command_and_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "--help")
    assert (code, err) == (0, "")
    assert EXIT_CODES in out
    for name, row in COMMANDS.items():
        assert f"    {name}" in out
        assert row.summary in out


@pytest.mark.parametrize("name", OURS)
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, name, "--help")
    assert (code, err) == (0, "")
    assert f"    ffmesh {name}" in out


@pytest.mark.parametrize("name", OURS)
def test_the_lines_of_help_fit_a_terminal(name: str) -> None:
    text: str = import_module(COMMANDS[name].module).HELP
    assert max(len(line) for line in text.splitlines()) <= 110


@pytest.mark.parametrize("name", ["shim", "nonsense"])
def test_a_command_that_is_not_there_is_wrong_usage(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, name)
    assert (code, out) == (2, "")
    assert name in err


def one_line(text: str) -> bool:
    return text.endswith("\n") and text.count("\n") == 1 and text.startswith("ffmesh: ")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--nonsense",),
        ("jobs", "--nonsense"),
        ("jobs", "--state", "sleeping"),
        ("jobs", "--limit", "0"),
        ("jobs", "--label", "title"),
        ("jobs", "--", "true"),
        ("run",),
        ("run", "--"),
        ("run", "true"),
        ("run", "--on", "PI", "--", "true"),
        ("run", "--need", "encoder", "--", "true"),
        ("run", "--timeout", "0", "--", "true"),
        ("run", "--timeout", "nan", "--", "true"),
        ("run", "--priority", "high", "--", "true"),
        ("run", "--priority", "99999999", "--", "true"),
        ("run", "--staged", "--", "true"),
        ("run", "--output", "out.mkv", "--", "true"),
        ("submit", "--output", "out.mkv", "--", "true"),
        ("submit", "--max-attempts", "0", "--", "true"),
        ("submit", "--max-attempts", "101", "--", "true"),
        ("submit", "--max-attempts", "many", "--", "true"),
        ("submit", "--need", "slot=a b", "--", "true"),
        ("submit", "--need", "slot=", "--", "true"),
        ("logs", "-f"),
        ("job",),
        ("wait",),
        ("retry",),
        ("agent",),
        ("jobs", "--config"),
        ("jobs", "--config", ""),
        ("--config=", "run", "--", "true"),
        ("--config", "", "doctor"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, *words)
    assert (code, out) == (2, "")
    assert one_line(err)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("run", "--need", "encoder=\udcff", "--", "true"), "no UTF-8"),
        (("run", "--need", "encoder=" + "x" * 256, "--", "true"), "at most 256"),
        (("submit", "--label", "title=\udcff", "--", "true"), "no UTF-8"),
        (("jobs", "--label", "title=\udcff"), "no UTF-8"),
    ],
)
def test_a_word_that_no_message_can_hold_is_refused_in_words_about_it(
    words: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(capsys, *words)
    assert (code, out) == (2, "")
    assert one_line(err)
    assert why in err


@pytest.mark.parametrize(
    "words",
    [
        ("--config", "{}", "jobs"),
        ("jobs", "--config", "{}"),
        ("jobs", "--config={}", "--json"),
        ("--config={}", "--json", "jobs"),
        ("--json", "run", "--config", "{}", "--", "true"),
        ("submit", "--config", "{}", "--label", "a=b", "--", "ffmpeg", "--config", "other"),
        ("--config", "{}", "wait", "01J0000000000000000000000J"),
    ],
)
def test_config_and_json_stand_anywhere_before_the_program(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "mine.toml")
    code, out, err = said(capsys, *(word.format(path) for word in words))
    assert (code, out) == (2, "")
    assert path in err
    assert one_line(err)


def test_an_id_that_cannot_be_one_is_unknown_and_needs_no_broker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "client.toml"
    written.write_text(CONFIG, encoding="utf-8")
    for words in (
        *(("job", "x"), ("cancel", "x"), ("retry", "x"), ("logs", "x\ny"), ("wait", "x")),
        *(("submit", "--after", "x", "--", "true"), ("agent", "a/b"), ("drain", "")),
    ):
        code, out, err = said(capsys, "--config", str(written), *words)
        assert (code, out) == (1, ""), words
        assert one_line(err), words


def test_a_root_in_two_places_is_wrong_usage_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "client.toml"
    written.write_text(CONFIG, encoding="utf-8")
    for command in ("run", "submit"):
        options = ("--config", str(written), "--root", f"X={tmp_path}", "--root", "X=/")
        code, out, err = said(capsys, command, *options, "--", "true")
        assert (code, out, one_line(err)) == (2, "", True)
        assert f"--root X is said twice, at {tmp_path} and at /;" in err


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("run", "--staged", "--", "true", "a"), 2, "ffmesh submit --staged"),
        (("submit", "--output", "a", "--", "true", "a"), 2, "--staged"),
        (("submit", "--staged", "--", "ffmpeg", "-f", "null", "-"), 2, "--output"),
        (("submit", "--staged", "--output", "/etc/passwd", "--", "true"), 77, "/etc/passwd lies under no root"),
        (("submit", "--staged", "--output", "out.mkv", "--", "true"), 77, "out.mkv lies under no root"),
        (("submit", "--staged", "--", "ffmpeg", "-y", "out.mkv"), 77, "out.mkv lies under no root"),
        (("submit", "--need", "slot=gpu", "--need", "slot=cpu", "--", "true"), 2, "cpu, gpu"),
    ],
)
def test_what_cannot_be_staged_or_needed_says_why_and_needs_no_broker(
    words: tuple[str, ...],
    code: int,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "client.toml").write_text(CONFIG, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    left, out, err = said(capsys, "--config", "client.toml", *words)
    assert (left, out, one_line(err)) == (code, "", True)
    assert why in err


def test_a_path_under_no_root_is_refused_by_name_and_needs_no_broker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "client.toml"
    written.write_text(CONFIG, encoding="utf-8")
    config = ("--config", str(written))
    assert said(capsys, "run", *config, "--", "cat", "/etc/passwd")[0] == 77
    assert said(capsys, "submit", *config, "--", "/bin/cat")[0] == 2
    code, _, err = said(capsys, "run", *config, "--root", "Etc=/nowhere/at/all", "--", "cat", "/etc/passwd")
    assert code == 2
    assert one_line(err)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_no_closed_descriptor_is_taken_by_something_else(closed: str) -> None:
    look = (
        "import os, sys; from ffmesh_client.command_line import main; main(['job', 'x']);"
        "file = os.open('/dev/zero', os.O_RDONLY); sys.exit(0 if file > 2 else 9)"
    )
    program = [sys.executable, "-c", look]
    assert subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", *program], check=False).returncode == 0


def test_a_reader_that_has_left_is_no_noise() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    program = [sys.executable, "-m", "ffmesh_client", "--help"]
    done = subprocess.run(program, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("words", [("--help",), ("jobs", "--help"), ("--version",)])
def test_a_full_disk_under_standard_output_is_one_line_and_exit_code_1(words: tuple[str, ...]) -> None:
    done = ffmesh_with(*words, redirected=">/dev/full")
    assert done.returncode == 1
    assert done.stderr == "ffmesh: standard output cannot be written: No space left on device\n"


def test_a_complaint_that_cannot_be_written_leaves_the_exit_code_as_it_is() -> None:
    for redirected in ("2>/dev/full", "2>&-"):
        assert ffmesh_with("nonsense", redirected=redirected).returncode == 2
        assert ffmesh_with("jobs", "--nonsense", redirected=redirected).returncode == 2
        assert ffmesh_with("job", "x", redirected=redirected).returncode == 1
        assert ffmesh_with("jobs", "--config", "/nowhere", redirected=redirected).returncode == 2


def ffmesh_with(*words: str, redirected: str) -> "subprocess.CompletedProcess[str]":
    program = [sys.executable, "-m", "ffmesh_client", *words]
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", *program], capture_output=True, text=True, check=False
    )


INTERRUPTED_AT = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv = ["ffmesh", "jobs", "--config", {config!r}]
from ffmesh_client.__main__ import entry
entry()
"""


@pytest.mark.parametrize(
    ("module", "code"),
    [("argparse", -signal.SIGINT), ("ffmesh_client.commands.jobs", -signal.SIGINT), ("asyncio", 130)],
)
def test_a_ctrl_c_while_things_are_imported_ends_us_without_a_traceback(module: str, code: int, tmp_path: Path) -> None:
    written = tmp_path / "client.toml"
    written.write_text(CONFIG, encoding="utf-8")
    look = INTERRUPTED_AT.format(module=module, config=str(written))
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (code, b"")


def test_a_ctrl_c_that_our_parent_ignores_is_ignored_from_the_first_moment(tmp_path: Path) -> None:
    look = INTERRUPTED_AT.format(module="argparse", config=str(tmp_path / "none.toml"))
    program = [sys.executable, "-c", look]
    done = subprocess.run(["sh", "-c", 'trap "" INT; exec "$@"', "sh", *program], capture_output=True, check=False)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)


def test_to_say_what_is_wrong_imports_neither_mqtt_nor_rich() -> None:
    look = (
        "import sys; from ffmesh_client.command_line import main; main(['run', '--config', '/nowhere', '--', 'true']);"
        "print(sorted({'asyncio', 'paho', 'aiomqtt', 'rich', 'cryptography', 'ulid'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n"
