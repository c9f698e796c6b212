"""Jobs and agents as people and scripts see them: on the retained topics and in answers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from ffmesh_coordinator.core.explaining import Waiting
from ffmesh_coordinator.core.job import Attempt, Job
from ffmesh_coordinator.core.lifecycle import ENDED, Phase
from ffmesh_coordinator.core.roster import Agent
from ffmesh_protocol.media import shown
from ffmesh_protocol.messages.capability import Activity, AgentView, PublicAgent
from ffmesh_protocol.messages.jobs import AttemptView, JobState, JobSummary, JobView, PublicJob
from ffmesh_protocol.reasons import SENTENCES, ReasonCode

WITHOUT_AGENT = frozenset({Phase.WAITING, Phase.QUEUED, Phase.OFFERED})


def rfc3339(utc: float | None) -> str | None:
    if utc is None:
        return None
    return datetime.fromtimestamp(utc, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def state(job: Job) -> JobState:
    if job.cancel is not None and job.phase not in ENDED:
        return JobState.CANCELLING
    if job.phase is Phase.COMMITTING:
        return JobState.RUNNING
    return JobState(job.phase.value)


def job_view(job: Job) -> JobView:
    asked = job.asked.whole
    return JobView(
        **_open_to_all(job),
        args=tuple(shown(argument) for argument in asked.args),
        outputs=tuple(shown((output,)) for output in asked.outputs) if asked.outputs else None,
        labels=asked.labels,
        owner=job.owner.client,
        reason=_reason(job),
        attempts=tuple(_attempt_view(attempt) for attempt in job.attempts),
        summary=(job.summary or JobSummary()) if job.has_ended else None,
    )


def _reason(job: Job) -> str | None:
    if job.stands_still:
        return f"paused on {job.attempts[-1].agent}: {job.paused}"
    return job.reason


def waiting_view(view: JobView, waiting: Waiting) -> JobView:
    """A queued job with the reason why it waits, as things are now."""
    return msgspec.structs.replace(view, reason=waiting.why, reason_code=waiting.code)


def public_job(job: Job) -> PublicJob:
    """Without arguments, outputs, labels and owner; the reason is the fixed sentence of its code."""
    return PublicJob(
        **_open_to_all(job),
        reason=SENTENCES[code] if (code := _reason_code(job)) is not None else None,
        attempts=tuple(msgspec.structs.replace(_attempt_view(attempt), reason=None) for attempt in job.attempts),
    )


def _reason_code(job: Job) -> ReasonCode | None:
    return ReasonCode.PAUSED if job.stands_still else job.reason_code


def _open_to_all(job: Job) -> dict[str, Any]:
    """What both views say in the same words. To say it needs nothing of what is packed."""
    asked, has_agent = job.asked, bool(job.attempts) and job.phase not in WITHOUT_AGENT
    last = job.attempts[-1] if has_agent else None
    return {
        "id": job.id,
        "state": state(job),
        "kind": asked.kind,
        "attached": job.is_interactive,
        "title": asked.title,
        "program": asked.program,
        "agent": last.agent if last is not None else None,
        "priority": asked.priority,
        "after": asked.after,
        "workflow": job.workflow,
        "needs": asked.needs,
        "exit_code": job.exit_code,
        "signal": job.signal,
        "reason_code": _reason_code(job),
        "paused": job.stands_still,
        "permanent": job.permanent,
        "progress": job.progress,
        "placement": job.placement if job.phase not in WITHOUT_AGENT else None,
        "created_at": rfc3339(job.created_at) or "",
        "started_at": rfc3339(last.started_at) if last is not None else None,
        "ended_at": rfc3339(job.ended_at),
    }


def _attempt_view(attempt: Attempt) -> AttemptView:
    return AttemptView(
        number=attempt.number,
        agent=attempt.agent,
        state=attempt.state,
        started_at=rfc3339(attempt.started_at),
        ended_at=rfc3339(attempt.ended_at),
        exit_code=attempt.exit_code,
        signal=attempt.signal,
        reason=attempt.reason,
    )


def public_agent(agent: Agent, job_of_attempt: Mapping[str, str]) -> PublicAgent:
    advert = agent.advert
    return PublicAgent(
        name=agent.name,
        state=agent.state,
        life=agent.life,
        version=advert.version if advert else None,
        features=advert.features if advert else (),
        host=advert.host if advert else None,
        programs=advert.programs if advert else {},
        hwaccels=advert.hwaccels if advert else (),
        tried=advert.tried if advert else False,
        roots=advert.roots if advert else {},
        slots=agent.slots(),
        fence=advert.fence if advert else None,
        load=agent.load,
        running=tuple(sorted(set(job_of_attempt.values()))),
        paused=tuple(sorted({each.job for name, each in agent.held.items() if each.paused and name in job_of_attempt})),
        last_seen_at=rfc3339(agent.seen_utc),
        supported_codecs=advert.supported_codecs if advert else (),
        has_gpu=advert.has_gpu if advert else False,
        gpu_type=advert.gpu_type if advert else None,
        gpus=advert.gpus if advert else (),
        max_resolution=advert.max_resolution if advert else None,
        weight=advert.weight if advert else 1.0,
        manner=agent.told,
        activity=_activity(agent, job_of_attempt),
        conditions=agent.conditions if agent.online else (),
    )


def _activity(agent: Agent, job_of_attempt: Mapping[str, str]) -> Activity | None:
    if not agent.online:
        return None
    return Activity.BUSY if job_of_attempt else Activity.IDLE


def agent_view(agent: Agent, job_of_attempt: Mapping[str, str]) -> AgentView:
    short = public_agent(agent, job_of_attempt)
    programs = agent.programs
    return AgentView(
        **{name: getattr(short, name) for name in PublicAgent.__struct_fields__},
        encoders=programs.encoders if programs else (),
        decoders=programs.decoders if programs else (),
        filters=programs.filters if programs else (),
        unavailable=programs.unavailable if programs else {},
        max_resolutions=programs.max_resolutions if programs else {},
        speeds=programs.speeds if programs else {},
    )
