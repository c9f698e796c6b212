"""What the coordinator does with what clients say: submits, cancels, questions, and signs of life."""

from dataclasses import dataclass
from typing import assert_never

from ffmesh_coordinator.core import views
from ffmesh_coordinator.core.agents import Agents
from ffmesh_coordinator.core.chains import Chains
from ffmesh_coordinator.core.deadlines import About
from ffmesh_coordinator.core.desk import Desk
from ffmesh_coordinator.core.effects import Recall
from ffmesh_coordinator.core.events import Asker, ClientSpoke, ClientStatusSeen, ClientWord, Recalled
from ffmesh_coordinator.core.features import FEATURES
from ffmesh_coordinator.core.job import Job, Owner
from ffmesh_coordinator.core.jobs import Jobs, assignment, end_of
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_coordinator.core.public import Public
from ffmesh_coordinator.core.roster import Agent
from ffmesh_coordinator.core.tails import Tails
from ffmesh_protocol import codec, times
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.limits import PAGE_BYTES, SUBMIT_BYTES
from ffmesh_protocol.media import MANY_OUTPUTS, QUOTING_NONE, QUOTING_PATTERN, are_many, printable
from ffmesh_protocol.media import shown as shown_argument
from ffmesh_protocol.messages.answers import Accepted, AgentList, Attended, JobList, JobNews
from ffmesh_protocol.messages.capability import AgentView
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.manners import Manner, wanted
from ffmesh_protocol.messages.presence import ClientState
from ffmesh_protocol.messages.requests import (
    Attending,
    Bye,
    Cancel,
    DrainAgent,
    ListAgents,
    Logs,
    Retry,
    ShowAgent,
    Submit,
)
from ffmesh_protocol.names import client as client_principal
from ffmesh_protocol.reasons import Stopped


@dataclass
class Life:
    """One life of a client. Its key is name and life: another client may put the same letters beside its own name."""

    client: str
    life: str
    connection: int = 0

    @property
    def key(self) -> str:
        return f"{self.client}/{self.life}"


