"""`ffmesh-agent --config FILE`: one agent, in the foreground, until it is told to stop.

`--check` says what it would advertise and what is wrong, and `--roots` how its roots look; neither starts it.

Exit codes: 0 stopped, 1 its warden died (to be started again), 2 wrong usage or configuration, 77 the broker refuses
its login (it was removed, got another secret, or has yet to be added; to be started again after a pause, if at all),
78 superseded by an agent of the same name (not to be started again), 128+N left at once by signal N.

SIGTERM lets it finish what it has, take no more, and leave. A second one, or SIGINT, ends what runs; one more leaves at
once.
"""

import argparse
import asyncio
import logging
import sys
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from ffmesh_agent.config import AgentConfig, loaded
from ffmesh_agent.core.agent import Agent
from ffmesh_agent.shell.cgroups import Groups, prepared
from ffmesh_agent.shell.checking import checked
from ffmesh_agent.shell.disk import Disk
from ffmesh_agent.shell.host import boot
from ffmesh_agent.shell.in_force import in_force
from ffmesh_agent.shell.inspection import inspected
from ffmesh_agent.shell.journal import Journal
from ffmesh_agent.shell.life import fresh_life
from ffmesh_agent.shell.limits import kept
from ffmesh_agent.shell.owners import unheeded
from ffmesh_agent.shell.runtime import Runtime
from ffmesh_agent.shell.spool import Spool, owned
from ffmesh_agent.shell.wardens import Wardens
from ffmesh_protocol import VERSION
from ffmesh_protocol.errors import BadConfig
from ffmesh_protocol.finding import lines
from ffmesh_protocol.messages.reports import Result
from ffmesh_warden.handle import Warden
from ffmesh_warden.readiness import Readiness, readiness

PROGRAM: Final = "ffmesh-agent"
WRONG_USAGE: Final = 2

log = logging.getLogger(__name__)


class _Parser(argparse.ArgumentParser):
    """Its errors are one line, as all of ours."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USAGE, f"{PROGRAM}: {message}; see {PROGRAM} --help\n")


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        arguments = _arguments()
        sys.exit(_done(arguments))
    except BadConfig as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        sys.exit(WRONG_USAGE)


def _arguments() -> argparse.Namespace:
    parser = _Parser(
        prog=PROGRAM,
        allow_abbrev=False,
        description="Runs the mesh's programs on this machine. SIGTERM lets it finish what it has, take no more, and "
        "leave; a second one, or SIGINT, ends what runs.",
    )
    parser.add_argument("--config", metavar="FILE", type=Path, help="agent.toml; its folder is the agent's home")
    parser.add_argument("--roots", action="store_true", help="say how its roots look now, as JSON, and end")
    parser.add_argument(
        "--check",
        action="store_true",
        help="say what it would advertise and what is wrong, and end: 0 if nothing is, else 1, or 2 for the file",
    )
    parser.add_argument("--json", action="store_true", help="with --check: one JSON document and nothing else")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {VERSION}")
    arguments = parser.parse_args()
    if arguments.json and not arguments.check:
        parser.error("--json goes with --check")
    if arguments.config is None:
        parser.error("--config FILE is missing; `ffmesh join TOKEN` writes that file")
    return arguments


def _done(arguments: argparse.Namespace) -> int:
    if arguments.check:
        return _check(arguments.config, as_json=arguments.json)
    return _show_roots(arguments.config) if arguments.roots else _run(arguments.config)


def _check(file: Path, *, as_json: bool) -> int:
    logging.getLogger().setLevel(logging.CRITICAL)  # what is wrong is said below, and once
    found = asyncio.run(checked(file))
    said = [msgspec.json.encode(found).decode()] if as_json else lines(found.findings)
    sys.stdout.write("".join(f"{line}\n" for line in said))
    sys.stdout.flush()
    return (0 if found.ok else 1) if found.usable else WRONG_USAGE


def _show_roots(file: Path) -> int:
    """Of the agent that may be running meanwhile, and is not disturbed."""
    found = asyncio.run(inspected(loaded(file), file.absolute().parent))
    sys.stdout.write(f"{msgspec.json.encode(found).decode()}\n")
    sys.stdout.flush()
    return 0


def _run(file: Path) -> int:
    told = readiness()  # before anything is started that it is none of
    config = loaded(file)
    home = file.absolute().parent
    with owned(home):
        spool = Spool(home / "spool", Disk("spool"))
        spool_id, restored = spool.opened()
        wardens = Wardens(home / "wardens.json", spool_id, boot())
        wardens.end_all()
        groups, unkept = prepared(home, spool_id, config.limits)
        return asyncio.run(_work(config, home, spool, spool_id, restored, wardens, groups, unkept, told))


def _warn(sentences: list[str]) -> None:
    for sentence in sentences:
        log.warning("%s", sentence)


async def _work(
    config: AgentConfig,
    home: Path,
    spool: Spool,
    spool_id: str,
    restored: tuple[Result, ...],
    wardens: Wardens,
    groups: Groups | None,
    unkept: list[str],
    told: Readiness,
) -> int:
    force = in_force(config)
    if force.kind is None:
        log.warning("no fence stands around the programs of jobs: %s", force.why_none)
    for name, place in config.root_paths.items():
        if home.is_relative_to(place):
            log.warning("root %s holds the agent's own folder, %s: jobs can read its secret there", name, home)
    async with Warden.started() as warden:
        wardens.remember(warden)
        limits = await kept(config.limits, groups, warden, unkept)
        _warn([*limits.unkept, *unheeded(config.root_places)])
        life = fresh_life()
        core = Agent(
            name=config.name,
            cluster=config.cluster,
            life=life,
            secret=config.secret,
            kid=config.kid,
            boot=boot(),
            spool=spool_id,
            unfit=force.refusal,
        )
        return await Runtime(
            config=config,
            home=home,
            life=life,
            core=core,
            warden=warden,
            spool=spool,
            restored=restored,
            journal=Journal(home / "staged", spool_id),
            disk=Disk("disk"),
            force=force,
            limits=limits,
            spool_id=spool_id,
            readiness=told,
        ).run()


if __name__ == "__main__":
    main()
