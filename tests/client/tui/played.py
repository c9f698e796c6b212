"""A mesh that is played: packets as its coordinator and agents would publish them, and a coordinator that answers.

Everything follows from numbers: the same fleet looks the same each time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import sin
from typing import Final

import msgspec

from ffmesh_client.tui.desk import Desk
from ffmesh_client.tui.model.fold import Fold
from ffmesh_client.tui.model.moment import Moment
from ffmesh_protocol import codec
from ffmesh_protocol.errors import RefusalCode, Refused
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.answers import JobList, Lines, Refusal
from ffmesh_protocol.messages.capability import AgentView, Heartbeat, Host, Load, PublicAgent, RootState, SlotUse
from ffmesh_protocol.messages.jobs import (
    AttemptState,
    AttemptView,
    JobEvent,
    JobKind,
    JobState,
    JobSummary,
    JobView,
    Progress,
    PublicJob,
    RefusedCounts,
    Summary,
    Written,
)
from ffmesh_protocol.messages.presence import AgentState, CoordinatorState, CoordinatorStatus
from ffmesh_protocol.messages.reports import LogLine
from ffmesh_protocol.messages.requests import Logs
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.topics import Topics

CLUSTER: Final = "home"
TOPICS: Final = Topics(CLUSTER)
LIFE: Final = "01J00000000000000000000D0D"
UTC: Final = 1_767_323_045.0
CREATED: Final = "2026-01-02T03:04:05.000Z"
NAMES: Final = (
    "attic",
    "basement",
    "den",
    "garage",
    "htpc",
    "kitchen",
    "nas",
    "office",
    "pi-1",
    "pi-2",
    "studio",
    "tower",
)
TITLES: Final = (
    "Holiday on the coast, part one",
    "Kitchen camera, night",
    "The long winter, 1978",
    "Birthday",
    "Concert in the park",
    "A film whose title goes on for longer than anybody wants to read it",
)
STRANGE: Final = "שלום עולם 🎬👨‍👩‍👧 " * 12 + "\u202eevil\x1b[31m" + "x" * 120
"""A title of more than 300 characters: emoji, letters that run to the left, and what would move a cursor."""

REASON: Final = "all 3 agents with encoder h264_nvenc are full: 6 of 6 slots used"
REASONS: Final = (REASON, "no agent online has root Attic mounted; last seen on den 3 h ago", REASON)


def ulid(number: int) -> str:
    """Of a job."""
    return f"01J0{number:022}"


def agent_name(number: int) -> str:
    return NAMES[number] if number < len(NAMES) else f"node-{number:03}"


def public_agent(number: int, runs: int) -> PublicAgent:
    """The third drains, the fifth has lost a root, the eighth is away."""
    state = {2: AgentState.DRAINING, 7: AgentState.OFFLINE}.get(number % 12, AgentState.ONLINE)
    mounted = RootState(mounted=True, writable=True, free_bytes=8 * 10**11, total_bytes=4 * 10**12)
    torn = RootState(mounted=False, why="the server does not answer")
    return PublicAgent(
        name=agent_name(number),
        state=state,
        life=LIFE,
        version="0.1.0",
        features=(),
        host=Host(arch="x86_64", cores=8, memory_bytes=16 * 2**30, model="Small Tower", temperature_sensor=True),
        programs={"ffmpeg": "5.1.9", "ffprobe": "5.1.9"},
        hwaccels=("cuda",) if number % 3 == 0 else (),
        tried=True,
        roots={"Movies": mounted, "Series": torn if number % 12 == 4 else mounted},
        slots={"cpu": SlotUse(total=4, used=runs)},
        fence="landlock",
        load=Load(cpu_percent=10.0, memory_percent=20.0, temperature_c=None),
        running=tuple(job_id(number, run) for run in range(runs)),
        last_seen_at=CREATED,
        gpus=("NVIDIA T4",) if number % 3 == 0 else (),
    )


def runs_of(number: int) -> int:
    return 0 if number % 12 == 7 else (number * 5 + 2) % 4


def job_id(agent: int, run: int) -> str:
    return ulid(agent * 10 + run)


def title(number: int) -> str:
    return TITLES[number % len(TITLES)]


def public_job(agent: int, run: int, *, name: str | None = None) -> PublicJob:
    number = agent * 10 + run
    attempt = AttemptView(
        number=1,
        agent=agent_name(agent),
        state=AttemptState.RUNNING,
        started_at=CREATED,
        ended_at=None,
        exit_code=None,
        signal=None,
        reason=None,
    )
    return PublicJob(
        id=ulid(number),
        state=JobState.RUNNING,
        kind=JobKind.STAGED,
        attached=False,
        title=name if name is not None else title(number),
        program="ffmpeg",
        agent=agent_name(agent),
        priority=0,
        after=(),
        workflow=None,
        needs=Needs(program="ffmpeg", roots=("Movies",)),
        exit_code=None,
        signal=None,
        reason=None,
        reason_code=None,
        permanent=False,
        progress=Progress(),
        placement=f"{agent_name(agent)}: the most free slots of 3 agents that can",
        attempts=(attempt,),
        created_at=CREATED,
        started_at=CREATED,
        ended_at=None,
    )


def progress_of(number: int) -> Progress:
    percent = float((number * 37 + 11) % 100)
    return Progress(
        percent=percent,
        frame=number * 100,
        fps=20.0 + number % 60,
        speed=0.8 + number % 7 / 4,
        eta_s=(100 - percent) * 9,
    )


def beat_of(number: int, beat: int) -> Heartbeat:
    cpu = float((number * 31 + beat * beat * 7) % 101)
    return Heartbeat(
        life=LIFE,
        beat=beat,
        load=Load(cpu_percent=cpu, memory_percent=float(20 + number * 7 % 60), temperature_c=40.0 + number % 40),
        slots={"cpu": SlotUse(total=4, used=runs_of(number))},
        running=tuple(job_id(number, run) for run in range(runs_of(number))),
    )


def summary(agents: int) -> Summary:
    return Summary(
        life=LIFE,
        agents_online=agents - (agents + 4) // 12,
        agents_known=agents,
        slots_total=agents * 4,
        slots_used=sum(runs_of(each) for each in range(agents)),
        jobs={"running": sum(runs_of(each) for each in range(agents)), "queued": agents * 3, "granted": 0},
        jobs_ended={"succeeded": agents * 11, "failed": agents // 4, "cancelled": 1} if agents else {},
        submitted_per_minute=4,
        ended_per_minute=3,
        refused=RefusedCounts(),
    )


def status(state: CoordinatorState = CoordinatorState.ONLINE) -> CoordinatorStatus:
    return CoordinatorStatus(state=state, life=LIFE, connection=1, version="0.1.0")


def said(topic: str, message: object, *, retain: bool = False) -> Packet:
    return Packet(topic=topic, payload=codec.encode(message), qos=0, retain=retain)


def packets(agents: int, *, beats: int = 12) -> Iterator[Packet]:
    yield said(TOPICS.coordinator_status(), status(), retain=True)
    yield said(TOPICS.summary(), summary(agents))
    for number in range(agents):
        name = agent_name(number)
        yield said(TOPICS.agent(name), public_agent(number, runs_of(number)), retain=True)
        for run in range(runs_of(number)):
            job = public_job(number, run)
            yield said(TOPICS.job(job.id), job, retain=True)
            yield said(TOPICS.progress(name, job.id), progress_of(number * 10 + run), retain=True)
        for beat in range(beats):
            yield said(TOPICS.heartbeat(name), beat_of(number, beat))


class Clock:
    def __init__(self) -> None:
        self.elapsed = 1_000.0

    def __call__(self) -> Moment:
        return Moment(elapsed=self.elapsed, utc=UTC + self.elapsed - 1_000.0)


def job_view(number: int, state: JobState = JobState.RUNNING, **changes: object) -> JobView:
    public = public_job(number // 10, number % 10)
    whole = JobView(
        **{name: getattr(public, name) for name in PublicJob.__struct_fields__},
        args=(
            "-y",
            "-i",
            "$Movies/in/film.mkv",
            "-vf",
            "scale=1280:-2",
            "-c:v",
            "libx264",
            "-crf",
            "21",
            "$Movies/out.mkv",
        ),
        outputs=("$Movies/out.mkv",),
        labels={"title": public.title or "", "show": "Holiday"},
        owner="laptop" if number % 2 else "tv",
    )
    return msgspec.structs.replace(whole, **(_of_state(whole, state) | changes))


def _of_state(job: JobView, state: JobState) -> dict[str, object]:
    nobody: dict[str, object] = {"state": state, "agent": None, "started_at": None, "placement": None, "attempts": ()}
    attempt = job.attempts[0]
    ended: dict[str, object] = {"state": state, "ended_at": "2026-01-02T04:04:05.000Z"}
    match state:
        case JobState.QUEUED:
            return nobody | {"reason": REASONS[int(job.id[4:]) // 10 % 3], "reason_code": ReasonCode.WAITING_FOR_SLOT}
        case JobState.WAITING:
            return nobody | {"reason": "it waits for other jobs", "reason_code": ReasonCode.WAITING_FOR_JOBS}
        case JobState.SUCCEEDED:
            last = msgspec.structs.replace(
                attempt, state=AttemptState.SUCCEEDED, exit_code=0, ended_at="2026-01-02T04:04:05.000Z"
            )
            written = JobSummary(seconds=3600.0, outputs=(Written(path="$Movies/out.mkv", bytes=734_000_000),))
            return ended | {"attempts": (last,), "exit_code": 0, "summary": written, "reason_code": ReasonCode.EXITED}
        case JobState.FAILED:
            why = "the program ended with exit code 1: Unknown encoder 'libx266'"
            last = msgspec.structs.replace(
                attempt, state=AttemptState.FAILED, exit_code=1, reason=why, ended_at="2026-01-02T04:04:05.000Z"
            )
            words = JobSummary(seconds=0.4, last_lines=("Unknown encoder 'libx266'",))
            return ended | {
                "attempts": (last,),
                "exit_code": 1,
                "summary": words,
                "reason": why,
                "reason_code": ReasonCode.EXITED,
            }
        case _:
            return {"state": state}


LOG: Final = list(
    enumerate(
        (
            "Input #0, matroska,webm, from '/srv/movies/in/film.mkv':",
            "  Duration: 01:52:04.02, start: 0.000000, bitrate: 8021 kb/s",
            "  Stream #0:0: Video: h264 (High), yuv420p, 1920x1080, 25 fps",
            "Stream mapping:",
            "  Stream #0:0 -> #0:0 (h264 (native) -> h264 (libx264))",
            *(
                f"frame={frame * 60:6} fps= 30 q=28.0 size={frame * 256:8}kB time=00:00:{frame % 60:02}.00"
                for frame in range(40)
            ),
        ),
        1,
    )
)


class PlayedMesh:
    """A coordinator that knows these jobs, the newest first, and does what it is asked unless it `refuses`."""

    def __init__(self, jobs: Sequence[JobView] = (), agents: Sequence[AgentView] = ()) -> None:
        self.all = {job.id: job for job in jobs}
        self.agents = {agent.name: agent for agent in agents}
        self.lines = tuple(LogLine(time=number / 2, stream="stderr", text=line, number=number) for number, line in LOG)
        self.refuses: Refused | None = None
        self.asked: list[tuple[str, str]] = []
        """What was asked for by name: verb, and of whom."""
        self.pages = 0

    async def jobs(
        self,
        *,
        states: Sequence[JobState] = (),
        labels: Mapping[str, str] | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> JobList:
        self.pages += 1
        wanted = [
            job
            for job in self.all.values()
            if (not states or job.state in states) and (labels or {}).items() <= job.labels.items()
        ]
        start = int(cursor or 0)
        more = start + limit < len(wanted)
        return JobList(jobs=tuple(wanted[start : start + limit]), cursor=str(start + limit) if more else None)

    async def jobs_named(self, ids: Iterable[str], *, patience: float | None = 10.0) -> dict[str, JobView]:
        del patience
        return {each: self.all[each] for each in ids if each in self.all}

    async def job(self, job: str) -> JobView:
        if job not in self.all:
            raise Refused(RefusalCode.UNKNOWN_JOB, f"no job {job} is known; `ffmesh jobs` lists them")
        return self.all[job]

    async def cancel(self, job: str) -> JobView:
        return self._changed("cancel", job, JobState.CANCELLED)

    async def retry(self, job: str) -> JobView:
        return self._changed("retry", job, JobState.QUEUED)

    async def agent(self, name: str) -> AgentView:
        if name not in self.agents:
            raise Refused(RefusalCode.UNKNOWN_AGENT, f"no agent {name} is known; `ffmesh agents` lists them")
        return self.agents[name]

    async def drain(self, name: str, draining: bool) -> AgentView:
        self.asked.append(("drain" if draining else "resume", name))
        if self.refuses is not None:
            raise self.refuses
        return self.agents[name]

    async def tail(self, logs: Logs, *, patience: float | None = 10.0) -> Lines | Refusal:
        del patience
        after = logs.after or 0
        return Lines(lines=tuple(line for line in self.lines if line.number > after))

    def _changed(self, verb: str, job: str, state: JobState) -> JobView:
        self.asked.append((verb, job))
        if self.refuses is not None:
            raise self.refuses
        self.all[job] = job_view(int(job[4:]), state)
        return self.all[job]


def agent_view(number: int) -> AgentView:
    short = public_agent(number, runs_of(number))
    return AgentView(
        **{name: getattr(short, name) for name in PublicAgent.__struct_fields__},
        encoders=("aac", "h264_nvenc", "hevc_nvenc", "libopus", "libx264", "libx265"),
        decoders=("aac", "h264", "hevc"),
        filters=("scale", "yadif"),
        unavailable={
            "encoder/av1_nvenc": "No capable devices found",
            "encoder/h264_vaapi": "no render node may be opened",
            "hwaccel/vulkan": "it computes in software",
        },
        max_resolutions={"h264_nvenc": "4096x4096"},
        speeds={"libx264": 212.0, "h264_nvenc": 640.0},
    )


def played_jobs(agents: int) -> list[JobView]:
    """What runs, what waits and what has ended, the newest first."""
    running = [job_view(number * 10 + run) for number in range(agents) for run in range(runs_of(number))]
    ends = (JobState.SUCCEEDED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
    ended = [job_view(5_000 + number * 10, ends[number % len(ends)], agent="tower") for number in range(agents * 2)]
    queued = [job_view(9_000 + number * 10, JobState.QUEUED) for number in range(agents * 3)]
    chained = [job for number in range(min(agents, 3)) for job in workflow(number)]
    return [*queued, *running, *chained, *ended]


def workflow(number: int) -> list[JobView]:
    """A film that is cut, encoded in three chunks and joined: the newest first, as they were handed in."""
    base = 700_000 + number * 10
    root = ulid(base)

    def step(offset: int, name: str, state: JobState, *after: int) -> JobView:
        ids = tuple(ulid(base + each) for each in after)
        changes = {"title": name, "after": ids, "workflow": root}
        return job_view(base + offset, state, agent=None if state is JobState.WAITING else "tower", **changes)

    return [
        step(4, "join", JobState.WAITING, 1, 2, 3),
        step(3, "chunk 3", JobState.RUNNING, 0),
        step(2, "chunk 2", JobState.FAILED, 0),
        step(1, "chunk 1", JobState.SUCCEEDED, 0),
        step(0, f"cut film {number}", JobState.SUCCEEDED),
    ]


def event(number: int) -> JobEvent:
    kinds = ("job_queued", "job_started", "job_succeeded", "job_failed")
    failed = number % 4 == 3
    return JobEvent(
        event_type=kinds[number % 4],
        job=ulid(number),
        workflow=None,
        title=title(number),
        agent=None if number % 4 == 0 else agent_name(number % 12),
        reason="the program ended with an exit code other than 0" if failed else None,
    )


def played_desk(agents: int, *, mesh: PlayedMesh | None = None) -> Desk:
    clock = Clock()
    fold = Fold(CLUSTER)
    fold.opened(clock())
    for packet in packets(agents):
        fold.heard(packet, clock())
    for number in range(min(agents * 4, 40)):
        clock.elapsed += 7
        fold.heard(said(TOPICS.events(), event(number)), clock())
    if agents:
        for second in range(240):
            clock.elapsed += 1
            told = Progress(
                percent=second / 8, fps=20.0 + 8 * sin(second / 17), speed=1 + sin(second / 40) / 2, eta_s=801.0
            )
            fold.heard(said(TOPICS.progress(agent_name(0), job_id(0, 0)), told), clock())
    fold.heard(said(TOPICS.summary(), summary(agents)), clock())
    for number in range(agents):
        for run in range(runs_of(number)):
            if (number, run) == (0, 0):
                continue
            told = progress_of(number * 10 + run)
            fold.heard(said(TOPICS.progress(agent_name(number), job_id(number, run)), told), clock())
    known = mesh or PlayedMesh(played_jobs(agents), [agent_view(number) for number in range(agents)])
    return Desk(CLUSTER, fold, known, clock)
