"""A call of the shim without a helper: what the helper would have done, done here.

    python -m ffmesh_client.shim.alone REAL CONFIG NAME ARGS…

It is the way of those whose standard input is a terminal, and of those who find no helper and can start none.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from ffmesh_client import calling, standard
from ffmesh_client import config as client_config
from ffmesh_client.config import ClientConfig
from ffmesh_client.folders import names_of_working_folder
from ffmesh_client.mesh import Mesh
from ffmesh_client.shell.caller import ThisProcess
from ffmesh_client.shim import front
from ffmesh_client.shim.attending import Exited, Killed, Outcome, RunHere, attended
from ffmesh_client.shim.ordering import Order
from ffmesh_client.shim.orders import Orders
from ffmesh_client.shim.wording import Call
from ffmesh_protocol.errors import BadConfig
from ffmesh_protocol.standard_input import Reads


def main(real: str, config: str, name: str, arguments: tuple[str, ...]) -> int:
    """Its exit code; or this process becomes the local program, or dies as the one on the mesh did."""
    outcome = _sent(_call(real, name, arguments), config)
    if isinstance(outcome, RunHere):
        words = ("", "", config, name, *arguments)  # nothing that a helper would be started with
        call = front.Call([os.fsencode(word) for word in (real, *words)])
        front.become(call, [call.real])
    if isinstance(outcome, Killed):
        return front.die_of(outcome.signal)
    if isinstance(outcome, Exited):
        if outcome.sentence is not None:
            calling.complain(outcome.sentence)
        return outcome.code
    return front.FAILED


def _sent(call: Call, config: str) -> Outcome:
    try:
        path = Path(config) if config else client_config.found(None, os.environ, Path.home())
        configuration = client_config.load(path)
    except BadConfig as error:
        return RunHere(reason=str(error))  # `doctor` says what is wrong with it
    return asyncio.run(_seen_to_its_end(call, configuration))


async def _seen_to_its_end(call: Call, config: ClientConfig) -> Outcome:
    found = await Orders().order(call, config)
    return await _attended(found, config) if isinstance(found, Order) else found


async def _attended(order: Order, config: ClientConfig) -> Outcome:
    streams = standard.streams(order.reads)
    async with Mesh.connected(config) as mesh:
        terminal = order.reads is Reads.KEYS and order.submit.stdin_is_terminal
        return await attended(mesh, order, streams, ThisProcess.of_a_command(), config.shim, terminal=terminal)


def _call(real: str, name: str, arguments: tuple[str, ...]) -> Call:
    return Call(
        umask=standard.umask(),
        open=(),
        folder=("", *names_of_working_folder())[-1],
        real=real,
        name=name,
        environment=dict(os.environ),
        arguments=arguments,
        stdin_is_terminal=standard.has_input() and os.isatty(0),
    )


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else our parent wants it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    standard.hold()
    _, _real, _config, _name, *_words = sys.argv
    os._exit(main(_real, _config, _name, tuple(_words)))
