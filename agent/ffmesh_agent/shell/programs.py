"""Carries out what the core orders of programs: launch, hold until, pause, terminate, kill. The only place that starts
one.

Each attempt is one task, from the grant to `ProgramEnded`. A program starts in the folder of its grant, or in a private
one that is removed after its end; with little of our environment; with what its client sends on standard input, or
nothing, and the key that ends it when it is to end. Its streams are read as blocks from beginning to end, whether or
not anybody wants them, and `ProgramEnded` is said when nothing of it runs and all that it wrote has been read.

What goes wrong in an attempt in a way that nobody expected is its own end only: see unexpected.py.

The moment at which a program's lease ends is the warden's from the program's first moment: it kills it then, also when
we are frozen.
"""

import asyncio
import errno
import logging
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from ffmesh_agent.core.events import Event, ProgramEnded, ProgramNotStarted, ProgramStarted
from ffmesh_agent.ffmpeg.argv import PROGRESS_DESCRIPTOR, Command
from ffmesh_agent.ffmpeg.aside import redirected
from ffmesh_agent.ffmpeg.command_line import files_in
from ffmesh_agent.ffmpeg.failure import failure_kind, left_half_written
from ffmesh_agent.ffmpeg.keys import QUIT, reads_keys
from ffmesh_agent.roots import RootPlace
from ffmesh_agent.shell import unexpected
from ffmesh_agent.shell.beforehand import Beforehand
from ffmesh_agent.shell.cgroups import NoCgroup
from ffmesh_agent.shell.checks import Checks
from ffmesh_agent.shell.environment import environment, of_this_machine
from ffmesh_agent.shell.fencing import Fencing
from ffmesh_agent.shell.inputs import NotReady
from ffmesh_agent.shell.limits import NO_LIMITS, KeptLimits
from ffmesh_agent.shell.noted import NotStaged
from ffmesh_agent.shell.outputs import Outputs
from ffmesh_agent.shell.owners import NewFiles, given, new_files
from ffmesh_agent.shell.pipes import StandardInput
from ffmesh_agent.shell.reading import Reading, Streams
from ffmesh_agent.shell.scratch import Scratch
from ffmesh_agent.shell.slowing import Slowing
from ffmesh_agent.shell.streaming import Streaming
from ffmesh_agent.shell.summary import Summary
from ffmesh_agent.shell.tails import Tails
from ffmesh_protocol import media
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.limits import SENTENCE_CHARS
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.reports import FailureKind, StreamLengths
from ffmesh_protocol.messages.requests import CallerSignal
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.topics import Verb
from ffmesh_warden.errors import NotStarted, WardenDied
from ffmesh_warden.fence import Fence
from ffmesh_warden.handle import Warden
from ffmesh_warden.program import Program, Starting

log = logging.getLogger(__name__)

_THE_SAME_EVERYWHERE: Final = frozenset({errno.E2BIG, errno.EINVAL, errno.EILSEQ})
"""Of what does not start: arguments and names that no machine takes. All else lies with this one."""


PASSED_ON: Final[Mapping[CallerSignal, int]] = {each: signal.Signals[f"SIG{each}"] for each in CallerSignal}


