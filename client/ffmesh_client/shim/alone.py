"""A call of the shim without a helper: what the helper would have done, done here.

    python -m ffmesh_client.shim.alone REAL CONFIG NAME ARGS…

It is the way of those whose standard input is a terminal, and of those who find no helper and can start none.
"""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

from ffmesh_client import calling, standard
from ffmesh_client import config as client_config
from ffmesh_client.config import ClientConfig
from ffmesh_client.mesh import Mesh
from ffmesh_client.shell.caller import ThisProcess
from ffmesh_client.shim.attending import Killed, Outcome, RunHere, attended
from ffmesh_client.shim.ordering import Order, StaysHere, ordered
from ffmesh_client.shim.wording import Call
from ffmesh_protocol.errors import BadConfig
from ffmesh_protocol.standard_input import Reads

ASIDE: Final = {"FFMESH_LD_LIBRARY_PATH": "LD_LIBRARY_PATH", "FFMESH_LD_PRELOAD": "LD_PRELOAD"}
"""As in front.py: the local program's."""

TAKEN: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)
NOT_FOUND, NOT_EXECUTABLE = 127, 126


def main(real: str, config: str, name: str, arguments: tuple[str, ...]) -> int:
    """Its exit code; or this process becomes the local program, or dies as the one on the mesh did."""
    outcome = _sent(_call(real, name, arguments), config)
    if isinstance(outcome, RunHere):
        _become(real, arguments)
    if isinstance(outcome, Killed):
        _die_of(outcome.signal)
    if outcome.sentence is not None:
        calling.complain(outcome.sentence)
    return outcome.code


def _sent(call: Call, config: str) -> Outcome:
    try:
        path = Path(config) if config else client_config.found(None, os.environ, Path.home())
        configuration = client_config.load(path)
    except BadConfig as error:
        return RunHere(reason=str(error))  # `doctor` says what is wrong with it
    order = ordered(call, configuration)
    if isinstance(order, StaysHere):
        return RunHere(reason=order.reason)
    return asyncio.run(_attended(order, configuration))


async def _attended(order: Order, config: ClientConfig) -> Outcome:
    caller = ThisProcess(number for number in TAKEN if signal.getsignal(number) is not signal.SIG_IGN)
    streams = {"stdout": 1, "stderr": 2}
    if order.reads is not Reads.NOTHING and standard.has_input():
        streams["stdin"] = 0
    async with Mesh.connected(config) as mesh:
        terminal = order.reads is Reads.KEYS and order.submit.stdin_is_terminal
        return await attended(mesh, order, streams, caller, config.shim, terminal=terminal)


def _call(real: str, name: str, arguments: tuple[str, ...]) -> Call:
    umask = os.umask(0)
    os.umask(umask)
    try:
        folder = os.getcwd()  # noqa: PTH109 - as it is, not normalised
    except OSError:
        folder = ""
    return Call(
        umask=umask,
        open=(),
        folder=folder,
        real=real,
        name=name,
        environment=dict(os.environ),
        arguments=arguments,
        stdin_is_terminal=standard.has_input() and os.isatty(0),
    )


def _become(real: str, arguments: tuple[str, ...]) -> NoReturn:
    try:
        os.execve(real, [real, *arguments], _environment(os.environ))  # noqa: S606 - that is what a shim does
    except OSError as error:
        calling.complain(f"{real or 'the program of this machine'} cannot be run: {error.strerror}")
        os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    given_back = {name: ours[aside] for aside, name in ASIDE.items() if ours.get(aside)}
    return {name: value for name, value in ours.items() if name not in ASIDE} | given_back


def _die_of(number: int) -> NoReturn:
    """As the program did, without leaving a core."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else our parent wants it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    standard.hold()
    _, _real, _config, _name, *_words = sys.argv
    os._exit(main(_real, _config, _name, tuple(_words)))
