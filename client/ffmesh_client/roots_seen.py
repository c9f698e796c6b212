"""How the roots that a file names look from here, and how to mend what is wrong with them.

An agent's are looked at by the agent itself, as a process of its own: with the same eyes as when it runs, without
disturbing the one that does. Nothing here waits for a mount that never answers.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final

import msgspec

from ffmesh_client.supervisor.absent import wrong_folders
from ffmesh_client.supervisor.parts import python
from ffmesh_protocol.messages.capability import RootState

ANSWER_SECONDS: Final = 30.0
"""For a process that has to start, on a machine that has other things to do; it looks for a second."""

END_SECONDS: Final = 3.0

ANSWER_BYTES: Final = 16 * 1024 * 1024


class Seen(msgspec.Struct, frozen=True):
    """`mend` is null when all is well."""

    message: str
    mend: str | None


class _Root(msgspec.Struct, frozen=True):
    path: str
    is_well: bool
    state: RootState


def as_this_machine_sees_them(roots: Mapping[str, str], file: str) -> Seen:
    wrong = wrong_folders(roots)
    if wrong:
        said = "; ".join(f"{name} ({roots[name]}) {what}" for name, what in wrong.items())
        return Seen(said, f"mount them, or correct [roots] in {file}")
    return Seen(_all_here(roots), None)


async def as_the_agent_sees_them(file: str) -> Seen:
    try:
        roots = msgspec.json.decode(await asked_of_agent(file, "--roots"), type=dict[str, _Root])
    except Silent as silence:
        return Seen(f"not looked at: {silence}", f"see what `ffmesh-agent --config '{file}' --roots` says")
    except msgspec.MsgspecError as error:
        return Seen(f"not looked at: the agent here says what is not understood: {error}", "make both the same version")
    wrong = {name: root for name, root in roots.items() if not root.is_well}
    if wrong:
        said = "; ".join(f"{name} ({root.path}): {_wrong_with(root.state)}" for name, root in wrong.items())
        return Seen(said, "; ".join(dict.fromkeys(_mend(root, file) for root in wrong.values())))
    return Seen(_all_here(roots), None)


def _all_here(roots: Mapping[str, object]) -> str:
    return f"all are here: {', '.join(roots)}" if roots else "none are named"


def _wrong_with(state: RootState) -> str:
    return state.why or ("it takes no new output" if state.mounted else "it is not there")


def _mend(root: _Root, file: str) -> str:
    state, why = root.state, _wrong_with(root.state)
    if not state.mounted and ".ffmesh-storage" in why:
        return (
            "mount it; if this is a new disk, stop the agent and remove storage.json from the folder of "
            f"{file}, and it is known from then on"
        )
    if not state.mounted and "answer" in why:
        return f"look at the server or disk that it comes from; `umount -l '{root.path}'` lets go of a dead one"
    if not state.mounted:
        return f"mount them, or correct [roots] in {file}"
    if state.writable:
        return f"make room, or lower keep_free of the root in {file}"
    return f"let the agent write there, or say read_only = true of the root in {file}"


class Silent(Exception):
    """Why there is no answer."""


async def asked_of_agent(file: str, *question: str) -> bytes:
    """A line that a process of the agent prints; `Silent`."""
    words = python("ffmesh_agent", "--config", file, *question)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, stdout=pipe, stderr=pipe, limit=ANSWER_BYTES)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            line = await process.stdout.readline()
            if line:
                return line
            said = (await process.stderr.read()).decode(errors="replace").splitlines()
            raise Silent(said[-1].removeprefix("ffmesh-agent: ") if said else "the agent here says nothing")
    except TimeoutError:
        raise Silent("the agent here does not answer") from None
    finally:
        # One that hangs in a dead mount may not end even then; it is not waited for long.
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
