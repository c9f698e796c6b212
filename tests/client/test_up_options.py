"""What was said to `up`, now and before, and what can be said at all."""

import threading
from pathlib import Path

import pytest

from ffmesh_client.errors import WrongUsage
from ffmesh_client.places import RootSaid, missing, program, root, roots
from ffmesh_client.supervisor import absent
from ffmesh_client.supervisor.absent import absent_roots
from ffmesh_client.supervisor.files import Files
from ffmesh_client.supervisor.home import MeshHome
from ffmesh_client.supervisor.options import Options, Said, keep, kept, merged
from ffmesh_protocol.errors import BadConfig, BadName


def test_nothing_said_leaves_everything_as_it_was() -> None:
    before = Options(agents=3, slots=2, listen="0.0.0.0", port=1883, roots={"Films": "/films"}, programs={"sox": ""})
    assert merged(before, Said()) == before


def test_what_is_said_now_replaces_what_was_kept_option_by_option() -> None:
    before = Options(agents=3, slots=2, roots={"Films": "/films"}, agent_roots={"agent-3": {"Films": "/mnt"}})
    after = merged(before, Said(slots=4, roots=[RootSaid(name="Series", path="/series")]))
    assert after == Options(agents=3, slots=4, roots={"Series": "/series"})


def test_a_root_of_one_agent_takes_the_place_of_everybodys_there_and_only_there() -> None:
    said = [RootSaid(name="Films", path="/films"), RootSaid(name="Films", path="/mnt", agent="agent-2")]
    options = merged(Options(), Said(agents=2, roots=said))
    assert options.roots_of("agent-1") == {"Films": "/films"}
    assert options.roots_of("agent-2") == {"Films": "/mnt"}
    assert options.roots == {"Films": "/films"}


def test_a_root_of_an_agent_that_there_is_not_is_refused() -> None:
    with pytest.raises(WrongUsage, match="agent-3"):
        merged(Options(), Said(agents=2, roots=[RootSaid(name="Films", path="/films", agent="agent-3")]))


def test_a_root_in_two_places_is_refused_unless_they_are_of_different_agents(tmp_path: Path) -> None:
    for agent in (None, "agent-2"):
        twice = [RootSaid(name="Films", path=path, agent=agent) for path in ("/films", "/mnt")]
        with pytest.raises(WrongUsage, match="Films is said twice, at /films and at /mnt"):
            merged(Options(), Said(agents=2, roots=twice))
    with pytest.raises(WrongUsage, match="twice"):
        roots([f"Films={tmp_path}", "Films=/"])
    assert roots([f"Films={tmp_path}", f"Films={tmp_path}/"]) == {"Films": str(tmp_path)}


def test_a_kept_root_of_an_agent_that_is_not_started_now_is_kept_for_later() -> None:
    before = Options(agents=2, agent_roots={"agent-2": {"Films": "/mnt"}})
    assert merged(merged(before, Said(agents=1)), Said(agents=2)) == before


def test_programs_come_on_top_of_ffmpeg_and_ffprobe_and_may_say_where_those_are() -> None:
    options = merged(Options(), Said(programs={"sox": "", "ffmpeg": "/opt/ffmpeg"}))
    assert options.all_programs == {"ffmpeg": "/opt/ffmpeg", "ffprobe": "", "sox": ""}


