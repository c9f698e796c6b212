"""What the agent of this machine finds out about itself (`ffmesh-agent --check`), as far as `doctor` has not looked."""

import msgspec

from ffmesh_client.roots_seen import Silent, asked_of_agent
from ffmesh_protocol.finding import Finding, wrong

OURS_TO_TELL = frozenset({"permissions", "program", "root", "fence"})
"""What the doctor looks at itself."""


class _Checked(msgspec.Struct, frozen=True):
    findings: tuple[Finding, ...]


async def agent_checked(file: str) -> list[Finding]:
    try:
        said = msgspec.json.decode(await asked_of_agent(file, "--check", "--json"), type=_Checked)
    except (Silent, msgspec.MsgspecError) as error:
        return [wrong("agent", f"not looked at: {error}", f"see what `ffmesh-agent --config '{file}' --check` says")]
    return [each for each in said.findings if each.check not in OURS_TO_TELL and not _is_known(each)]


def _is_known(finding: Finding) -> bool:
    return finding.check == "configuration" and finding.ok