class Clients:
    def __init__(self, desk: Desk, jobs: Jobs, chains: Chains, agents: Agents, public: Public, tails: Tails) -> None:
        self._desk = desk
        self._jobs = jobs
        self._chains = chains
        self._agents = agents
        self._public = public
        self._tails = tails
        self._lives: dict[str, Life] = {}

    def spoke(self, spoken: ClientSpoke) -> None:
        client, life, word, asker = spoken.client, spoken.life, spoken.word, spoken.asker
        self._heard(client, life)
        lacking = sorted(set(word.requires) - FEATURES)
        if lacking:
            self._desk.refuse(asker, RefusalCode.UNSUPPORTED, f"this coordinator does not know {', '.join(lacking)}")
            return
        match word:
            case Submit():
                self._submit(word, Owner(client=client, life=life), asker)
            case Attending():
                self._attend(spoken, word)
            case Cancel(job=job_id) | Logs(job=job_id) | Retry(job=job_id):
                self._about(spoken, job_id)
            case ListAgents(cursor=cursor):
                self._list_agents(asker, cursor)
            case ShowAgent(agent=name):
                self._show_agent(asker, name)
            case DrainAgent():
                self._drain(word, asker)
            case Bye():
                self._gone(client, life)
                self._retire(Life(client, life))
            case _:
                assert_never(word)

    # --- jobs ---------------------------------------------------------------------------------------------------------

    def _submit(self, submit: Submit, owner: Owner, asker: Asker | None) -> None:
        """Accepted once, answered as often as it is asked: the client made the id."""
        desk = self._desk
        known = desk.ledger.get(submit.job) or desk.ledger.recent(submit.job)
        if known is not None and known.owner.client != owner.client:
            desk.refuse(asker, RefusalCode.ID_TAKEN, f"the id {submit.job} belongs to a job of somebody else")
            return
        if known is None and submit.job not in desk.ledger.ended:
            refusal = self._refusal_of(submit)
            if refusal is not None:
                desk.refuse(asker, *refusal)
                return
            job = self._jobs.accept(submit, owner)
            self._public.submitted()
            if job.is_interactive:
                self._count_silence(owner.client, owner.life)
        desk.reply(asker, Accepted(job=submit.job))

    def _refusal_of(self, submit: Submit) -> tuple[RefusalCode, str] | None:
        if self._desk.full:
            return RefusalCode.FULL, "the disk of the coordinator is full; make room there, then hand the job in again"
        if submit.needs.program != submit.program:
            return RefusalCode.MALFORMED, "the job needs another program than the one it runs"
        if (submit.kind is JobKind.STAGED) != bool(submit.outputs):
            return RefusalCode.MALFORMED, "a staged job, and only a staged one, names what it writes"
        wrong = _wrong_output(submit)
        if wrong is not None:
            return RefusalCode.MALFORMED, wrong
        unknown = self._chains.unknown(submit.after)
        if unknown:
            sentence = f"it is to come after job {unknown[0]}, which is not known; `ffmesh jobs` lists them"
            return RefusalCode.UNKNOWN_JOB, sentence
        if self._desk.roster.lists_program(submit.program) is False:
            sentence = (
                f"{submit.program} is on the list of no known agent; add it there with --program {submit.program}"
            )
            return RefusalCode.PROGRAM_NOT_LISTED, sentence
        if len(codec.encode(submit)) > SUBMIT_BYTES:
            return RefusalCode.TOO_LARGE, f"the job's arguments are too long: {SUBMIT_BYTES // 1024} KiB are the limit"
        return None

    def _attend(self, spoken: ClientSpoke, word: Attending) -> None:
        news: list[JobNews] = []
        for job_id in word.jobs:
            job = self._at_hand(job_id)
            if job is not None:
                news.append(self._news(job))
            elif job_id in self._desk.ledger.ended:
                self._desk.order(Recall(job=job_id, spoken=spoken))
            else:
                news.append(JobNews(job=job_id, known=False, state=None, assignment=None, end=None))
        self._tell_news(spoken, news)

    def recalled(self, recalled: Recalled) -> None:
        """The disk's answer about a job that ended long ago."""
        spoken, job = recalled.spoken, recalled.found
        if isinstance(spoken.word, Retry) and job is not None:
            self._retry(job, recalled.followers, spoken.asker)
        elif isinstance(spoken.word, Attending):
            if job is not None:
                self._tell_news(spoken, [self._news(job)])
        elif job is None:
            self._unknown(spoken.asker, recalled.job)
        else:
            self._answer_about(spoken.word, job, spoken.asker)

    def _about(self, spoken: ClientSpoke, job_id: str) -> None:
        job = self._at_hand(job_id)
        is_retry = isinstance(spoken.word, Retry)
        if job is not None and not (is_retry and job.has_ended):
            self._answer_about(spoken.word, job, spoken.asker)
        elif job_id in self._desk.ledger.ended:
            self._desk.order(Recall(job=job_id, spoken=spoken, with_followers=is_retry))
        else:
            self._unknown(spoken.asker, job_id)

    def _retry(self, found: Job, followers: tuple[Job, ...], asker: Asker | None) -> None:
        """And with it what ended because it had. Somebody may have said so a moment before."""
        job = self._desk.ledger.get(found.id)
        if job is None:
            found = self._desk.ledger.recent(found.id) or found
            refusal = self._cannot_retry(found)
            if refusal is not None:
                self._desk.refuse(asker, *refusal)
                return
            job = self._jobs.reopen(found)
            for follower in followers:
                if follower.is_interactive:
                    continue  # nobody waits for it any more
                if self._desk.ledger.get(follower.id) is None and follower.id in self._desk.ledger.ended:
                    self._jobs.reopen(follower)
        self._desk.reply(asker, JobList(jobs=(views.job_view(job),), cursor=None))

    def _cannot_retry(self, job: Job) -> tuple[RefusalCode, str] | None:
        if job.phase is Phase.SUCCEEDED:
            return RefusalCode.TOO_LATE, f"job {job.id} has succeeded; submit it anew to run it again"
        if job.is_interactive:
            return RefusalCode.NOT_ALLOWED, f"nobody waits for job {job.id} any more; start it again with `ffmesh run`"
        for parent in job.asked.after:
            how = self._desk.ledger.ended.get(parent)
            if how in (Phase.FAILED, Phase.CANCELLED):
                said = "failed" if how is Phase.FAILED else "was cancelled"
                culprit = self._chains.culprit(parent)
                sentence = f"job {parent}, which it comes after, {said}; retry job {culprit}, and this one follows"
                return RefusalCode.NOT_ALLOWED, sentence
            if how is None and self._desk.ledger.get(parent) is None and not job.attempts:
                sentence = f"job {parent}, which it comes after, is no longer known; submit both anew"
                return RefusalCode.NOT_ALLOWED, sentence
        if self._desk.full:
            return RefusalCode.FULL, "the disk of the coordinator is full; make room there, then try again"
        return None

    def _answer_about(self, word: ClientWord, job: Job, asker: Asker | None) -> None:
        if isinstance(word, Logs):
            self._tails.wanted(job, word, asker)
            return
        if isinstance(word, Retry) and job.cancel is not None and not job.has_ended:
            sentence = f"job {job.id} is still being cancelled; retry it when that is done (`ffmesh wait` tells)"
            self._desk.refuse(asker, RefusalCode.NOT_ALLOWED, sentence)
            return
        if isinstance(word, Retry):
            self._desk.reply(asker, JobList(jobs=(views.job_view(job),), cursor=None))
            return
        if job.phase is Phase.COMMITTING:
            sentence = f"job {job.id} is putting its output in place; it is too late to cancel it"
            self._desk.refuse(asker, RefusalCode.TOO_LATE, sentence)
            return
        if job.has_ended and job.phase is not Phase.CANCELLED:
            sentence = f"job {job.id} has {job.phase} already; it is too late to cancel it"
            self._desk.refuse(asker, RefusalCode.TOO_LATE, sentence)
            return
        if not job.has_ended:
            job = self._jobs.cancel(job, Stopped.CANCEL)
        self._desk.reply(asker, JobList(jobs=(views.job_view(job),), cursor=None))

    def _unknown(self, asker: Asker | None, job_id: str) -> None:
        self._desk.refuse(asker, RefusalCode.UNKNOWN_JOB, f"no job {job_id} is known; `ffmesh jobs` lists them")

    def _at_hand(self, job_id: str) -> Job | None:
        return self._desk.ledger.get(job_id) or self._desk.ledger.recent(job_id)

    def _tell_news(self, spoken: ClientSpoke, news: list[JobNews]) -> None:
        if news:
            self._desk.tell(client_principal(spoken.client), spoken.life, Attended(jobs=tuple(news)))

    def _news(self, job: Job) -> JobNews:
        attempt = job.attempts[-1] if job.attempts else None
        end = end_of(job, streams_lost=self._streams_lost(job)) if job.has_ended else None
        given = assignment(attempt) if attempt is not None else None
        waiting = self._jobs.why_waiting(job)
        return JobNews(
            job=job.id,
            known=True,
            state=views.state(job),
            assignment=given,
            end=end,
            reason=waiting.why if waiting is not None else None,
            reason_code=waiting.code if waiting is not None else None,
        )

    def _streams_lost(self, job: Job) -> bool:
        """Whether what its agent still had of the streams is gone with that agent's life."""
        if not job.attempts or job.lengths is None:
            return True
        attempt = job.attempts[-1]
        agent = self._desk.roster.get(attempt.agent)
        if agent is None:
            return True
        if agent.life is None:
            return False  # it has not greeted us yet: we have only just started
        return agent.life != attempt.agent_life or not self._heard_lately(agent)

    def _heard_lately(self, agent: Agent) -> bool:
        return self._desk.now.elapsed - agent.heard_at < times.LEASE

    # --- agents -------------------------------------------------------------------------------------------------------

    def _list_agents(self, asker: Asker | None, cursor: str | None) -> None:
        page: list[AgentView] = []
        room = PAGE_BYTES
        for agent in self._desk.roster:
            if cursor is not None and agent.name <= cursor:
                continue
            view = self._agent_view(agent)
            room -= len(codec.encode(view))
            if page and room < 0:
                self._desk.reply(asker, AgentList(agents=tuple(page), cursor=page[-1].name))
                return
            page.append(view)
        self._desk.reply(asker, AgentList(agents=tuple(page), cursor=None))

    def _show_agent(self, asker: Asker | None, name: str) -> None:
        agent = self._known_agent(asker, name)
        if agent is not None:
            self._desk.reply(asker, AgentList(agents=(self._agent_view(agent),)))

    def _drain(self, word: DrainAgent, asker: Asker | None) -> None:
        agent = self._known_agent(asker, word.agent)
        if agent is None:
            return
        told = wanted(draining=word.draining, manner=word.manner)
        if told in (Manner.PAUSE, Manner.STOP) and agent.online and not agent.can_pause:
            sentence = f"agent {agent.name} is too old for that; `ffmesh drain {agent.name}` lets it take no more jobs"
            self._desk.refuse(asker, RefusalCode.UNSUPPORTED, sentence)
            return
        self._agents.behave(agent, told)
        self._desk.reply(asker, AgentList(agents=(self._agent_view(agent),)))

    def _known_agent(self, asker: Asker | None, name: str) -> Agent | None:
        agent = self._desk.roster.get(name)
        if agent is None:
            self._desk.refuse(asker, RefusalCode.UNKNOWN_AGENT, f"no agent {name} is known; `ffmesh agents` lists them")
        return agent

    def _agent_view(self, agent: Agent) -> AgentView:
        held = self._desk.ledger.held_by(agent.name)
        return views.agent_view(agent, {attempt.id: job.id for job in held if (attempt := job.attempt) is not None})

    # --- signs of life ------------------------------------------------------------------------------------------------

    def status_seen(self, seen: ClientStatusSeen) -> None:
        """A will counts for the current connection of that life only, and after a grace."""
        deadlines, status = self._desk.deadlines, seen.status
        waits = bool(self._desk.ledger.waited_for_by(seen.client, status.life))
        if status.state is ClientState.ONLINE:
            life = self._known(seen.client, status.life)
            if status.connection >= life.connection:
                life.connection = status.connection
                deadlines.lift(About.CLIENT_WILL, life.key)
        elif waits and status.connection >= self._known(seen.client, status.life).connection:
            key = Life(seen.client, status.life).key
            deadlines.set(About.CLIENT_WILL, key, self._desk.after(times.WILL_GRACE))

    def _heard(self, client: str, life: str) -> None:
        self._known(client, life)
        if self._desk.ledger.waited_for_by(client, life):
            self._count_silence(client, life)

    def _known(self, client: str, life: str) -> Life:
        key = Life(client, life).key
        self._desk.deadlines.set(About.UNHEARD, key, self._desk.after(times.UNHEARD_LIFE))
        return self._lives.setdefault(key, Life(client, life))

    def _count_silence(self, client: str, life: str) -> None:
        key = self._known(client, life).key
        self._desk.deadlines.set(About.CLIENT_SILENCE, key, self._desk.after(times.CLIENT_SILENCE))

    def count_all_silences(self) -> None:
        """Anew: we have just connected."""
        deadlines = self._desk.deadlines
        for client, life in self._desk.ledger.client_lives():
            self._count_silence(client, life)
            key = Life(client, life).key
            if deadlines.is_set(About.CLIENT_WILL, key):
                deadlines.set(About.CLIENT_WILL, key, self._desk.after(times.WILL_GRACE))

    def fell_silent(self, key: str) -> None:
        """Its will came and stood, or it gave no sign for too long."""
        life = self._lives.get(key)
        if life is not None:
            self._gone(life.client, life.life)

    def unheard(self, key: str) -> None:
        life = self._lives.get(key)
        if life is None:
            return
        if self._desk.ledger.waited_for_by(life.client, life.life):
            self._known(life.client, life.life)
        else:
            self._retire(life)

    def removed(self, name: str) -> None:
        """Its login is gone, or is another: nobody waits for its jobs any more. Of some lives only the disk knows."""
        waiting = [Life(client, life) for client, life in self._desk.ledger.client_lives()]
        for life in {life.key: life for life in [*waiting, *self._lives.values()]}.values():
            if life.client == name:
                self._gone(life.client, life.life)
                self._retire(life)

    def _gone(self, client: str, life: str) -> None:
        for job in self._desk.ledger.waited_for_by(client, life):
            self._jobs.cancel(job, Stopped.CLIENT_GONE)

    def _retire(self, life: Life) -> None:
        self._lives.pop(life.key, None)
        self._desk.post.retire(client_principal(life.client), life.life)
        for about in (About.UNHEARD, About.CLIENT_SILENCE, About.CLIENT_WILL):
            self._desk.deadlines.lift(about, life.key)


def _wrong_output(submit: Submit) -> str | None:
    """What no agent would take, or an older one would take for something else."""
    for output in submit.outputs:
        shown = printable(shown_argument((output,))[:200])
        if output.quoting not in (QUOTING_NONE, QUOTING_PATTERN):
            return f"the output {shown} is written in a way that is not known"
        if output.quoting == QUOTING_PATTERN and output.path.endswith("/"):
            return f"the output {shown} is a folder, whose name is no pattern"
        if output.path.startswith("/") or ".." in output.path.split("/") or not output.path.strip("./"):
            return f"the output {shown} is no place below its root"
    needed = f"feature={MANY_OUTPUTS}"
    if are_many(submit.outputs) and not (MANY_OUTPUTS in submit.requires and needed in submit.needs.capabilities):
        return f"several outputs, or a set of them, need agents with {needed}, and the job does not say so"
    return None
