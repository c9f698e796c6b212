"""Makes the database that stands for the present schema, beside this file: once, when the schema is released.

    PYTHONPATH=tests python tests/coordinator/databases/make.py

Later versions must open it and find every job; `NNNN.json` says what they must find. Neither is ever made anew.
"""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from ffmesh_coordinator.core.effects import SaveAgent, SaveJob
from ffmesh_coordinator.core.events import KnownAgent
from ffmesh_coordinator.core.job import Attempt, Job, Owner
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_coordinator.core.packed import PackedSubmit
from ffmesh_coordinator.shell.store import Enrolled, Store
from ffmesh_coordinator.shell.vault import Vault
from ffmesh_coordinator.sql import MIGRATIONS
from ffmesh_protocol.messages.jobs import AttemptState, JobKind, Progress
from ffmesh_protocol.messages.reports import StreamLengths
from ffmesh_protocol.names import COORDINATOR, Principal, Role
from ffmesh_protocol.reasons import SENTENCES, ReasonCode, Stopped
from support.coordinating import advert, submit

HERE = Path(__file__).parent
LIFE = "0T" + "1" * 24
MASTER_KEY = bytes(range(32))


def ulid(letter: str, number: int) -> str:
    return f"0{letter}{number:024d}"


def attempt(number: int, state: AttemptState, **fields: Any) -> Attempt:
    known = Attempt(id=ulid("A", number), number=1, agent="pi", agent_life=LIFE, state=state, granted_at=2000.25)
    return msgspec.structs.replace(known, **fields)


def jobs() -> list[Job]:
    """One in each phase, and some that carry what jobs can carry."""
    made: list[Job] = []

    def job(phase: Phase, *attempts: Attempt, kind: JobKind = JobKind.DIRECT, **fields: Any) -> None:
        number = len(made) + 1
        asked = submit(ulid("J", number), kind=kind, priority=number % 3, roots=("Movies",))
        labels = {"title": f"Grüße {number}", "show": "a 'quoted' \"one\""}
        known = Job(
            asked=PackedSubmit.of(msgspec.structs.replace(asked, labels=labels)),
            owner=Owner(client="tv", life=LIFE),
            sequence=number,
            created_at=1000.5 + number,
            phase=phase,
            attempts=attempts,
        )
        made.append(msgspec.structs.replace(known, **fields))

    running: dict[str, Any] = {"started_at": 2001.0}
    over: dict[str, Any] = {**running, "ended_at": 2002.0}
    ended: dict[str, Any] = {"ended_at": 3000.0, "lengths": StreamLengths(stdout=1, stderr=2)}
    job(Phase.QUEUED)
    job(Phase.QUEUED, kind=JobKind.INTERACTIVE)
    job(Phase.GRANTED, attempt(3, AttemptState.GRANTED), placement="it is the least loaded")
    job(Phase.RUNNING, attempt(4, AttemptState.RUNNING, **running), progress=Progress(percent=50.0, fps=24.0))
    job(Phase.RUNNING, attempt(5, AttemptState.RUNNING, **running), cancel=Stopped.CANCEL)
    job(Phase.RUNNING, attempt(6, AttemptState.RUNNING, **running), kind=JobKind.INTERACTIVE)
    job(Phase.SUCCEEDED, attempt(7, AttemptState.SUCCEEDED, exit_code=0, **over), exit_code=0, **ended)
    failures: dict[ReasonCode, dict[str, Any]] = {
        ReasonCode.EXITED: {"exit_code": 1},
        ReasonCode.KILLED: {"signal": 9},
        ReasonCode.LOST: {},
    }
    for number, (code, result) in enumerate(failures.items(), start=8):
        state = AttemptState.LOST if code is ReasonCode.LOST else AttemptState.FAILED
        reason = SENTENCES[code]
        last = attempt(number, state, reason=reason, **result, **over)
        job(Phase.FAILED, last, reason=reason, reason_code=code, **result, **ended)
    job(Phase.CANCELLED, reason=SENTENCES[ReasonCode.CANCELLED], reason_code=ReasonCode.CANCELLED, ended_at=3000.0)
    return made


def told(job: Job) -> Any:
    """What a later version must still know of it, as JSON has it."""
    known = {
        "id": job.id,
        "sequence": job.sequence,
        "phase": job.phase,
        "kind": job.asked.kind,
        "program": job.asked.program,
        "args": msgspec.to_builtins(job.asked.whole.args),
        "priority": job.asked.priority,
        "labels": job.asked.whole.labels,
        "owner": job.owner.client,
        "cancel": job.cancel,
        "attempts": [[each.id, each.number, each.agent, each.state, each.exit_code] for each in job.attempts],
        "exit_code": job.exit_code,
        "signal": job.signal,
        "reason_code": job.reason_code,
        "created_at": job.created_at,
        "ended_at": job.ended_at,
    }
    return json.loads(json.dumps(known))


async def main() -> None:
    name = f"{len(MIGRATIONS):04d}"
    path = HERE / f"{name}.sqlite3"
    if path.exists():
        raise SystemExit(f"{path} is there already, and is never made anew")
    vault = Vault(MASTER_KEY)
    members = [COORDINATOR, *(Principal(role=role, name=role.value) for role in Role if role is not COORDINATOR.role)]
    enrolled = [
        Enrolled(
            principal=each,
            kid=number,
            sealed_secret=vault.sealed(each, number, each.login.encode().ljust(32)),
            created_at=10.5 + number,
        )
        for number, each in enumerate(members, start=1)
    ]
    agents = [
        KnownAgent(name="pi", draining=True, advert=advert(LIFE), last_seen_utc=12.5),
        KnownAgent(name="nas", draining=False),
    ]
    async with Store.opened(path) as store:
        await store.add_principals(enrolled)
        await store.save([SaveAgent(agent=each) for each in agents])
        await store.save([SaveJob(job=each) for each in jobs()])
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("VACUUM")
    path.chmod(0o644)
    found = {
        "jobs": [told(job) for job in jobs()],
        "agents": [[each.name, each.draining] for each in agents],
        "principals": [[each.principal.login, each.kid] for each in enrolled],
    }
    path.with_suffix(".json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
