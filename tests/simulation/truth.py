"""What truly happened, kept outside the cores: who started what where, how it ended, what clients were told."""

from collections import defaultdict
from dataclasses import dataclass, field


class Broken(AssertionError):
    """A promise was broken. The story so far stands with it."""


@dataclass
class Run:
    """A program that was truly started."""

    job: str
    attempt: str
    agent: str
    output: bytes
    started_at: float
    ended_at: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    stopped: bool = False


@dataclass
class Truth:
    runs: dict[str, Run] = field(default_factory=dict[str, Run])
    """By attempt."""
    of_job: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    kept_at: dict[str, float] = field(default_factory=dict[str, float])
    """When the result of an attempt was on its agent's disk."""
    accepted: set[str] = field(default_factory=set[str])
    client_ends: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    heard: dict[str, bytes] = field(default_factory=lambda: defaultdict(bytes))

    def started(self, run: Run) -> None:
        if run.attempt in self.runs:
            raise Broken(f"attempt {run.attempt} was started twice")
        self.runs[run.attempt] = run
        self.of_job[run.job].append(run.attempt)
        if len(self.of_job[run.job]) > 1:
            raise Broken(f"job {run.job} ran twice: {self.of_job[run.job]}")

    def running_on(self, agent: str) -> list[Run]:
        return [run for run in self.runs.values() if run.agent == agent and run.ended_at is None]
