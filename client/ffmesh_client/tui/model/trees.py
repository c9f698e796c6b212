"""Workflows as trees: each job below the one that it comes after."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ffmesh_client.tui.model.job_rows import JobRow
from ffmesh_protocol.messages.jobs import JobState
from ffmesh_protocol.wire import Told


class TreeHead(Told, frozen=True):
    """A workflow, summed up. `name` is that of its first job, as far as it has been loaded."""

    workflow: str
    name: str
    states: tuple[tuple[JobState, int], ...]
    total: int

    @property
    def done(self) -> int:
        return dict(self.states).get(JobState.SUCCEEDED, 0)


class TreeLine(Told, frozen=True):
    """A job of one. `branch` is drawn before it. `besides`: how many more it comes after than the one above it."""

    branch: str
    row: JobRow
    besides: int


def grown(rows: Iterable[JobRow]) -> tuple[TreeHead | TreeLine, ...]:
    """The workflows in the order of their first rows. Each job stands once, whatever they say of each other."""
    workflows: dict[str, list[JobRow]] = {}
    for row in rows:
        if row.workflow is not None:
            workflows.setdefault(row.workflow, []).append(row)
    return tuple(line for workflow, jobs in workflows.items() for line in _tree(workflow, jobs))


def _tree(workflow: str, rows: Sequence[JobRow]) -> Iterator[TreeHead | TreeLine]:
    oldest_first = list(reversed(rows))
    known = {row.id for row in rows}
    first = next((row for row in oldest_first if row.id == workflow), oldest_first[0])
    counted = Counter(row.state for row in rows)
    states = tuple((state, counted[state]) for state in JobState if counted[state])
    yield TreeHead(workflow=workflow, name=first.name, states=states, total=len(rows))
    below: defaultdict[str | None, list[JobRow]] = defaultdict(list)
    for row in oldest_first:
        below[_parent(row, known)].append(row)
    told: set[str] = set()
    yield from _branches(below, None, "", told)
    for row in oldest_first:  # what is after each other in a circle hangs on nothing
        if row.id not in told:
            told.add(row.id)
            yield TreeLine(branch="", row=row, besides=len(row.after))


def _branches(
    below: dict[str | None, list[JobRow]], root: str | None, indent: str, told: set[str]
) -> Iterator[TreeLine]:
    """Without recursion: a chain may be as long as a queue."""
    ahead = [(row, indent, row is below[root][-1]) for row in reversed(below.get(root, []))]
    while ahead:
        row, before, is_last = ahead.pop()
        if row.id in told:
            continue
        told.add(row.id)
        yield TreeLine(branch=before + ("└ " if is_last else "├ "), row=row, besides=max(0, len(row.after) - 1))
        children = below.get(row.id, [])
        further = before + ("  " if is_last else "│ ")
        ahead += [(child, further, child is children[-1]) for child in reversed(children)]


def _parent(row: JobRow, known: set[str]) -> str | None:
    """The last of those that it comes after: the others will most likely have ended by then."""
    return next((parent for parent in reversed(row.after) if parent in known and parent != row.id), None)
