"""The commands about jobs and agents: what they print, their JSON, their exit codes."""

import json
from collections.abc import Generator
from datetime import datetime
from pathlib import Path

import pytest

from end_to_end.outside import Mesh, ending, finished, gone, mesh, number_in, state_of, taken, until

JOB = {
    *("id", "state", "kind", "attached", "program", "args", "owner", "labels", "agent", "priority", "after"),
    *("workflow", "needs", "exit_code", "signal", "reason", "reason_code", "permanent", "outputs", "progress"),
    *("placement", "attempts", "created_at", "started_at", "ended_at", "paused"),
}
PROGRESS = {"percent", "frame", "fps", "speed", "out_time_s", "bitrate_kbps", "eta_s"}
ATTEMPT = {"number", "agent", "state", "started_at", "ended_at", "exit_code", "signal", "reason"}
AGENT = {
    *("name", "state", "life", "version", "features", "host", "programs", "encoders", "decoders", "hwaccels"),
    *("filters", "unavailable", "tried", "roots", "slots", "fence", "load", "running", "last_seen_at"),
    *(
        "supported_codecs",
        "has_gpu",
        "gpu_type",
        "gpus",
        "max_resolution",
        "max_resolutions",
        "speeds",
        "manner",
        "paused",
    ),
}
NOBODYS = "01JD0000000000000000000000"

OPEN = ("queued", "offered", "granted", "running")
SLOTS = 2


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("commands")
    with mesh(folder / "home", "--slots", f"{SLOTS}", "--root", f"Place={folder}", "--program", "sh") as running:
        yield running


@pytest.fixture
def place(running: Mesh, tmp_path: Path) -> Path:
    """A folder under the root, for this test alone."""
    folder = running.home.parent / tmp_path.name
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def idle_at_the_end(running: Mesh) -> Generator[None, None, None]:
    """What a failed test has left must not take the slots of the next one."""
    yield
    left = [job["id"] for job in running.json("jobs", *(word for state in OPEN for word in ("--state", state)))]
    if left:
        running.ffmesh("cancel", *left)
        running.wait(*left)


# --- submit, job, wait


def test_submit_prints_the_id_and_nothing_else(running: Mesh) -> None:
    done = running.ffmesh("submit", "--", "sh", "-c", "true")
    assert (done.returncode, len(done.stdout), done.stderr) == (0, 27, b"")
    assert running.wait(done.stdout.decode().strip()).returncode == 0


def test_a_job_has_every_key_that_was_promised_at_every_moment_of_its_life(running: Mesh, place: Path) -> None:
    handed_in = running.json(
        *("submit", "--priority", "7", "--label", "title=Five", "--label", "show=Ü"),
        *("--", "sh", "-c", 'echo $$ > "$0/pid"; while [ ! -e "$0/go" ]; do sleep 0.02; done; exit 5', place),
    )
    job = handed_in["id"]
    at_work = running.until_job(job, "running")
    assert running.json("jobs", "--label", "show=Ü") == [running.job(job)]
    (place / "go").touch()
    (ended,) = json.loads(running.ffmesh("wait", job, "--json").stdout)
    for shown in (handed_in, at_work, ended):
        assert set(shown) >= JOB
        assert set(shown["progress"]) == PROGRESS
        assert all(set(attempt) == ATTEMPT for attempt in shown["attempts"])
        assert (shown["kind"], shown["attached"], shown["program"]) == ("direct", False, "sh")
        assert (shown["priority"], shown["labels"]) == (7, {"title": "Five", "show": "Ü"})
        assert (shown["owner"], shown["after"], shown["workflow"]) == ("local", [], None)
    assert (at_work["agent"], at_work["exit_code"], at_work["ended_at"]) == ("agent-1", None, None)
    assert at_work["placement"]
    assert (ended["state"], ended["exit_code"], ended["signal"], ended["reason_code"]) == ("failed", 5, None, "exited")
    assert "5" in ended["reason"]
    (attempt,) = ended["attempts"]
    assert (attempt["number"], attempt["agent"], attempt["state"], attempt["exit_code"]) == (1, "agent-1", "failed", 5)
    times = [datetime.fromisoformat(ended[key]) for key in ("created_at", "started_at", "ended_at")]
    assert times == sorted(times)
    assert all(ended[key].endswith("Z") for key in ("created_at", "started_at", "ended_at"))
    assert running.job(job) == ended


def test_a_job_that_a_signal_ended_has_a_signal_and_no_exit_code(running: Mesh) -> None:
    job = running.submit("--", "sh", "-c", "kill -SEGV $$")
    assert running.wait(job).returncode == 128 + 11
    shown = running.job(job)
    assert (shown["state"], shown["exit_code"], shown["signal"], shown["reason_code"]) == ("failed", None, 11, "killed")


