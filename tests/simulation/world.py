"""A mesh in a bottle: real cores, one heap of moments, one seed. Faults happen for a while; then they stop.

After every step the promises are checked against the truth, which no core sees; at the end every job must have ended.
"""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from ffmesh_client.core.post import Identity
from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_protocol.media import Needs, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.manners import Manner
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.reasons import ReasonCode
from simulation.agent_part import AgentPart
from simulation.clients import RunPart, SubmitPart
from simulation.coordinator_part import CoordinatorPart
from simulation.network import Broker, Weather
from simulation.part import Part
from simulation.truth import Broken, Truth

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
STORY_LINES = 60
CALM_SECONDS = 900.0
"""After the faults: time for leases to run out and for every try that a job has left."""

SHORT_FAULTS = ["kill", "kill", "cut", "broker", "client", "word", "heat", "term"]
"""Nobody is away for as long as a lease."""

LONG_FAULTS = [
    *SHORT_FAULTS,
    "freeze",
    "freeze",
    "sleep",
    "partition",
    "partition",
    "lonely",
    "lonely",
    "clone",
    "disk",
]

DIE_AFTER_COMMIT = 0.002

LONELY_SECONDS = 120.0
"""That another has begun the work, and is in the midst of it, when the first comes back."""

LOOK_EVERY = 10.0
QUIET_SECONDS = 40.0
"""When all is done it is watched for so long: the end must stay the end, and what is kept must be let go."""

YEAR = 365 * 86_400.0
LONG_FREEZES = [3.0, 8.0, 20.0, 75.0, 100.0]
"""Seconds: shorter than a silence, longer than the keepalive, than a lease, and than a lease that was just renewed."""


