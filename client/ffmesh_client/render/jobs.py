"""Jobs, as a table and one at a time."""

import shlex
from collections.abc import Sequence
from typing import Final

from ffmesh_client.core.submission import CPU
from ffmesh_client.exits import PROGRAMS_OWN
from ffmesh_client.render import tables, words
from ffmesh_client.render.tables import Column
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.jobs import AttemptView, JobKind, JobState, JobSummary, JobView, Progress
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.sizes import size_shown

SHORT: Final = 10.0
"""Seconds. What took less is told to the tenth."""

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
            _standing(job),
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
        ("outputs", _outputs(job)),
        ("after", words.joined(job.after)),
        ("workflow", words.text(job.workflow)),
        ("agent", words.text(job.agent)),
        ("placement", words.text(job.placement)),
        ("needs", _needs(job.needs)),
        ("priority", str(job.priority)),
        ("progress", words.progress(job.progress)),
        ("end", _end(job.exit_code, job.signal)),
        ("reason", words.text(job.reason)),
        ("reason code", words.text(job.reason_code)),
        ("permanent", "yes" if job.permanent else "no"),
        ("what to do", _what_to_do(job)),
        ("created", words.moment(job.created_at, local=local)),
        ("started", words.moment(job.started_at, local=local)),
        ("ended", words.moment(job.ended_at, local=local)),
        ("total time", _total_time(job.summary)),
    ]
    tables.show_facts(facts)
    if job.attempts:
        print()
        tables.show_table(ATTEMPT_COLUMNS, [_attempt(each, local=local) for each in job.attempts], none="")
    if job.summary is not None and job.summary.last_lines:
        print("\nthe last lines of its standard error:")
        for line in job.summary.last_lines:
            print(f"  {words.text(line)}")


def _standing(job: JobView) -> str:
    """How far it is, what keeps it waiting, or how it ended, in a word or two: there are many jobs in a table."""
    code = job.reason_code
    if job.paused:
        return f"paused, {words.progress(job.progress)}" if job.progress != Progress() else "paused"
    if code is not None and code not in PROGRAMS_OWN and code is not ReasonCode.CANCELLED:
        return code.replace("_", " ")
    return _end(job.exit_code, job.signal) if job.state.is_end else words.progress(job.progress)


def _outputs(job: JobView) -> str:
    """With their sizes, as soon as those are known."""
    written = job.summary.outputs if job.summary is not None else ()
    sizes = {each.path: size_shown(each.bytes) for each in written}
    paths = dict.fromkeys((*(job.outputs or ()), *sizes))
    return words.joined(tuple(f"{path} ({sizes[path]})" if path in sizes else path for path in paths))


def _total_time(summary: JobSummary | None) -> str:
    if summary is None or summary.seconds is None:
        return words.NOTHING
    return words.number(summary.seconds, " s", 1) if summary.seconds < SHORT else words.duration(summary.seconds)


def _needs(needs: Needs) -> str:
    where = (f"on={needs.on}",) if needs.on is not None else ()
    slot = (f"slot={needs.slot}",) if needs.slot != CPU else ()
    return words.joined((*needs.roots, *needs.capabilities, *slot, *where))


def _what_to_do(job: JobView) -> str:
    """About one that ended otherwise than was wished."""
    if not job.state.is_end or job.state is JobState.SUCCEEDED:
        return words.NOTHING
    if job.kind is JobKind.INTERACTIVE:
        return "`ffmesh run` runs it anew"
    if job.reason_code in (ReasonCode.PARENT_FAILED, ReasonCode.PARENT_CANCELLED):
        parent = job.after[0] if len(job.after) == 1 else "ID"
        which = "" if len(job.after) == 1 else " of the one that has not succeeded"
        return f"`ffmesh retry {parent}`{which} tries that one again, and this one follows"
    return f"`ffmesh retry {job.id}` tries it again"


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