def test_wait_of_several_gives_the_first_in_their_order_that_is_not_0(running: Mesh) -> None:
    good, three, five = (running.submit("--", "sh", "-c", f"exit {code}") for code in (0, 3, 5))
    assert running.wait(good, three, five).returncode == 3
    assert running.wait(five, good, three).returncode == 5
    assert running.wait(good, good).returncode == 0
    shown = json.loads(running.ffmesh("wait", "--json", five, good).stdout)
    assert [each["id"] for each in shown] == [five, good]


def test_wait_waits(running: Mesh, place: Path) -> None:
    job = running.submit("--", "sh", "-c", 'while [ ! -e "$0/go" ]; do sleep 0.02; done; touch "$0/over"', place)
    with ending(running.begin("wait", job)) as waiting:
        running.until_job(job, "running")
        assert waiting.poll() is None
        (place / "go").touch()
        assert waiting.wait(40) == 0
        assert (place / "over").exists()


def test_what_is_not_known_is_1_and_named(running: Mesh) -> None:
    known = running.submit("--", "sh", "-c", "true")
    running.wait(known)
    for words in (
        *(["job", NOBODYS], ["wait", NOBODYS], ["cancel", NOBODYS], ["logs", NOBODYS], ["wait", known, NOBODYS]),
        *(["job", "no-id"], ["agent", "nobody"], ["drain", "nobody"], ["resume", "nobody"]),
    ):
        done = running.ffmesh(*words)
        assert done.returncode == 1, words
        assert done.stderr.count(b"\n") == 1, done.stderr
        assert words[-1].encode() in done.stderr


# --- jobs


def test_jobs_come_newest_first_and_page_by_page(running: Mesh) -> None:
    made = [running.submit("--label", "batch=pages", "--", "sh", "-c", "true") for _ in range(5)]
    seen: list[str] = []
    cursor: list[str] = []
    for expected in (2, 2, 1):
        page = running.ffmesh("jobs", "--json", "--label", "batch=pages", "--limit", "2", *cursor)
        jobs = json.loads(page.stdout)
        assert len(jobs) == expected
        seen += [job["id"] for job in jobs]
        words = page.stderr.decode().split()
        cursor = ["--cursor", words[words.index("--cursor") + 1]] if words else []
    assert seen == [*reversed(made)]
    assert cursor == []


def test_jobs_are_found_by_their_state(running: Mesh) -> None:
    good, bad = (running.submit("--label", "batch=states", "--", "sh", "-c", f"exit {code}") for code in (0, 1))
    idle = running.submit("--label", "batch=states", "--need", "encoder=of_nobody", "--", "sh", "-c", "true")
    running.wait(good, bad)

    def found(*states: str) -> list[str]:
        words = [word for state in states for word in ("--state", state)]
        return [job["id"] for job in running.json("jobs", "--label", "batch=states", *words)]

    assert found("succeeded") == [good]
    assert found("failed") == [bad]
    assert found("queued", "failed") == [idle, bad]
    assert found("running") == []
    assert found("waiting") == []
    assert found("waiting", "queued") == [idle]
    running.say("cancel", idle)


def test_jobs_with_a_higher_priority_go_first(running: Mesh, place: Path) -> None:
    script = 'echo "$1" >> "$0/order"; while [ ! -e "$0/go" ]; do sleep 0.02; done'

    def submit(priority: int) -> str:
        return running.submit("--priority", f"{priority}", "--", "sh", "-c", script, place, f"{priority}")

    first = [submit(0) for _ in range(SLOTS)]
    for job in first:
        running.until_job(job, "running")
    later = [submit(priority) for priority in (-1, 5, 0, 9)]
    (place / "go").touch()
    assert running.wait(*first, *later).returncode == 0
    order = (place / "order").read_text().split()[SLOTS:]
    # Two slots: those that start together may write in either order. And every tenth turn of the mesh goes to who has
    # waited longest, which may be one of these.
    assert {*order[:2]} in ({"9", "5"}, {"9", "-1"})


# --- cancel


def test_a_queued_job_is_cancelled_at_once_and_never_starts(running: Mesh, place: Path) -> None:
    job = running.submit("--need", "encoder=of_nobody", "--", "sh", "-c", 'touch "$0/ran"', place)
    shown = running.json("cancel", job)
    assert (shown["id"], shown["state"], shown["attempts"]) == (job, "cancelled", [])
    assert running.wait(job).returncode == 130
    assert not (place / "ran").exists()