class Programs:
    def __init__(
        self,
        *,
        warden: Warden,
        tasks: asyncio.TaskGroup,
        programs: Mapping[str, str],
        roots: Mapping[str, str],
        scratch: Scratch,
        tails: Tails,
        streaming: Streaming,
        outputs: Outputs,
        beforehand: Beforehand,
        summary: Summary,
        tell: Callable[[Event], None],
        checks: Checks | None = None,
        fencing: Fencing | None = None,
        limits: KeptLimits = NO_LIMITS,
        places: Mapping[str, RootPlace] | None = None,
        slowing: Slowing | None = None,
    ) -> None:
        """`fencing` None: no fence around any of them."""
        self._warden = warden
        self._tasks = tasks
        self._checks = checks or Checks(programs, roots)
        self._fencing = fencing
        self._scratch = scratch
        self._tails = tails
        self._streaming = streaming
        self._outputs = outputs
        self._beforehand = beforehand
        self._summary = summary
        self._tell = tell
        self._limits = limits
        self._places = places or {}
        self._slowing = slowing or Slowing(nice=limits.nice)
        self._environment = of_this_machine()
        self._running: dict[str, _Running] = {}

    def launch(self, grant: Grant, kill_at: float) -> None:
        running = self._running[grant.attempt] = _Running(kill_at)
        self._tasks.create_task(self._run(grant, running), name=f"program of {grant.attempt}")

    def hold_until(self, attempt: str, kill_at: float) -> None:
        if running := self._running.get(attempt):
            running.hold_until(kill_at)

    def quit(self, attempt: str) -> None:
        if running := self._running.get(attempt):
            running.press(QUIT)
            running.wake()

    def terminate(self, attempt: str) -> None:
        if running := self._running.get(attempt):
            running.signal(signal.SIGTERM)
            running.wake()

    def pause(self, attempt: str) -> None:
        if running := self._running.get(attempt):
            running.pause()

    def resume(self, attempt: str) -> None:
        if running := self._running.get(attempt):
            running.resume()

    def pass_on(self, attempt: str, signals: Iterable[CallerSignal]) -> None:
        """To a program that is still starting, when it has."""
        if running := self._running.get(attempt):
            for each in signals:
                running.pass_on(each)

    def kill(self, attempt: str) -> None:
        self._checks.give_up(attempt)
        self._beforehand.give_up(attempt)
        self._outputs.give_up(attempt)
        if self._fencing is not None:
            self._fencing.give_up(attempt)
        if running := self._running.get(attempt):
            running.signal(signal.SIGKILL)

    async def _run(self, grant: Grant, running: "_Running") -> None:
        try:
            await self._attempt(grant, running)
        except Exception as error:  # noqa: BLE001  # of one job's, whatever it is
            self._not_started(grant, ReasonCode.NOT_STARTED, unexpected.told(grant.attempt, error), FailureKind.NODE)
        finally:
            self._beforehand.over(grant.attempt)  # also if its warden died
            self._slowing.over(grant.attempt)
            del self._running[grant.attempt]

    async def _attempt(self, grant: Grant, running: "_Running") -> None:
        try:
            wanted = await self._prepared(grant)
            new = new_files(grant, self._places)
            folder = self._scratch.made(grant.attempt, partial(given, new=new) if new.somebody_elses else None)
        except PathRefused as refusal:
            self._not_started(grant, ReasonCode.REFUSED_BY_AGENT, str(refusal), FailureKind.PERMANENT)
        except NotReady as refusal:
            self._not_started(grant, refusal.code, refusal.sentence, refusal.failure)
        except NotStaged as refusal:
            self._not_started(grant, ReasonCode.NOT_STARTED, refusal.sentence, refusal.failure)
        except OSError as error:
            self._not_started(
                grant, ReasonCode.NOT_STARTED, f"no private folder for it: {error.strerror}", FailureKind.NODE
            )
        else:
            try:
                await self._run_in(folder, grant, wanted, new, running)
            finally:
                await self._clean_up(grant.attempt, folder)

    async def _clean_up(self, attempt: str, folder: Path) -> None:
        """Its end has been told by now, and stands."""
        try:
            await self._scratch.remove(folder)
            self._limits.remove(attempt)
        except Exception:
            log.exception("%s: what it left behind stays", attempt)

    async def _prepared(self, grant: Grant) -> Command:
        """What is to be started; for a staged attempt, the place that it writes to is there by then."""
        if grant.kind is not JobKind.STAGED:
            wanted = self._checks.command(grant)
            if not self._looks_with_the_fence(grant):
                await self._checks.look(grant)
            await self._beforehand.look(grant, grant)
            return wanted
        place = self._outputs.aside(grant)
        as_started = redirected(grant, place) if place is not None else grant
        wanted = self._checks.command(as_started, self._outputs.roots)
        await self._checks.look(grant)
        await self._beforehand.look(grant, as_started, self._outputs.roots)
        await self._outputs.begin(grant, place)
        return wanted

    async def _run_in(self, private: Path, grant: Grant, wanted: Command, new: NewFiles, running: "_Running") -> None:
        with ExitStack() as pipes:
            try:
                keys = reads_keys(grant.program, wanted.argv)
                feed = self._streaming.feed(grant.attempt)
                streams = Streams.made(pipes, progress=wanted.reports_progress, stdin=keys or feed is not None)
                fence = await self._fence(private, grant, wanted)
                was_slow = self._slowing.is_slow
                start = partial(
                    self._warden.start,
                    wanted.argv,
                    fence=fence,
                    env=environment(self._environment, grant.env, private),
                    cwd=wanted.folder or private,
                    umask=new.umask(grant.umask),
                    user=new.user,
                    group=new.group,
                    nice=self._slowing.nice,
                    ionice=self._limits.ionice,
                    cpus=self._slowing.cpus,
                    cgroup=self._limits.cgroup(grant.attempt),
                    stdin=streams.stdin.reads if streams.stdin else None,
                    stdout=streams.stdout.writes,
                    stderr=streams.stderr.writes,
                    extra={PROGRESS_DESCRIPTOR: streams.progress.writes} if streams.progress else None,
                    program_called=media.printable(grant.program),
                    folder_called=media.printable(media.shown((grant.cwd,))) if grant.cwd else "of its own",
                )
                program = await running.begun(start)
            except _CalledOff:
                sentence = "it was stopped before it began"
                self._not_started(grant, ReasonCode.NOT_STARTED, sentence, FailureKind.TRANSIENT)
            except PathRefused as refusal:
                self._not_started(grant, ReasonCode.REFUSED_BY_AGENT, str(refusal), FailureKind.PERMANENT)
            except NotReady as refusal:
                self._not_started(grant, refusal.code, refusal.sentence, refusal.failure)
            except NoCgroup as refusal:
                self._not_started(grant, ReasonCode.NOT_STARTED, str(refusal), FailureKind.NODE)
            except NotStarted as error:
                log.warning("%s: %r in %r: %s", grant.attempt, wanted.argv[0], wanted.folder, error.sentence)
                kind = FailureKind.PERMANENT if error.errno in _THE_SAME_EVERYWHERE else FailureKind.NODE
                self._not_started(grant, ReasonCode.NOT_STARTED, error.sentence, kind)
            except OSError as error:
                self._not_started(grant, ReasonCode.NOT_STARTED, f"no pipes for it: {error.strerror}", FailureKind.NODE)
            except WardenDied:
                log.info("%s: the warden died while it was starting", grant.attempt)  # and the agent ends
            else:
                try:
                    streams.close_the_programs()
                    running.has_started(program, streams.stdin if keys else None)
                    self._slowing.began(grant.attempt, program.pid, was_slow=was_slow)
                    self._tell(ProgramStarted(attempt=grant.attempt, reads_keys=keys))
                    if feed is not None and streams.stdin is not None:
                        pipes.callback(feed.over)
                        feed.begin(streams.stdin, stays_open=keys)
                    await self._attend(grant, program, streams, running)
                except Exception as error:  # noqa: BLE001  # nobody attends to it any more
                    await self._kill_unattended(grant, program, running, unexpected.told(grant.attempt, error))

    async def _fence(self, private: Path, grant: Grant, wanted: Command) -> Fence | None:
        if self._fencing is None:
            return None
        look = self._checks.looking(grant) if self._looks_with_the_fence(grant) else None
        made_in = self._outputs.made_in(grant.attempt)
        return await self._fencing.fence(grant, wanted.argv[0], private, made_in, look)

    def _looks_with_the_fence(self, grant: Grant) -> bool:
        """Somebody waits for it, and nothing else has to be asked of its roots in between."""
        return grant.kind is JobKind.INTERACTIVE and self._fencing is not None

    async def _kill_unattended(self, grant: Grant, program: Program, running: "_Running", why: str) -> None:
        """A program that is not read and not heard is none that anybody can answer for. It has failed, whatever it
        said in the meantime."""
        program.signal(signal.SIGKILL)
        ended = await program.ended()
        if ended.warden_died:
            return
        reading, exit_code = running.reading, ended.exit_code or None
        self._tell_end(
            ProgramEnded(
                attempt=grant.attempt,
                exit_code=exit_code,
                signal=ended.signal or (signal.SIGKILL if exit_code is None else None),
                seconds=reading.seconds if reading is not None else 0.0,
                lengths=reading.lengths if reading is not None else StreamLengths(stdout=0, stderr=0),
                by_deadline=ended.by_deadline,
                failure=FailureKind.NODE,
                reason=f"{why}; its program was killed",
            )
        )

    async def _attend(self, grant: Grant, program: Program, streams: Streams, running: "_Running") -> None:
        reading = running.reading = Reading(
            attempt=grant.attempt,
            streams=streams,
            stdout=self._streaming.outlet(grant.attempt, Verb.STDOUT),
            stderr=self._streaming.outlet(grant.attempt, Verb.STDERR),
            tail=self._tails.begin(grant.attempt),
            tell=self._tell,
            line=files_in(grant, {}),
        )
        try:
            ended = await reading.until_ended(program)
        finally:
            await self._tails.end(grant.attempt)
        if ended.warden_died:
            return  # how it would have ended is not known, and the agent ends too
        failure = failure_kind(grant.program, ended.exit_code, ended.signal, reading.last_lines())
        over_memory = failure is not None and ended.memory_limit_reached
        self._tell_end(
            ProgramEnded(
                attempt=grant.attempt,
                exit_code=ended.exit_code,
                signal=ended.signal,
                seconds=reading.seconds,
                lengths=reading.lengths,
                by_deadline=ended.by_deadline,
                failure=FailureKind.NODE if over_memory else failure,  # another machine may give it more
                reason=self._limits.over_memory() if over_memory else None,
                half_written=left_half_written(grant.program, reading.last_lines()),
                outputs=await self._summary.outputs(grant) if ended.exit_code == 0 else (),
                last_lines=self._summary.last_lines(reading.last_lines()),
            )
        )

    def _not_started(self, grant: Grant, code: ReasonCode, sentence: str, failure: FailureKind) -> None:
        self._tell_end(
            ProgramNotStarted(
                attempt=grant.attempt, reason_code=code, sentence=sentence[:SENTENCE_CHARS], failure=failure
            )
        )

    def _tell_end(self, end: ProgramEnded | ProgramNotStarted) -> None:
        """Whoever hears it may send the next job at once, and that one may have the room that this one was promised."""
        self._beforehand.over(end.attempt)
        self._tell(end)