class World:
    def __init__(
        self,
        seed: int,
        *,
        jobs: int = 8,
        agents: int = 2,
        faulty_for: float = 60.0,
        weather: Weather | None = None,
        faults: Sequence[str] | None = None,
        die_after_commit: float = DIE_AFTER_COMMIT,
    ) -> None:
        """`faults`: no others befall it."""
        self.dice = Random(seed)
        self.seed = seed
        self.now = 0.0
        self.faulty = True
        self.die_after_commit = die_after_commit
        self.truth = Truth()
        self.story: deque[str] = deque(maxlen=STORY_LINES)
        self._heap: list[tuple[float, int, str, Callable[[], None]]] = []
        self._order = 0
        self._clones = 0
        self._long_away = False
        self._lonely: list[AgentPart] = []
        is_hard = self.dice.random() < 0.7
        self._faults = faults or (LONG_FAULTS if is_hard else SHORT_FAULTS)
        self._faulty_for = faulty_for
        self.weather = weather or Weather(
            drop=self.dice.choice([0.0, 0.02, 0.2]),
            repeat=self.dice.choice([0.0, 0.1, 0.4]),
            delay=self.dice.choice([0.01, 0.1, 1.0]),
        )
        self.broker = Broker(self, self.dice, self.weather)
        names = [f"pi-{number}" for number in range(agents)]
        secrets = {name: self.dice.randbytes(32) for name in [*names, "tv"]}
        self.identity = Identity(cluster="home", name="tv", secret=secrets["tv"], kid=1)
        self.coordinator = CoordinatorPart(self, secrets, names, ["tv"])
        self.agents = [AgentPart(self, name, secrets[name], self.dice.choice([1, 2])) for name in names]
        self._jobs: list[Submit] = []
        self.clients = [self._client(number) for number in range(jobs)]

    # --- time ---------------------------------------------------------------------------------------------------------

    def after(self, seconds: float, what: str, action: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._heap, (self.now + seconds, self._order, what, action))

    def say(self, what: str) -> None:
        self.story.append(f"{self.now:9.3f}  {what}")

    def ulid(self) -> str:
        """Random but for its first letter; lives and ids need no order."""
        return "0" + "".join(self.dice.choices(ALPHABET, k=25))

    def nonce(self) -> bytes:
        return self.dice.randbytes(12)

    def clock_error(self) -> float:
        """A Raspberry Pi boots in the past; others live in the future."""
        return self.dice.choice([0.0, self.dice.uniform(-30, 30) * YEAR])

    # --- the play -----------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """The whole story; `Broken` with its end if a promise is."""
        try:
            self._play()
        except Broken as broken:
            story = "\n".join(self.story)
            raise Broken(f"seed {self.seed}: {broken}\nthe last {len(self.story)} events:\n{story}") from broken

    def _play(self) -> None:
        for part in [self.coordinator, *self.agents]:
            self.after(self.dice.uniform(0, 1), f"{part.name} starts", part.start)
        for client in self.clients:
            self.after(self.dice.uniform(0, self._faulty_for / 2), f"{client.name} starts", client.start)
        self._next_fault()
        self._run_until(self._faulty_for)
        self._calm()
        while not self._has_settled() and self.now < self._faulty_for + CALM_SECONDS:
            self._run_until(self.now + LOOK_EVERY)
        self._run_until(self.now + QUIET_SECONDS)
        self._check_end()

    def _has_settled(self) -> bool:
        jobs = self.coordinator.jobs.values()
        waits = any(isinstance(client, RunPart) and client.alive for client in self.clients)
        said = all(client.has_said_all for client in self.clients if isinstance(client, SubmitPart))
        awake = not any(part.frozen or part.parted for part in [self.coordinator, *self.agents])
        return awake and said and not waits and all(job.has_ended for job in jobs)

    def _run_until(self, end: float) -> None:
        while self._heap and self._heap[0][0] <= end:
            at, _, what, action = heapq.heappop(self._heap)
            self.now = at
            self.say(what)
            action()
            self._check()
        self.now = end

    def _calm(self) -> None:
        """No fault begins any more. Who is frozen or parted from the broker goes on when its time has come."""
        self.say("--- the faults stop ---")
        self.faulty = False
        self.weather.drop = self.weather.repeat = 0.0
        self.weather.delay = 0.02
        self.broker.start()
        self.coordinator.clear_disk()
        for part in [self.coordinator, *self.agents]:
            part.start()
        for name in sorted({each.agent for each in self.agents}):
            self.coordinator.tell(name, None)
        for agent in self.agents:
            agent.mind(None)

    def _client(self, number: int) -> Part:
        kind = self.dice.choice(list(JobKind))
        outputs = (RootPath(root="Movies", path=f"{number}.mkv"),) if kind is JobKind.STAGED else ()
        parents = self.dice.sample(self._jobs, k=min(len(self._jobs), self.dice.choice([0, 0, 0, 1, 2])))
        submit = Submit(
            job=self.ulid(),
            kind=kind,
            program="ffmpeg",
            args=(("-version",),),
            cwd=None,
            env={},
            umask=None,
            stdin_is_terminal=False,
            needs=Needs(program="ffmpeg"),
            priority=self.dice.choice([0, 0, 5]),
            timeout_seconds=self.dice.choice([None, None, 3.0]),
            labels={},
            after=() if kind is JobKind.INTERACTIVE else tuple(parent.job for parent in parents),
            max_attempts={JobKind.INTERACTIVE: 1, JobKind.DIRECT: self.dice.choice([1, 3]), JobKind.STAGED: 3}[kind],
            outputs=outputs,
        )
        if kind is JobKind.INTERACTIVE:
            return RunPart(self, f"run-{number}", self.identity, submit)
        self._jobs.append(submit)
        return SubmitPart(
            self,
            f"submit-{number}",
            self.identity,
            submit,
            cancel_after=self.dice.choice([None, None, None, 0.5, 10.0]),
            retry_after=self.dice.choice([None, None, 20.0, 60.0]),
        )

    # --- faults -------------------------------------------------------------------------------------------------------

    def _next_fault(self) -> None:
        self.after(self.dice.expovariate(1 / 5.0), "a fault", self._fault)

    def _fault(self) -> None:
        if not self.faulty:
            return
        agent = self.dice.choice([each for each in self.agents if each not in self._lonely] or self.agents)
        part = self.dice.choice([self.coordinator, agent, agent])
        match self.dice.choice(self._faults):
            case "kill":
                self.crash(part)
            case "partition":
                self.say(f"{part.name} cannot reach the broker")
                part.part_from_broker(self._long())
            case "lonely":
                self._part_a_worker()
            case "freeze":
                self.say(f"{part.name} is frozen")
                part.freeze(self._long())
            case "sleep":
                self.say(f"{agent.name} falls asleep")
                agent.sleep(self._long())
            case "clone":
                self._clone(agent)
            case "word":
                manner = self.dice.choice([None, Manner.DRAIN, Manner.PAUSE, Manner.STOP])
                self.say(f"{agent.agent} is told to {manner or 'resume'}")
                self.coordinator.tell(agent.agent, manner)
            case "term":
                self.say(f"{agent.name} is told to finish what it has and to leave")
                agent.drain()
            case "heat":
                manner = self.dice.choice([None, Manner.SLOW, Manner.DRAIN, Manner.PAUSE, Manner.STOP])
                self.say(f"{agent.name} minds its heat: {manner}")
                agent.mind(manner)
            case "disk":
                self.say("the coordinator's disk is full")
                self.coordinator.fill_disk()
                self.after(self.dice.choice([1.0, 10.0, 70.0]), "there is room again", self.coordinator.clear_disk)
            case "cut":
                self.say(f"{part.name} loses its connection")
                part.cut_off()
            case "broker":
                self.say("the broker is killed and forgets everything")
                self.broker.kill()
                self.after(self.dice.choice([0.2, 3.0, 15.0]), "the broker is back", self.broker.start)
            case _:
                self._kill_client()
        self._next_fault()

    def _part_a_worker(self) -> None:
        """One that runs what takes long is away for longer than its lease, and nothing else befalls it meanwhile."""
        workers = [each for each in self.agents if each.alive and each not in self._lonely and each.works_long()]
        if not workers:
            return
        worker = self.dice.choice(workers)
        self.say(f"{worker.name} cannot reach the broker, and works on")
        self._long_away = True
        self._lonely.append(worker)
        worker.part_from_broker(LONELY_SECONDS)

    def crash(self, part: Part) -> None:
        if not part.alive:
            return
        self.say(f"{part.name} is killed")
        part.kill()
        self.after(self.dice.choice([0.3, 2.0, 20.0]), f"{part.name} starts", part.start)

    def _long(self) -> float:
        seconds = self.dice.choice(LONG_FREEZES)
        self._long_away = True
        return seconds

    def _clone(self, agent: AgentPart) -> None:
        """Somebody copies its memory card and starts another machine with it."""
        self._clones += 1
        clone = agent.clone(self._clones)
        self.say(f"{clone.name} starts with a copy of the disk of {agent.name}")
        self._long_away = True
        self.agents.append(clone)
        clone.start()

    def _kill_client(self) -> None:
        running = [client for client in self.clients if isinstance(client, RunPart) and client.alive]
        if running:
            client = self.dice.choice(running)
            self.say(f"{client.name} is killed")
            client.kill()

    # --- promises -----------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        """After every step. That nothing runs twice, beyond its slots or without a grant is checked where it starts."""
        jobs = self.coordinator.jobs
        for job_id in self.truth.accepted:
            if job_id not in jobs:
                raise Broken(f"job {job_id} was accepted and is forgotten")
        for job_id, codes in self.truth.client_ends.items():
            if len(codes) > 1:
                raise Broken(f"the client of job {job_id} saw more than one end: {codes}")
            if codes[0] == 0 and jobs[job_id].phase is not Phase.SUCCEEDED:
                raise Broken(f"the client of job {job_id} saw a success that is on no disk")

    def _check_end(self) -> None:
        for job in self.coordinator.jobs.values():
            if not job.has_ended:
                raise Broken(f"job {job.id} is still {job.phase}, {CALM_SECONDS:.0f} s after the last fault")
            runs = [self.truth.runs[name] for name in self.truth.of_job[job.id]]
            if job.phase is Phase.SUCCEEDED and not any(run.exit_code == 0 and not run.stopped for run in runs):
                raise Broken(f"job {job.id} counts as succeeded, and no program of it ended so")
            last = self.truth.runs.get(job.attempts[-1].id) if job.attempts else None
            if job.phase is Phase.SUCCEEDED and (last is None or last.exit_code != 0 or last.stopped):
                raise Broken(f"job {job.id} succeeded by an attempt that did not")
            if job.kind is JobKind.STAGED and job.phase is Phase.SUCCEEDED and not self.truth.commits[job.id]:
                raise Broken(f"job {job.id} counts as succeeded, and its output is not in place")
            if len(job.tries) > job.asked.max_attempts:
                raise Broken(f"job {job.id} was tried {len(job.tries)} times of {job.asked.max_attempts}")
            if any(run.ended_at is None for run in runs):
                raise Broken(f"job {job.id} has ended as {job.phase}, and its program still runs")
            self._check_loss(job)
        for agent in [each for each in self.agents if each.alive]:
            if agent.disk.notes:
                raise Broken(f"{agent.name} keeps outputs aside that nobody asks for: {sorted(agent.disk.notes)}")
            if agent.disk.results:
                raise Broken(f"{agent.name} keeps results that nobody settles: {sorted(agent.disk.results)}")
        self._check_clients()
        left = [topic for topic in self.broker.retained if "/coordinator/jobs/" in topic]
        if left:
            raise Broken(f"retained though no job runs: {left}")

    def _check_loss(self, job: Job) -> None:
        """While nobody is away for as long as a lease, no lease ends, and no result that is on a disk is overlooked."""
        if job.kind is not JobKind.DIRECT or job.reason_code is not ReasonCode.LOST or self._long_away:
            return
        if "lease" in (job.reason or ""):
            raise Broken(f"job {job.id} was stranded: {job.reason}")
        kept_at = self.truth.kept_at.get(job.attempts[-1].id)
        if kept_at is not None and kept_at < self.truth.ended_at[job.id]:
            raise Broken(f"job {job.id} was called lost, though its result was on disk {kept_at:.3f}")

    def _check_clients(self) -> None:
        for client in self.clients:
            if not isinstance(client, RunPart) or client.finished is None:
                if isinstance(client, RunPart) and client.alive:
                    raise Broken(f"{client.name} still waits")
                continue
            runs = [self.truth.runs[name] for name in self.truth.of_job[client.submit.job]]
            heard = self.truth.heard[client.submit.job]
            whole = runs[0].output if runs else b""
            if not whole.startswith(heard):
                raise Broken(f"{client.name} heard bytes that its program did not write so")
            if client.finished == 0 and heard != whole:
                raise Broken(f"{client.name} ended well with {len(heard)} of {len(whole)} bytes")
