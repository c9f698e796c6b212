"""Jobs, as a table and one at a time."""

import shlex
from collections.abc import Sequence
from typing import Final

from ffmesh_client.render import tables, words
from ffmesh_client.render.tables import Column
from ffmesh_protocol.messages.jobs import AttemptView, JobView

COLUMNS: Final = (
    Column("id", whole=True),
    Column("state", whole=True),
    Column("program"),
    Column("agent"),
    Column("progress"),
    Column("created", whole=True),
    Column("title"),
)
ATTEMPT_COLUMNS: Final = (
    Column("attempt", right=True),
    Column("agent"),
    Column("state", whole=True),
    Column("started"),
    Column("ended"),
    Column("end"),
    Column("reason"),
)


def show_jobs(jobs: Sequence[JobView]) -> None:
    local = tables.on_terminal()
    rows = [
        (
            job.id,
            job.state.value,
            words.text(job.program),
            words.text(job.agent),
            words.progress(job.progress) if not job.state.is_end else _end(job.exit_code, job.signal),
            words.moment(job.created_at, local=local),
            words.text(job.title),
        )
        for job in jobs
    ]
    tables.show_table(COLUMNS, rows, none="There are no such jobs.")


def show_job(job: JobView) -> None:
    local = tables.on_terminal()
    facts = [
        ("id", job.id),
        ("state", job.state.value),
        ("kind", job.kind.value),
        ("command", words.text(shlex.join([job.program, *job.args]))),
        ("owner", words.text(job.owner)),
        ("labels", words.joined(job.labels)),
        ("agent", words.text(job.agent)),
        ("placement", words.text(job.placement)),
        ("needs", words.joined((*job.needs.roots, *job.needs.capabilities))),
        ("priority", str(job.priority)),
        ("progress", words.progress(job.progress)),
        ("end", _end(job.exit_code, job.signal)),
        ("reason", words.text(job.reason)),
        ("reason code", words.text(job.reason_code)),
        ("created", words.moment(job.created_at, local=local)),
        ("started", words.moment(job.started_at, local=local)),
        ("ended", words.moment(job.ended_at, local=local)),
    ]
    tables.show_facts(facts)
    if job.attempts:
        print()
        tables.show_table(ATTEMPT_COLUMNS, [_attempt(each, local=local) for each in job.attempts], none="")


def _attempt(attempt: AttemptView, *, local: bool) -> tuple[str, ...]:
    return (
        str(attempt.number),
        words.text(attempt.agent),
        attempt.state.value,
        words.moment(attempt.started_at, local=local),
        words.moment(attempt.ended_at, local=local),
        _end(attempt.exit_code, attempt.signal),
        words.text(attempt.reason),
    )


def _end(exit_code: int | None, signal: int | None) -> str:
    if signal is not None:
        return f"signal {signal}"
    return words.NOTHING if exit_code is None else f"exit code {exit_code}"
