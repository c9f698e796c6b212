"""Which fence stands around programs, by what is wanted and what is here."""

from typing import Literal, TypeAlias

import pytest

from ffmesh_agent.config import AgentConfig, BrokerPlace
from ffmesh_agent.shell.in_force import InForce, in_force
from ffmesh_warden import fences
from ffmesh_warden.fence import Kind

Wanted: TypeAlias = Literal["on", "required", "landlock", "bubblewrap", "off"]


def here(monkeypatch: pytest.MonkeyPatch, *kinds: Kind) -> None:
    missing: dict[Kind, str] = {kind: f"no {kind}" for kind in fences.BEST_FIRST if kind not in kinds}
    monkeypatch.setattr(fences, "found", lambda: fences.Found(kinds, missing))


def force(wanted: Wanted) -> InForce:
    broker = BrokerPlace(host="127.0.0.1", port=1)
    return in_force(AgentConfig(cluster="home", name="pi", secret=bytes(32), broker=broker, fence=wanted))


@pytest.mark.parametrize("wanted", ["on", "required"])
def test_the_best_that_is_here_is_taken(monkeypatch: pytest.MonkeyPatch, wanted: Wanted) -> None:
    here(monkeypatch, "landlock", "bubblewrap")
    assert (force(wanted).called, force(wanted).refusal) == ("landlock", None)
    here(monkeypatch, "bubblewrap")
    assert (force(wanted).called, force(wanted).refusal) == ("bubblewrap", None)


def test_without_any_an_agent_works_on_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch)
    assert force("on") == InForce(None, "no landlock; no bubblewrap", takes_work=True)
    assert (force("on").called, force("on").refusal) == ("none", None)


@pytest.mark.parametrize(("wanted", "why"), [("required", "no landlock; no bubblewrap"), ("landlock", "no landlock")])
def test_where_one_is_demanded_it_takes_no_work(monkeypatch: pytest.MonkeyPatch, wanted: Wanted, why: str) -> None:
    here(monkeypatch)
    assert force(wanted).refusal == f"it takes no work without a fence around programs, and has none: {why}"


def test_one_kind_can_be_demanded_and_no_other_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch, "landlock", "bubblewrap")
    assert force("bubblewrap").called == "bubblewrap"
    here(monkeypatch, "landlock")
    assert force("bubblewrap").refusal is not None


def test_switched_off_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fences, "found", lambda: pytest.fail("it was tried"))
    assert (force("off").called, force("off").refusal) == ("none", None)
