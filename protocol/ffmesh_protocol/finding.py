"""What a look at one thing has found, as `ffmesh doctor` and `--check` say it: a line each, and how to mend it."""

from collections.abc import Iterator, Sequence
from typing import Final

from ffmesh_protocol.wire import Told

FIRST_THE_OTHERS: Final = "mend what was found before this first"
"""How to mend what could not be looked at."""


class Finding(Told, frozen=True):
    """One that is `ok` and has something to mend all the same works as it is, and would be better otherwise."""

    check: str
    ok: bool
    message: str
    mend: str | None


def fine(check: str, message: str) -> Finding:
    return Finding(check=check, ok=True, message=message, mend=None)


def note(check: str, message: str, mend: str) -> Finding:
    """It works, and would be better otherwise."""
    return Finding(check=check, ok=True, message=message, mend=mend)


def wrong(check: str, message: str, mend: str) -> Finding:
    return Finding(check=check, ok=False, message=message, mend=mend)


def not_made(checks: Sequence[str], why: str) -> list[Finding]:
    return [wrong(check, f"not checked: {why}", FIRST_THE_OTHERS) for check in checks]


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """For people."""
    width = max((len(finding.check) for finding in findings), default=0)
    for finding in findings:
        was_made = finding.mend != FIRST_THE_OTHERS
        well = "ok" if finding.mend is None else "note"
        mark = well if finding.ok else "WRONG" if was_made else "-"
        yield f"{mark:5}  {finding.check:{width}}  {finding.message}"
        if finding.mend is not None and was_made:
            what = "better" if finding.ok else "to mend it"
            yield f"{'':{width + 9}}{what}: {finding.mend}"
