"""What `ffmesh doctor` concludes from what agents say of themselves."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from ffmesh_client.agents_told import clock, told, versions
from ffmesh_protocol.finding import Finding
from ffmesh_protocol.messages.capability import AgentView, Load, RootState
from ffmesh_protocol.messages.presence import AgentState

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ROOMY = RootState(mounted=True, writable=True, free_bytes=10**12)


def agent(name: str = "pi", **said: object) -> AgentView:
    plain = AgentView(
        name=name,
        state=AgentState.ONLINE,
        life=None,
        version="1.0",
        features=(),
        host=None,
        programs={"ffmpeg": "7.1"},
        hwaccels=(),
        tried=True,
        roots={"Films": ROOMY},
        slots={},
        fence="landlock",
        load=Load(cpu_percent=None, memory_percent=None, temperature_c=None),
        running=(),
        last_seen_at="2026-01-01T12:00:00Z",
        encoders=("libx264",),
        decoders=(),
        filters=(),
        unavailable={},
    )
    return structs.replace(plain, **said)


def all_told(*agents: AgentView, roots: Mapping[str, str | None] | None = None) -> dict[str, Finding]:
    findings = told(agents, ours="1.0", coordinators="1.0", now=NOW, roots=roots or {})
    return {finding.check: finding for finding in findings}


def notes(found: Mapping[str, Finding]) -> dict[str, str]:
    """What would be better otherwise, or is wrong."""
    return {check: finding.message for check, finding in found.items() if finding.mend is not None}


def test_of_agents_that_are_well_nothing_is_to_be_mended() -> None:
    assert notes(all_told(agent(), agent("nas"), roots={"Films": None})) == {}


def test_what_is_offline_is_not_judged() -> None:
    gone = agent("nas", state=AgentState.OFFLINE, version="0.1", roots={"Films": RootState(mounted=False)})
    assert notes(all_told(agent(), gone)) == {}


@pytest.mark.parametrize(("ahead", "said"), [(0, None), (12, None), (3600, "3600 s ahead of"), (-90, "90 s behind")])
def test_a_clock_is_judged_by_what_was_just_seen(ahead: int, said: str | None) -> None:
    (finding,) = clock([agent(last_seen_at="2025-01-01T00:00:00Z"), agent()], NOW + timedelta(seconds=ahead))
    assert finding.ok, "nothing rests on it"
    assert (finding.mend is None) == (said is None)
    assert said is None or said in finding.message


def test_without_an_agent_that_is_there_no_clock_is_judged() -> None:
    assert clock([], NOW) == clock([agent(last_seen_at=None)], NOW) == []


def test_versions_that_differ_are_named_with_who_has_them() -> None:
    finding = versions([agent(), agent("nas", version="0.9")], ours="1.0", coordinators="1.1")
    assert finding.ok
    assert finding.message == "this is 1.0, the coordinator is 1.1, agent nas is 0.9"


def test_hardware_that_does_not_work_is_no_fault_and_software_that_does_not_is_one() -> None:
    listed = agent(unavailable={"encoder/h264_nvenc": "Cannot load libcuda.so.1"})
    assert notes(all_told(listed)) == {}
    broken = agent(unavailable={"encoder/libx264": "it crashed", "program/sox": "not here"})
    assert notes(all_told(broken)) == {"encoders": "pi: libx264: it crashed"}
    assert not all_told(agent(encoders=()))["encoders"].ok
    assert all_told(agent(encoders=(), tried=False))["encoders"].message == "pi: 0, of hardware none, not all tried yet"
    assert all_told(agent(encoders=("h264_qsv",)))["encoders"].message == "pi: 1, of hardware h264_qsv"


def test_roots_that_are_away_full_or_nowhere_are_told() -> None:
    away = RootState(mounted=False, why="nothing is mounted there")
    assert notes(all_told(agent(roots={"Films": away}))) == {"mounts": "Films on pi: nothing is mounted there"}
    full = RootState(mounted=True, writable=True, free_bytes=10**8)
    assert notes(all_told(agent(roots={"Films": full}))) == {"room": "little is free in Films on pi: 100.0 MB"}
    assert not all_told(agent(), roots={"Series": None})["mounts"].ok


def test_storage_is_compared_where_both_sides_know_theirs() -> None:
    nas = agent("nas", roots={"Films": structs.replace(ROOMY, storage="a")})
    assert "storage" not in all_told(nas, roots={"Films": "a"})
    assert "storage" not in all_told(nas, roots={"Films": None})
    assert all_told(nas, roots={"Films": "b"})["storage"].message == (
        "root Films is not the same storage here as on nas"
    )
