"""What truly happened, kept outside the cores: who started, wrote and renamed what, what clients were told."""

from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass, field

from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_protocol.messages.jobs import JobKind


class Broken(AssertionError):
    """A promise was broken. The story so far stands with it."""


@dataclass
class Run:
    """A program that was truly started."""

    job: str
    attempt: str
    machine: str
    kind: JobKind
    output: bytes
    started_at: float
    ended_at: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    stopped: bool = False
    paused: bool = False
    must_end: bool = False
    """It was told to, and takes a moment for it."""


@dataclass
class Truth:
    runs: dict[str, Run] = field(default_factory=dict[str, Run])
    """By attempt."""
    of_job: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    commits: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Of each job the attempts whose output took its place, in order."""
    kept_at: dict[str, float] = field(default_factory=dict[str, float])
    """When the result of an attempt was on its agent's disk."""
    ended_at: dict[str, float] = field(default_factory=dict[str, float])
    """When a job's end was on the coordinator's disk, last."""
    accepted: set[str] = field(default_factory=set[str])
    client_ends: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    heard: dict[str, bytes] = field(default_factory=lambda: defaultdict(bytes))

    def started(self, run: Run, *, slots: int, granted: bool, asleep: Set[str]) -> None:
        """`asleep` are machines whose programs write nothing now, and are killed before they could when they wake."""
        if run.attempt in self.runs:
            raise Broken(f"attempt {run.attempt} was started twice")
        if not granted:
            raise Broken(f"attempt {run.attempt} was started and its grant is on no disk")
        others = [self.runs[name] for name in self.of_job[run.job]]
        if run.kind is JobKind.INTERACTIVE and others:
            raise Broken(f"interactive job {run.job} ran twice")
        if run.kind is JobKind.DIRECT and any(
            other.ended_at is None and other.machine not in asleep for other in others
        ):
            raise Broken(f"two programs write the outputs of job {run.job}: {run.attempt} and {others[-1].attempt}")
        self.runs[run.attempt] = run
        self.of_job[run.job].append(run.attempt)
        self.fit(run.machine, slots)

    def fit(self, machine: str, slots: int) -> None:
        """What stands still takes nothing, and what must end no longer than it needs for that."""
        going = [run for run in self.running_on(machine) if not run.paused and not run.must_end]
        if len(going) > slots:
            raise Broken(f"{machine} runs {len(going)} programs on {slots} slots: {[run.attempt for run in going]}")

    def renamed(self, job_id: str, attempt: str, on_disk: Job | None, now: float) -> None:
        """Only who holds the job, and was given leave, may put its output in place."""
        holder = on_disk.attempt if on_disk is not None else None
        if on_disk is None or on_disk.phase is not Phase.COMMITTING or holder is None or holder.id != attempt:
            phase = on_disk.phase if on_disk is not None else "unknown"
            raise Broken(f"attempt {attempt} was put in place at {now:.3f}, when job {job_id} was {phase}")
        self.commits[job_id].append(attempt)
        if len(set(self.commits[job_id])) != len(self.commits[job_id]):
            raise Broken(f"attempt {attempt} was put in place twice")

    def running_on(self, machine: str) -> list[Run]:
        return [run for run in self.runs.values() if run.machine == machine and run.ended_at is None]