def test_a_running_job_is_cancelled_and_its_program_is_stopped(running: Mesh, place: Path) -> None:
    job = running.submit("--", "sh", "-c", 'echo $$ > "$0/pid"; while :; do sleep 0.1; done', place)
    program = number_in(place / "pid")
    assert running.json("cancel", job)["state"] in ("cancelling", "cancelled")
    assert running.wait(job).returncode == 130
    gone(program)
    shown = running.job(job)
    assert (shown["state"], shown["reason_code"]) == ("cancelled", "cancelled")


def test_to_cancel_again_is_0_and_to_cancel_too_late_is_1(running: Mesh) -> None:
    cancelled = running.submit("--need", "encoder=of_nobody", "--", "sh", "-c", "true")
    good, bad = (running.submit("--", "sh", "-c", f"exit {code}") for code in (0, 3))
    running.wait(good, bad)
    assert [running.ffmesh("cancel", cancelled).returncode for _ in range(2)] == [0, 0]
    for job in (good, bad):
        before = running.job(job)
        done = running.ffmesh("cancel", job)
        assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
        assert job.encode() in done.stderr
        assert running.job(job) == before


# --- logs


def test_logs_show_the_kept_end_of_standard_error(running: Mesh, place: Path) -> None:
    script = r"echo out; echo one >&2; printf 'two\rthree\n' >&2; printf 'Ünï' >&2"
    job = running.submit("--", "sh", "-c", script, place)
    running.wait(job)
    lines = [json.loads(line) for line in running.say("logs", job, "--json").splitlines()]
    assert [line["text"] for line in lines] == ["one", "two", "three", "Ünï"]
    assert all(set(line) == {"time", "stream", "text"} and line["stream"] == "stderr" for line in lines)
    assert 0 <= lines[0]["time"] <= lines[-1]["time"] < 60
    assert running.say("logs", job) == "one\ntwo\nthree\nÜnï\n"


def test_logs_of_a_running_job_show_what_it_has_said_so_far(running: Mesh, place: Path) -> None:
    script = 'echo so far >&2; touch "$0/said"; while [ ! -e "$0/go" ]; do sleep 0.02; done'
    job = running.submit("--", "sh", "-c", script, place)
    until(lambda: (place / "said").exists(), "it has said something")
    until(lambda: running.say("logs", job) == "so far\n", "the logs show it")
    (place / "go").touch()
    assert running.wait(job).returncode == 0


def test_logs_of_ffmpeg_end_with_its_complaint(running: Mesh, place: Path) -> None:
    no_film = place / "no film.mkv"
    no_film.write_text("text\n")
    job = running.submit("--", "ffmpeg", "-hide_banner", "-i", no_film, place / "out.mkv")
    assert running.wait(job).returncode == 1
    assert running.say("logs", job).splitlines()[-1] == f"{no_film}: Invalid data found when processing input"


# --- agents


def test_an_agent_has_every_key_that_was_promised(running: Mesh) -> None:
    agent = until(lambda: shown if (shown := running.agent())["encoders"] else None, "ffmpeg has listed what it has")
    assert set(agent) >= AGENT
    assert (agent["name"], agent["state"], agent["tried"]) == ("agent-1", "online", False)
    assert agent["fence"] in ("landlock", "bubblewrap", "none")
    assert set(agent["host"]) == {"arch", "cores", "memory_bytes", "model", "temperature_sensor"}
    assert set(agent["load"]) == {"cpu_percent", "memory_percent", "temperature_c"}
    assert set(agent["programs"]) == {"ffmpeg", "ffprobe", "sh"}
    assert agent["programs"]["ffmpeg"]
    assert {name: root["mounted"] for name, root in agent["roots"].items()} == {"Place": True}
    assert agent["slots"]["cpu"]["total"] == SLOTS
    for names in ("encoders", "decoders", "hwaccels", "filters"):
        assert agent[names] == sorted(agent[names])
    assert {"libx264", "aac"} <= set(agent["encoders"])
    assert {"scale", "subtitles"} <= set(agent["filters"])
    assert [set(each) >= AGENT for each in running.json("agents")] == [True]


def test_an_agent_says_what_it_runs_and_how_many_slots_that_takes(running: Mesh, place: Path) -> None:
    job = running.submit("--", "sh", "-c", 'while [ ! -e "$0/go" ]; do sleep 0.02; done', place)
    running.until_job(job, "running")
    agent = running.agent()
    assert (agent["running"], agent["slots"]["cpu"]) == ([job], {"total": SLOTS, "used": 1})
    (place / "go").touch()
    running.wait(job)
    agent = running.agent()
    assert (agent["running"], agent["slots"]["cpu"]["used"]) == ([], 0)