@pytest.mark.parametrize(("listen", "host"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1")])
def test_the_machine_itself_reaches_a_broker_that_listens_everywhere_by_loopback(listen: str, host: str) -> None:
    assert Options(listen=listen).host == host


def test_what_is_kept_is_what_is_read(tmp_path: Path) -> None:
    file = tmp_path / "up.toml"
    options = Options(
        agents=2,
        last_port=20001,
        roots={"Films": "/films/Amélie “1” \\ 2"},
        agent_roots={"agent-2": {"Films": "/mnt"}},
        programs={"sox": ""},
    )
    keep(options, file)
    assert kept(file) == options


def test_nothing_kept_is_no_error(tmp_path: Path) -> None:
    assert kept(tmp_path / "up.toml") == Options()


@pytest.mark.parametrize("text", ["agents = 0", "agent = 2", "port = 99999", "[", '[roots]\n"a b" = "/"', "\0"])
def test_a_file_that_cannot_be_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "up.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadConfig, match=r"up\.toml"):
        kept(file)


def test_a_root_is_an_existing_folder_made_absolute_with_its_links_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "link").symlink_to("films")
    monkeypatch.chdir(tmp_path)
    assert root("Films=link/../link") == RootSaid(name="Films", path=str(tmp_path / "link"))
    assert roots([f"Films={tmp_path}", "Series=films"]) == {"Films": str(tmp_path), "Series": str(tmp_path / "films")}


def test_a_path_may_contain_what_separates_names(tmp_path: Path) -> None:
    odd = tmp_path / "a=b:c"
    odd.mkdir()
    assert root(f"agent-2:Films={odd}", of_one_agent=True) == RootSaid(name="Films", path=str(odd), agent="agent-2")
    assert root(f"Films={odd}", of_one_agent=True) == RootSaid(name="Films", path=str(odd))


@pytest.mark.parametrize("word", ["", "Films", "=/", "Films=", "agent-1:Films=/", "to=/", "Films=/dev/null"])
def test_a_root_that_cannot_be_is_refused(word: str) -> None:
    with pytest.raises((WrongUsage, BadName)):
        root(word)


@pytest.mark.parametrize("word", [":Films=/", "Agent-1:Films=/", "a b:Films=/"])
def test_an_agent_that_cannot_be_is_refused(word: str) -> None:
    with pytest.raises(BadName):
        root(word, of_one_agent=True)


def test_a_program_is_a_name_or_a_name_and_where_it_is() -> None:
    assert program("sox") == ("sox", "")
    assert program("shell=/bin/sh") == ("shell", "/bin/sh")


@pytest.mark.parametrize("word", ["", "=", "=/bin/sh", "/bin/sh", "sh=", "sh=/there/is/none", "sh=/etc/passwd", "a\nb"])
def test_a_program_that_cannot_be_is_refused(word: str) -> None:
    with pytest.raises(WrongUsage):
        program(word)


def test_a_path_that_no_text_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="UTF-8"):
        root(f"Films={tmp_path}/\udcff")


def test_programs_that_are_missing_are_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/there/is/no/folder")
    sentences = missing([("ffmpeg", ""), ("sh", "/bin/sh"), ("sox", ""), ("x264", "/opt/x264")])
    assert [sentence.split(": ")[0] for sentence in sentences] == [
        "there is no program ffmpeg in PATH",
        "there is no program sox in PATH",
        "there is no program /opt/x264",
    ]
    assert "apt install ffmpeg" in sentences[0]


def test_a_root_that_is_not_there_is_named_and_one_of_an_agent_that_is_not_started_is_nobodys_matter(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    options = Options(
        agents=2,
        roots={"There": str(tmp_path), "Gone": "/no/such", "File": str(tmp_path / "file"), "Long": "/" + "x" * 300},
        agent_roots={"agent-2": {"Gone": "/nor/this"}, "agent-3": {"Gone": "/nor/that"}},
    )
    assert [sentence.partition(";")[0] for sentence in absent_roots(options)] == [
        "root Gone: /no/such is not there",
        f"root File: {tmp_path}/file is no folder that can be read",
        f"root Long: /{'x' * 300} cannot be looked at (File name too long)",
        "root agent-2:Gone: /nor/this is not there",
    ]


def test_a_root_that_never_answers_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr(absent, "ANSWER_SECONDS", 0.01)

    def hang(path: Path) -> bool:
        del path
        return answer.wait()

    monkeypatch.setattr(Path, "exists", hang)
    (sentence,) = absent_roots(Options(roots={"Hangs": "/mnt"}))
    answer.set()
    assert sentence.startswith("root Hangs: /mnt does not answer; ")


def test_the_home_of_a_coordinator_that_runs_its_own_broker_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "coordinator.toml").write_text("[broker]\nrun = true\n")
    with pytest.raises(BadConfig, match="ffmesh-coordinator --config"):
        Files(MeshHome(tmp_path), Options())
