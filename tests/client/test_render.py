"""What people and pipes see."""

import io
import re
from collections.abc import Generator
from contextlib import contextmanager

import msgspec
import pytest

from ffmesh_client.core.events import ProgressSeen
from ffmesh_client.render import words
from ffmesh_client.render.agents import show_agent, show_agents
from ffmesh_client.render.bars import watcher
from ffmesh_client.render.jobs import show_job, show_jobs
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.capability import Activity, AgentView, Host, Load, RootState, SlotUse
from ffmesh_protocol.messages.jobs import (
    AttemptState,
    AttemptView,
    JobKind,
    JobState,
    JobSummary,
    JobView,
    Progress,
    Written,
)
from ffmesh_protocol.messages.manners import Condition, Manner
from ffmesh_protocol.messages.presence import AgentState
from ffmesh_protocol.reasons import ReasonCode

RUNNING = JobView(
    id="01J0000000000000000000000J",
    state=JobState.RUNNING,
    kind=JobKind.DIRECT,
    attached=False,
    title="Holiday",
    program="ffmpeg",
    agent="pi-1",
    priority=0,
    after=(),
    workflow=None,
    needs=Needs(program="ffmpeg", roots=("Movies",)),
    exit_code=None,
    signal=None,
    reason=None,
    reason_code=None,
    permanent=False,
    progress=Progress(percent=42.4, fps=30.1, speed=1.25, eta_s=61.0),
    placement="pi-1 was free",
    attempts=(
        AttemptView(
            number=1,
            agent="pi-1",
            state=AttemptState.RUNNING,
            started_at="2026-01-02T03:04:05.678Z",
            ended_at=None,
            exit_code=None,
            signal=None,
            reason=None,
        ),
    ),
    created_at="2026-01-02T03:04:05.000Z",
    started_at="2026-01-02T03:04:05.678Z",
    ended_at=None,
    args=("-i", "$Movies/a b.mkv", "out.mkv"),
    outputs=None,
    labels={"title": "Holiday"},
    owner="laptop",
)
FAILED = msgspec.structs.replace(
    RUNNING,
    id="01J0000000000000000000000K",
    state=JobState.FAILED,
    title=None,
    agent=None,
    exit_code=3,
    reason="ffmpeg ended with exit code 3",
    reason_code=ReasonCode.EXITED,
    progress=Progress(),
)
AGENT = AgentView(
    name="pi-1",
    state=AgentState.ONLINE,
    life="01J0000000000000000000000Z",
    version="0.1.0",
    features=(),
    host=Host(arch="aarch64", cores=4, memory_bytes=4 * 2**30, model="Raspberry Pi 4"),
    programs={"true": "", "ffmpeg": "5.1.9"},
    hwaccels=("drm",),
    tried=False,
    roots={"Movies": RootState(mounted=True), "Series": RootState(mounted=False)},
    slots={"cpu": SlotUse(total=2, used=1)},
    fence="none",
    load=Load(cpu_percent=12.3, memory_percent=45.6, temperature_c=51.0),
    running=("01J0000000000000000000000J",),
    last_seen_at="2026-01-02T03:04:05.000Z",
    activity=Activity.BUSY,
    encoders=("aac", "h264_v4l2m2m"),
    decoders=("aac",),
    filters=("scale",),
    unavailable={"encoder/hevc_nvenc": "no NVIDIA card"},
)


def test_jobs_in_a_pipe_are_plain_columns(capsys: pytest.CaptureFixture[str]) -> None:
    show_jobs([RUNNING, FAILED])
    assert capsys.readouterr().out.splitlines() == [
        f"{'ID':<26}  STATE    PROGRAM  AGENT  {'PROGRESS':<26}  {'CREATED':<24}  TITLE",
        f"{RUNNING.id}  running  ffmpeg   pi-1   42 % 30 fps 1.25x eta 1:01  2026-01-02T03:04:05.000Z  Holiday",
        f"{FAILED.id}  failed   ffmpeg   -      {'exit code 3':<26}  2026-01-02T03:04:05.000Z  -",
    ]


TB = 10**12
ROOTS = {
    "Movies": RootState(mounted=True, writable=True, free_bytes=TB, total_bytes=4 * TB),
    "Old": RootState(mounted=True),
    "Series": RootState(mounted=False, why="nothing is mounted there"),
    "Shows": RootState(mounted=True, writable=False, free_bytes=0, total_bytes=TB, why="it is for reading only"),
    "Small": RootState(mounted=True, writable=True, free_bytes=5, total_bytes=9, why="there is too little room"),
}


