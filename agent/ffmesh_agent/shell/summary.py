"""What a program leaves for the summary of its job: its outputs and last lines, without any place of this machine."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from ffmesh_agent.ffmpeg.command_line import files_in
from ffmesh_agent.ffmpeg.last_lines import last_lines
from ffmesh_agent.shell import hanging
from ffmesh_agent.shell.hanging import heard
from ffmesh_agent.shell.sizes import written
from ffmesh_protocol.messages.jobs import JobKind, Written
from ffmesh_protocol.messages.orders import Grant

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
"""No end of a job waits longer for the sizes of its outputs."""


class Summary:
    def __init__(self, roots: Mapping[str, str], private: Sequence[Path]) -> None:
        self._roots = roots
        self._private = tuple(map(str, private))

    async def outputs(self, grant: Grant) -> tuple[Written, ...]:
        """Those that the arguments plainly name. A staged job's are known better, and told when they are whole."""
        if grant.kind is JobKind.STAGED:
            return ()
        named = [output.named for output in files_in(grant, self._roots).outputs if output.named is not None]
        if not named:
            return ()
        look = hanging.started(
            f"sizes of {grant.attempt}", partial(written, [(each.shown, each.place) for each in named])
        )
        done, _ = await asyncio.wait({look}, timeout=LOOK_SECONDS)
        if not done:
            look.add_done_callback(heard)
            return ()
        try:
            return look.result()
        except Exception:
            log.exception("%s: the sizes of its outputs cannot be told", grant.attempt)
            return ()  # no reason to lose what it made

    def last_lines(self, lines: Sequence[str]) -> tuple[str, ...]:
        return last_lines(lines, self._roots, self._private)
