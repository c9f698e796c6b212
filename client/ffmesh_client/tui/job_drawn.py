"""A job as text for reading: where it stands and why, what it runs, what was tried, what it wrote."""

from collections.abc import Iterator

from rich.text import Text

from ffmesh_client.tui import drawing
from ffmesh_client.tui.looks import OF_ATTEMPT, OF_JOB, Looks
from ffmesh_client.tui.model.command import Kind, Word, laid_out
from ffmesh_client.tui.model.texts import one_line
from ffmesh_protocol.messages.jobs import AttemptView, JobState, JobView, Progress
from ffmesh_protocol.sizes import size_shown

FACT = 10
"""So wide is what names a fact."""


def job_drawn(job: JobView, progress: Progress, looks: Looks, width: int) -> Text:
    parts = [
        _head(job, progress, looks, width),
        *_section("Attempts", _attempts(job, looks), looks),
        *_section("Command", _command(job, looks), looks),
        *_section("Writes", _outputs(job, looks), looks),
        *_section("Last words", _last_words(job, looks), looks),
        *_section("About", _about(job, looks), looks),
    ]
    return Text("\n\n").join(parts)


def _section(title: str, lines: Iterator[Text], looks: Looks) -> Iterator[Text]:
    body = list(lines)
    if body:
        yield Text.assemble((f"{title}\n", f"bold {looks.accent}"), Text("\n").join(body))


def _head(job: JobView, progress: Progress, looks: Looks, width: int) -> Text:
    sign = OF_JOB[job.state]
    head = Text.assemble((one_line(job.title or job.program), f"bold {looks.text}"))
    head.append(f"\n{sign.sign} {job.state.value}", style=sign.style(looks))
    if job.agent is not None:
        head.append(f" on {job.agent}", style=looks.text)
    head.append(f"  {_end(job)}", style=looks.muted)
    if job.state in (JobState.RUNNING, JobState.CANCELLING):
        words = drawing.progress_words(progress, looks)
        head.append("\n")
        head.append(drawing.progress_bar(progress.percent, max(0, width - words.cell_len), looks))
        head.append(words)
    why = job.reason if job.reason and job.state is not JobState.SUCCEEDED else None
    if why is not None:
        head.append(f"\n{one_line(why)}", style=looks.bad if job.state is JobState.FAILED else looks.warning)
    if job.placement is not None:
        head.append("\nwhy there: ", style=looks.muted)
        head.append(one_line(job.placement), style=looks.text)
    return head


def _attempts(job: JobView, looks: Looks) -> Iterator[Text]:
    for attempt in job.attempts:
        yield _attempt(attempt, looks, is_last=attempt is job.attempts[-1])


def _attempt(attempt: AttemptView, looks: Looks, *, is_last: bool) -> Text:
    sign = OF_ATTEMPT[attempt.state]
    line = Text.assemble((f"{attempt.number} ", looks.muted))
    line.append(f"{sign.sign} {attempt.state.value:<10}", style=sign.style(looks))
    line.append(attempt.agent, style=looks.text)
    began, ended = drawing.parsed(attempt.started_at), drawing.parsed(attempt.ended_at)
    took = drawing.duration((ended - began).total_seconds()) if began is not None and ended is not None else "…"
    line.append(f"  {drawing.clock(attempt.started_at)} → {drawing.clock(attempt.ended_at)}  {took}", style=looks.muted)
    if attempt.reason:
        line.append(f"\n{' ' if is_last else '│'} {one_line(attempt.reason)}", style=looks.muted)
    return line


def _command(job: JobView, looks: Looks) -> Iterator[Text]:
    for number, words in enumerate(laid_out(job.program, job.args)):
        line = Text("" if number == 0 else "  ")
        for word in words:
            line.append(word.text, style=_style(word, looks))
            if word.kind is Kind.OPTION and word is not words[-1]:
                line.append(" ")
        yield line


def _style(word: Word, looks: Looks) -> str:
    match word.kind:
        case Kind.PROGRAM:
            return f"bold {looks.text}"
        case Kind.OPTION:
            return looks.option
        case Kind.ROOT:
            return f"bold {looks.root}"
        case Kind.VALUE:
            return looks.text


def _outputs(job: JobView, looks: Looks) -> Iterator[Text]:
    written = {each.path: size_shown(each.bytes) for each in job.summary.outputs} if job.summary is not None else {}
    for path in dict.fromkeys((*(job.outputs or ()), *written)):
        line = Text.assemble((one_line(path), looks.root))
        if path in written:
            line.append(f"  {written[path]}", style=looks.text)
        yield line


def _last_words(job: JobView, looks: Looks) -> Iterator[Text]:
    for line in job.summary.last_lines if job.summary is not None else ():
        yield Text(one_line(line), style=looks.muted)


def _about(job: JobView, looks: Looks) -> Iterator[Text]:
    needs = job.needs
    wants = [*(f"${root}" for root in needs.roots), *needs.capabilities, *([f"on {needs.on}"] if needs.on else [])]
    facts = (
        ("id", job.id),
        ("kind", job.kind.value),
        ("owner", job.owner),
        ("needs", ", ".join(wants)),
        ("priority", str(job.priority)),
        ("labels", ", ".join(f"{name}={value}" for name, value in job.labels.items())),
        ("after", ", ".join(job.after)),
        ("workflow", job.workflow or ""),
        ("created", drawing.day_and_clock(job.created_at)),
    )
    for name, value in facts:
        if value:
            yield Text.assemble((f"{name:<{FACT}}", looks.muted), (one_line(value), looks.text))


def _end(job: JobView) -> str:
    if job.signal is not None:
        return f"signal {job.signal}"
    return f"exit code {job.exit_code}" if job.exit_code is not None else ""