def test_an_agent_shows_of_each_root_all_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    show_agent(msgspec.structs.replace(AGENT, roots=ROOTS))
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines() if line.startswith("root ")]
    assert {line[1]: line[2] for line in lines} == {
        "Movies": "mounted, writable, 1.0 TB of 4.0 TB free",
        "Old": "mounted",
        "Series": "not mounted: nothing is mounted there",
        "Shows": "mounted, not writable, 0 bytes of 1.0 TB free: it is for reading only",
        "Small": "mounted, writable, 5 bytes of 9 bytes free: there is too little room",
    }


def test_a_table_of_agents_says_in_two_words_which_roots_are_of_no_use(capsys: pytest.CaptureFixture[str]) -> None:
    show_agents([msgspec.structs.replace(AGENT, roots=ROOTS)])
    roots = "Movies, Old, Series (not mounted), Shows (not writable), Small (too full)"
    assert roots in capsys.readouterr().out


def test_roots_of_one_name_that_are_not_the_same_storage_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    agents = [
        msgspec.structs.replace(AGENT, name=name, state=state, roots={"Movies": RootState(mounted=True, storage=nonce)})
        for name, state, nonce in (
            ("pi-1", AgentState.ONLINE, "a"),
            ("nas", AgentState.DRAINING, "b"),
            ("pc", AgentState.ONLINE, "b"),
            ("tv", AgentState.ONLINE, None),
            ("gone", AgentState.OFFLINE, "c"),
        )
    ]
    sentence = "ffmesh: root Movies is not the same storage on pi-1 as on nas\n"
    show_agents(agents)
    assert capsys.readouterr().err == sentence
    for agent, said in ((agents[0], sentence), (agents[2], "")):
        show_agent(agent, agents)
        assert capsys.readouterr().err == said


def test_no_jobs_in_a_pipe_are_the_head_alone(capsys: pytest.CaptureFixture[str]) -> None:
    show_jobs([])
    assert capsys.readouterr().out == "ID  STATE  PROGRAM  AGENT  PROGRESS  CREATED  TITLE\n"


def test_a_job_in_a_pipe_is_a_fact_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_job(RUNNING)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "id           01J0000000000000000000000J"
    assert "command      ffmpeg -i '$Movies/a b.mkv' out.mkv" in lines
    assert "progress     42 % 30 fps 1.25x eta 1:01" in lines
    assert lines[-1].split() == ["1", "pi-1", "running", "2026-01-02T03:04:05.678Z", "-", "-", "-"]


PARENT = "01J0000000000000000000000P"
OTHER = "01J0000000000000000000000Q"
WAITING = msgspec.structs.replace(
    RUNNING,
    state=JobState.WAITING,
    kind=JobKind.STAGED,
    agent=None,
    after=(PARENT,),
    workflow=PARENT,
    outputs=("$Movies/out.mkv",),
    needs=Needs(program="ffmpeg", roots=("Movies",), capabilities=("encoder=hevc",), on="pi-1", slot="gpu"),
    reason=f"it waits for job {PARENT}",
    reason_code=ReasonCode.WAITING_FOR_JOBS,
    progress=Progress(),
    placement=None,
    attempts=(),
    started_at=None,
)