def test_a_drained_agent_finishes_what_it_has_and_takes_no_more_until_resume(running: Mesh, place: Path) -> None:
    old = running.submit("--", "sh", "-c", 'while [ ! -e "$0/go" ]; do sleep 0.02; done', place)
    running.until_job(old, "running")
    assert running.json("drain", "agent-1")["state"] == "draining"
    new = running.submit("--", "sh", "-c", 'touch "$0/new"', place)
    (place / "go").touch()
    assert running.wait(old).returncode == 0
    assert running.ffmesh("drain", "agent-1").returncode == 0
    shown = running.job(new)
    assert (shown["state"], shown["reason_code"], (place / "new").exists()) == ("queued", "waiting_for_agent", False)
    assert running.json("resume", "agent-1")["state"] == "online"
    assert running.ffmesh("resume", "agent-1").returncode == 0
    assert running.wait(new).returncode == 0


def test_a_paused_agent_lets_its_jobs_stand_still_until_resume_also_over_restarts(running: Mesh, place: Path) -> None:
    script = 'echo $$ > "$0/pid"; while [ ! -e "$0/go" ]; do :; done'
    old = running.submit("--", "sh", "-c", script, place)
    program = number_in(place / "pid")
    assert running.json("pause", "agent-1")["manner"] == "pause"
    until(lambda: state_of(program) == "T", "it stands still")
    new = running.submit("--", "sh", "-c", 'touch "$0/new"', place)
    (place / "go").touch()
    shown = until(lambda: view if (view := running.job(old))["paused"] else None, "the job says so")
    assert shown["reason"] == "paused on agent-1: somebody has paused its agent"
    assert running.ffmesh("pause", "agent-1").returncode == 0
    assert running.job(new)["reason"] == "every agent that is online is paused: agent-1"
    running.until_back("coordinator", running.kill("coordinator"))
    agent = running.until_agent("draining")
    assert (agent["manner"], agent["paused"], state_of(program)) == ("pause", [old], "T")
    assert running.say("resume", "agent-1") == "agent-1 takes jobs again; it is online.\n"
    assert running.wait(old, new).returncode == 0
    assert len(running.job(old)["attempts"]) == 1


def test_a_stopped_agent_hands_back_what_it_runs(running: Mesh, place: Path) -> None:
    script = 'echo $$ > "$0/pid"; while [ ! -e "$0/go" ]; do sleep 0.02; done'
    job = running.submit("--", "sh", "-c", script, place)
    program = number_in(place / "pid")
    with ending(running.begin("run", "--", "sh", "-c", "echo began; exec sleep 1000")) as command:
        assert taken(command, 6) == b"began\n"
        said = running.say("stop", "agent-1")
        assert (
            said
            == "agent-1 ends what it runs and takes no more jobs. `ffmesh resume agent-1` lets it take jobs again.\n"
        )
        code, _, stderr = finished(command)
        assert (code, stderr.decode().count("somebody has stopped agent agent-1")) == (1, 1)
    gone(program)
    shown = running.until_job(job, "queued")
    assert shown["reason"] == "every agent that is online is stopped: agent-1"
    assert [each["state"] for each in shown["attempts"]] == ["lost"]
    (place / "go").touch()
    running.say("resume", "agent-1")
    assert running.wait(job).returncode == 0
    assert [each["state"] for each in running.job(job)["attempts"]] == ["lost", "succeeded"]


# --- slots


def test_of_twenty_jobs_on_two_slots_never_more_than_two_run_and_each_runs_once(running: Mesh, place: Path) -> None:
    script = 'echo "start $1" >> "$0/diary"; sleep 0.05; echo "end $1" >> "$0/diary"'
    jobs = [running.begin("submit", "--", "sh", "-c", script, place, f"{number}") for number in range(20)]
    ids: list[str] = []
    for submitting in jobs:
        with ending(submitting):
            stdout, _ = submitting.communicate(timeout=40)
            ids.append(stdout.decode().strip())
    assert running.wait(*ids).returncode == 0
    most = at_work = 0
    diary = (place / "diary").read_text().splitlines()
    for line in diary:
        at_work += 1 if line.startswith("start") else -1
        most = max(most, at_work)
    assert most <= SLOTS
    assert sorted(diary) == sorted(f"{what} {number}" for what in ("start", "end") for number in range(20))


# --- how things are said


@pytest.mark.parametrize("command", [["jobs"], ["agents"], ["agent", "agent-1"]], ids=" ".join)
def test_json_is_one_document_and_nothing_else_wherever_it_is_asked_for(running: Mesh, command: list[str]) -> None:
    for words in ([*command, "--json"], ["--json", *command]):
        done = running.ffmesh(*words)
        assert done.returncode == 0
        json.loads(done.stdout)
    plain = running.ffmesh(*command)
    assert plain.returncode == 0
    assert b"\x1b" not in plain.stdout, "no colours in a pipe"