class _CalledOff(Exception):
    """Told to stop before the warden had said that it runs; if it was forked, it was killed before it ran."""


class _Running:
    """Keeps what is ordered while the program is still starting."""

    def __init__(self, kill_at: float) -> None:
        self.kill_at = kill_at
        self.reading: Reading | None = None
        self._program: Program | None = None
        self._ordered: Starting | None = None
        """The same from when the warden was told to start it; whether it runs by now is not known."""
        self._keys: StandardInput | None = None
        self._to_pass_on: list[CallerSignal] = []
        self._stopped_by_caller = False
        self._may_run = asyncio.Event()
        self._may_run.set()
        self._start: asyncio.Timeout | None = None
        self._is_called_off = False

    async def begun(self, start: Callable[..., Awaitable[Program]]) -> Program:
        if self._is_called_off:
            raise _CalledOff
        try:
            # Not a limit of time: a scope that `signal` can end.
            async with asyncio.timeout(None) as self._start:
                await self._may_run.wait()
                return await start(kill_at=self.kill_at, ordered=self._was_ordered)
        except TimeoutError:
            raise _CalledOff from None
        finally:
            self._start = None

    def _was_ordered(self, starting: Starting) -> None:
        self._ordered = starting

    def signal(self, number: int) -> None:
        if self._program is not None:
            self._program.signal(number)
            return
        if self._start is not None and not self._is_called_off:
            self._start.reschedule(asyncio.get_running_loop().time())
        self._is_called_off = True

    def pass_on(self, each: CallerSignal) -> None:
        """When it has started."""
        if self._program is None:
            self._to_pass_on.append(each)
            return
        if each in (CallerSignal.STOP, CallerSignal.CONT):
            self._stopped_by_caller = each is CallerSignal.STOP
        if each is not CallerSignal.CONT or self._may_run.is_set():
            self._program.signal(PASSED_ON[each])

    def pause(self) -> None:
        """One that has not begun waits to begin; one that is beginning stops before what is ordered next."""
        self._may_run.clear()
        if self._ordered is not None:
            self._ordered.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """What its caller has stopped is not ours to wake."""
        self._may_run.set()
        if self._ordered is not None and not self._stopped_by_caller:
            self._ordered.signal(signal.SIGCONT)

    def wake(self) -> None:
        """One that its caller has stopped would hear neither a key nor a signal."""
        if self._stopped_by_caller:
            self.pass_on(CallerSignal.CONT)

    def hold_until(self, kill_at: float) -> None:
        self.kill_at = kill_at
        if self._ordered is not None:
            self._ordered.kill_at(kill_at)

    def press(self, key: bytes) -> None:
        if self._keys is not None:
            self._keys.press(key)

    def has_started(self, program: Program, keys: StandardInput | None) -> None:
        self._program = self._ordered = program
        self._keys = keys
        if self._is_called_off:
            program.signal(signal.SIGKILL)
        for each in self._to_pass_on:
            self.pass_on(each)