def facts_of(job: JobView, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    show_job(job)
    lines = capsys.readouterr().out.partition("\n\n")[0].splitlines()
    return {line[:13].strip(): line[13:] for line in lines}


def test_a_job_shows_what_it_waits_for_and_what_it_will_write(capsys: pytest.CaptureFixture[str]) -> None:
    facts = facts_of(WAITING, capsys)
    assert (facts["kind"], facts["state"], facts["reason"]) == ("staged", "waiting", f"it waits for job {PARENT}")
    assert (facts["outputs"], facts["after"], facts["workflow"]) == ("$Movies/out.mkv", PARENT, PARENT)
    assert facts["needs"] == "Movies, encoder=hevc, slot=gpu, on=pi-1"
    assert (facts["permanent"], facts["what to do"]) == ("no", "-")


def test_a_job_that_ended_otherwise_says_what_can_be_done(capsys: pytest.CaptureFixture[str]) -> None:
    failed = msgspec.structs.replace(FAILED, permanent=True)
    facts = facts_of(failed, capsys)
    assert (facts["permanent"], facts["what to do"]) == ("yes", f"`ffmesh retry {FAILED.id}` tries it again")
    attached = msgspec.structs.replace(failed, kind=JobKind.INTERACTIVE)
    assert facts_of(attached, capsys)["what to do"] == "`ffmesh run` runs it anew"
    fell = msgspec.structs.replace(WAITING, state=JobState.FAILED, reason_code=ReasonCode.PARENT_FAILED)
    assert facts_of(fell, capsys)["what to do"].startswith(f"`ffmesh retry {PARENT}` tries that one again")
    of_two = msgspec.structs.replace(fell, after=(PARENT, OTHER), reason_code=ReasonCode.PARENT_CANCELLED)
    assert "of the one that has not succeeded" in facts_of(of_two, capsys)["what to do"]
    succeeded = msgspec.structs.replace(RUNNING, state=JobState.SUCCEEDED, exit_code=0)
    assert facts_of(succeeded, capsys)["what to do"] == "-"


def test_a_job_that_succeeded_shows_what_it_wrote_and_how_long_it_took(capsys: pytest.CaptureFixture[str]) -> None:
    written = (Written(path="$Movies/out.mkv", bytes=734_003_200), Written(path="$Movies/a.log", bytes=1))
    summary = JobSummary(seconds=241.7, outputs=written)
    done = msgspec.structs.replace(
        RUNNING, state=JobState.SUCCEEDED, exit_code=0, outputs=("$Movies/out.mkv",), summary=summary
    )
    facts = facts_of(done, capsys)
    assert facts["outputs"] == "$Movies/out.mkv (734.0 MB), $Movies/a.log (1 byte)"
    assert facts["total time"] == "4:02"
    short = msgspec.structs.replace(done, summary=JobSummary(seconds=0.34))
    facts = facts_of(short, capsys)
    assert (facts["outputs"], facts["total time"]) == ("$Movies/out.mkv", "0.3 s")
    assert facts_of(RUNNING, capsys)["total time"] == "-"


def test_a_job_that_failed_ends_with_its_programs_last_lines(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ("frame=1", "\x1b[31mout.mkv: No space left on device")
    show_job(msgspec.structs.replace(FAILED, summary=JobSummary(seconds=1.0, last_lines=lines)))
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "the last lines of its standard error:",
        "  frame=1",
        "  \\x1b[31mout.mkv: No space left on device",
    ]


def test_every_attempt_of_a_job_is_a_line_with_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    (first,) = RUNNING.attempts
    failed = msgspec.structs.replace(
        first, state=AttemptState.FAILED, ended_at="2026-01-02T03:05:00.000Z", exit_code=9, reason="it lies with pi-1"
    )
    second = msgspec.structs.replace(first, number=2, agent="pi-2")
    show_job(msgspec.structs.replace(RUNNING, attempts=(failed, second)))
    head, *rows = capsys.readouterr().out.partition("\n\n")[2].splitlines()
    assert head.split() == ["ATTEMPT", "AGENT", "STATE", "STARTED", "ENDED", "END", "REASON"]
    assert [row.split()[:3] for row in rows] == [["1", "pi-1", "failed"], ["2", "pi-2", "running"]]
    assert rows[0].endswith("exit code 9  it lies with pi-1")


@pytest.mark.parametrize(
    ("state", "code", "exit_code", "text"),
    [
        (JobState.WAITING, ReasonCode.WAITING_FOR_JOBS, None, "waiting for jobs"),
        (JobState.QUEUED, ReasonCode.WAITING_TO_RETRY, None, "waiting to retry"),
        (JobState.QUEUED, None, None, "-"),
        (JobState.SUCCEEDED, None, 0, "exit code 0"),
        (JobState.FAILED, ReasonCode.EXITED, 3, "exit code 3"),
        (JobState.FAILED, ReasonCode.NOT_COMMITTED, 0, "not committed"),
        (JobState.FAILED, ReasonCode.PARENT_FAILED, None, "parent failed"),
        (JobState.CANCELLED, ReasonCode.CANCELLED, None, "-"),
        (JobState.CANCELLED, ReasonCode.PARENT_CANCELLED, None, "parent cancelled"),
    ],
)
def test_a_table_of_jobs_says_in_a_word_or_two_how_each_stands(
    state: JobState, code: ReasonCode | None, exit_code: int | None, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_jobs([msgspec.structs.replace(WAITING, state=state, reason_code=code, exit_code=exit_code)])
    _, row = capsys.readouterr().out.splitlines()
    assert re.split(" {2,}", row)[1:5] == [state.value, "ffmpeg", "-", text]


PAUSED = msgspec.structs.replace(
    RUNNING, paused=True, reason="paused on pi-1: an interactive job has its slot", reason_code=ReasonCode.PAUSED
)


def test_a_job_that_stands_still_says_so_and_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show_jobs([PAUSED, msgspec.structs.replace(PAUSED, progress=Progress())])
    _, known, unknown = capsys.readouterr().out.splitlines()
    assert re.split(" {2,}", known)[1:5] == ["running", "ffmpeg", "pi-1", "paused, 42 % 30 fps 1.25x eta 1:01"]
    assert re.split(" {2,}", unknown)[4] == "paused"
    show_job(PAUSED)
    assert "\nreason       paused on pi-1: an interactive job has its slot\n" in capsys.readouterr().out
    with terminal() as screen, watcher([RUNNING], quiet=False) as shown:
        shown.job(PAUSED)
    assert "paused" in ESCAPE.sub("", screen.getvalue()).splitlines()[-1]


@pytest.mark.parametrize(
    ("state", "manner", "text"),
    [
        (AgentState.DRAINING, Manner.DRAIN, "draining"),
        (AgentState.DRAINING, Manner.PAUSE, "paused"),
        (AgentState.DRAINING, Manner.STOP, "stopped"),
        (AgentState.OFFLINE, Manner.STOP, "offline"),
        (AgentState.ONLINE, None, "online"),
    ],
)
def test_an_agent_shows_what_a_person_has_told_it(
    state: AgentState, manner: Manner | None, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_agents([msgspec.structs.replace(AGENT, state=state, manner=manner)])
    assert capsys.readouterr().out.splitlines()[1].split()[1] == text


def test_an_agent_says_which_of_its_jobs_stand_still(capsys: pytest.CaptureFixture[str]) -> None:
    show_agent(msgspec.structs.replace(AGENT, running=("one", "two"), paused=("two",)))
    assert "\nrunning      one, two (paused)\n" in capsys.readouterr().out


def test_on_a_terminal_a_bar_says_why_a_job_waits_and_begins_anew_with_its_next_attempt() -> None:
    queued = msgspec.structs.replace(
        WAITING, state=JobState.QUEUED, reason="it is [tried] again", reason_code=ReasonCode.WAITING_TO_RETRY
    )
    with terminal() as screen, watcher([RUNNING], quiet=False) as shown:
        shown.job(queued)
    last = ESCAPE.sub("", screen.getvalue()).splitlines()[-1]
    assert "queued" in last
    assert "it is [tried] again" in last


def test_agents_in_a_pipe_are_plain_columns(capsys: pytest.CaptureFixture[str]) -> None:
    show_agents([AGENT])
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "STATE", "NOW", "SLOTS", "CPU", "MEMORY", "HEAT", "ROOTS", "PROGRAMS", "SEEN"]
    roots, programs, seen = "Movies, Series (not mounted)", "ffmpeg, true", "2026-01-02T03:04:05.000Z"
    assert row == f"pi-1  online  busy  cpu 1/2  12 %    46 %  51 °C  {roots}  {programs}  {seen}"


def test_an_agent_shows_what_it_minds_and_a_table_in_a_word_what_that_makes_it_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    conditions = (
        Condition(name="temperature", manner=Manner.SLOW, in_force=True, reason="81.5 °C, above 80 °C"),
        Condition(name="others", manner=Manner.SLOW, in_force=True, reason="others use 60 % of the processors"),
        Condition(name="input", manner=Manner.PAUSE, in_force=False, reason="last input 2 h ago"),
    )
    show_agents([msgspec.structs.replace(AGENT, conditions=conditions)])
    assert "busy, slow (temperature, others)" in capsys.readouterr().out
    show_agent(msgspec.structs.replace(AGENT, conditions=conditions, activity=Activity.IDLE))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "now idle, slow (temperature, others)" in lines
    assert "mind temperature slow: 81.5 °C, above 80 °C" in lines
    assert "mind input not in force: last input 2 h ago" in lines


def test_an_agent_says_that_its_lists_were_not_tried_and_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    show_agent(AGENT)
    lines = capsys.readouterr().out.splitlines()
    assert "machine      Raspberry Pi 4, aarch64, 4 cores, 4.0 GiB" in lines
    assert "programs     ffmpeg=5.1.9, true" in lines
    assert "encoders     aac, h264_v4l2m2m (listed, not tried)" in lines
    assert "unavailable  encoder/hevc_nvenc: no NVIDIA card" in lines


def test_an_agent_shows_what_its_trials_have_found(capsys: pytest.CaptureFixture[str]) -> None:
    tried = msgspec.structs.replace(
        AGENT,
        tried=True,
        supported_codecs=("h264", "hevc"),
        has_gpu=True,
        gpu_type="broadcom",
        gpus=("VideoCore VI",),
        max_resolution="1920x1080",
        speeds={"libx264": 34.6, "h264_v4l2m2m": 60.0},
        load=Load(cpu_percent=None, memory_percent=None, temperature_c=None),
    )
    show_agent(tried)
    lines = capsys.readouterr().out.splitlines()
    assert "gpu          VideoCore VI" in lines
    assert "codecs       h264, hevc" in lines
    assert "largest      1920x1080" in lines
    assert "speed        h264_v4l2m2m=60 fps, libx264=34.6 fps" in lines
    assert "encoders     aac, h264_v4l2m2m" in lines
    assert "decoders     aac (listed)" in lines
    assert "heat         no sensor" in lines


def test_nothing_that_others_named_can_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b]0;owned\x07\n[red]"
    job = msgspec.structs.replace(RUNNING, title=evil, args=(evil,), labels={"title": evil}, reason=evil, agent=evil)
    show_jobs([job])
    show_job(job)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "[red]" in out


def test_who_waits_in_a_pipe_gets_a_line_for_each_end(capsys: pytest.CaptureFixture[str]) -> None:
    with watcher([RUNNING], quiet=False) as shown:
        shown.progress(ProgressSeen(agent="pi-1", job=RUNNING.id, progress=RUNNING.progress))
        shown.job(RUNNING)
        shown.job(FAILED)
    assert capsys.readouterr().out == f"{FAILED.id}  failed     ffmpeg ended with exit code 3\n"


def test_who_waits_for_json_sees_nothing_before_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with watcher([RUNNING], quiet=True) as shown:
        shown.job(FAILED)
    assert capsys.readouterr().out == ""


ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def terminal() -> Generator[Terminal, None, None]:
    """Standard output, as a terminal of 100 columns without colours."""
    with pytest.MonkeyPatch.context() as patch:
        screen = Terminal()
        patch.setattr("sys.stdout", screen)
        for name, value in (("TERM", "xterm"), ("COLUMNS", "100"), ("LINES", "40"), ("NO_COLOR", "1")):
            patch.setenv(name, value)
        yield screen


def test_on_a_terminal_jobs_are_a_table_that_fits_and_markup_is_text() -> None:
    with terminal() as screen:
        show_jobs([msgspec.structs.replace(RUNNING, title="[red]x[/red]" * 9)])
    lines = [ESCAPE.sub("", line) for line in screen.getvalue().splitlines()]
    assert max(len(line) for line in lines) <= 100
    assert "[red]" in screen.getvalue()


def test_on_a_terminal_no_jobs_are_a_sentence() -> None:
    with terminal() as screen:
        show_jobs([])
    assert screen.getvalue() == "There are no such jobs.\n"


def test_on_a_terminal_facts_are_aligned_and_markup_is_text() -> None:
    with terminal() as screen:
        show_job(msgspec.structs.replace(RUNNING, reason="[red]why"))
        show_agents([AGENT])
        show_agent(AGENT)
    assert "[red]why" in screen.getvalue()


def test_on_a_terminal_a_bar_shows_how_far_a_job_is() -> None:
    job = msgspec.structs.replace(RUNNING, title="[bold]Film" * 20, progress=Progress())
    with terminal() as screen, watcher([job], quiet=False) as shown:
        shown.progress(ProgressSeen(agent="pi-2", job=job.id, progress=RUNNING.progress))
        shown.job(msgspec.structs.replace(job, state=JobState.SUCCEEDED))
    assert "[bold]Film" in screen.getvalue()
    assert "succeeded" in screen.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (0, "0:00"), (61, "1:01"), (3661.4, "1:01:01"), (-5, "0:00")]
)
def test_durations_are_read_at_a_glance(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


def test_a_moment_that_is_none_is_shown_as_it_came() -> None:
    assert words.moment("yesterday", local=True) == "yesterday"
