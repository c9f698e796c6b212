"""What `doctor` finds out about the shims that were installed here."""

from ffmesh_client.errors import WrongUsage
from ffmesh_client.shim.installed import folders
from ffmesh_client.shim.installing import ails
from ffmesh_protocol.finding import Finding


def shims() -> list[Finding]:
    """One finding a folder; none if there was never a shim."""
    findings: list[Finding] = []
    for folder in folders():
        try:
            wrong = [*ails(folder)]
        except WrongUsage as error:
            wrong = [str(error)]
        message = "; ".join(wrong) or f"{folder}/ffmpeg and ffprobe are the shim"
        mend = f"`ffmesh shim install {folder}`, or `ffmesh shim remove {folder}`" if wrong else None
        findings.append(Finding(check="shim", ok=not wrong, message=message, mend=mend))
    return findings
