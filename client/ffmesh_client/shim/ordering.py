"""From a call of the shim to a job for the mesh, or to the reason why it runs here."""

from ffmesh_client.config import ClientConfig
from ffmesh_client.core.submission import Surroundings, Wishes, paths_in, submission
from ffmesh_client.disk import Disk
from ffmesh_client.errors import WrongUsage
from ffmesh_client.explaining import refused_by_agents, roots_of, understood
from ffmesh_client.folders import name_in_a_root, names_of
from ffmesh_client.ids import fresh_ulid
from ffmesh_client.lists_inside import wrong_inside
from ffmesh_client.shim.rules import LOCAL, RULES, Seen, decided
from ffmesh_client.shim.wording import Call
from ffmesh_client.surroundings import surroundings
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.ffmpeg.line import read
from ffmesh_protocol.ffmpeg.pieces import root_path
from ffmesh_protocol.media import RootPath, piece_of_path
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.standard_input import Reads, reads
from ffmesh_protocol.wire import Told


class Order(Told, frozen=True):
    submit: Submit
    reads: Reads


class StaysHere(Told, frozen=True):
    reason: str


def ordered(call: Call, config: ClientConfig, disk: Disk) -> Order | StaysHere:
    """Asks the disk for what lies in lists, and for the real place of what seems to lie under no root."""
    program = understood(call.name)
    if program is None:
        return StaysHere(reason=f"{call.name} is called neither ffmpeg nor ffprobe")
    words = (program, *call.arguments)
    line = read(program, call.arguments)
    folders = names_of(call.folder, call.environment.get("PWD", ""), disk) if call.folder else ()
    cwd = name_in_a_root(folders, config.roots)
    wishes = Wishes(labels={}, roots={})
    there = surroundings(
        folders,
        call.environment,
        call.umask,
        paths_in(JobKind.INTERACTIVE, words, wishes),
        config.roots,
        disk,
        stdin_is_terminal=call.stdin_is_terminal,
    )
    real = _where_links_lead(there)
    paths = roots_of(line, config.roots, cwd, real)
    seen = Seen(
        line=line,
        unmapped=tuple(path for path, root in paths.items() if root is None),
        inside=tuple(wrong_inside(line, config.roots, cwd, disk, real)),
        refused=None,  # asked of the job itself, below
        is_in_a_root=root_path(".", config.roots, cwd) is not None,
    )
    decision = decided(seen, [rule for rule in RULES if rule.name not in config.shim.send])
    if decision.runs == LOCAL:
        return StaysHere(reason=decision.reason or "")
    try:
        submit = submission(fresh_ulid(), JobKind.INTERACTIVE, words, wishes, there, config.roots)
    except (PathRefused, WrongUsage) as error:
        return StaysHere(reason=str(error))
    refused = refused_by_agents(submit.args, config.roots, submit.cwd)
    if refused is not None:
        return StaysHere(reason=refused)
    return Order(submit=submit, reads=reads(program, [_bytes(word) for word in call.arguments]))


def _where_links_lead(there: Surroundings) -> dict[str, RootPath]:
    """Of paths that lie under no root by their letters."""
    places = {path: piece_of_path(real, there.real_roots) for path, real in there.real_paths.items()}
    return {path: place for path, place in places.items() if place is not None}


def _bytes(word: str) -> bytes:
    return word.encode(errors="surrogateescape")
