"""From what sensors say to what is in force."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffmesh_agent.manners.fold import NOT_READ_YET, Standing, conditions, patience, step
from ffmesh_agent.manners.minds import Hours, Input, Manners, Minds, Others, Power, Programs, Temperature
from ffmesh_agent.manners.readings import Reading, Seen, Unseen
from ffmesh_protocol.messages.manners import Condition, Manner

HOT = Temperature(above=80, margin=5, begins_after="5 s", ends_after="30 s")
SILENT = Unseen(why="its sensor hangs")


def told(minds: Minds, readings: Sequence[tuple[float, Reading]]) -> list[Condition]:
    """What is said after each of them."""
    standing: Standing = NOT_READ_YET
    said: list[Condition] = []
    for now, reading in readings:
        standing = step(minds, reading, now, standing)
        said += conditions({"it": minds}, {"it": standing})
    return said


def values(minds: Minds, *at: tuple[float, float]) -> list[tuple[bool, str]]:
    return [(each.in_force, each.reason) for each in told(minds, [(now, Seen(value=value)) for now, value in at])]


def test_a_temperature_begins_after_a_while_above_and_ends_after_a_while_below_its_margin() -> None:
    assert values(HOT, (0, 70), (2, 81.5), (4, 82), (7, 83), (9, 79), (20, 75), (40, 75.0), (50, 74)) == [
        (False, "70.0 °C, not above 80 °C"),
        (False, "81.5 °C, above 80 °C; it begins after 5 s of that"),
        (False, "82.0 °C, above 80 °C; it begins after 5 s of that"),
        (True, "83.0 °C, above 80 °C"),
        (True, "79.0 °C, between 75 and 80 °C"),
        (True, "75.0 °C, not above 80 °C; it ends after 30 s of that"),
        (True, "75.0 °C, not above 80 °C; it ends after 30 s of that"),
        (False, "74.0 °C, not above 80 °C"),
    ]


def test_a_spike_does_not_begin_it_and_a_dip_does_not_end_it() -> None:
    assert not any(in_force for in_force, _ in values(HOT, (0, 70), (2, 90), (4, 80), (6, 90), (8, 80), (10, 90)))
    stays = values(HOT, (0, 90), (10, 70), (35, 76), (45, 70), (70, 81), (90, 70), (119, 70))
    assert all(in_force for in_force, _ in stays)


def test_the_first_value_that_is_known_counts_at_once() -> None:
    assert values(HOT, (0, 81))[0][0]
    assert not told(HOT, [(0, SILENT), (1, Seen(value=75))])[-1].in_force


@pytest.mark.parametrize(
    ("minds", "begins", "ends", "in_force", "over"),
    [
        (Input(idle="10 min"), 125, 600, "last input 2 min ago, less than 10 min", "last input 10 min ago"),
        (
            Others(above=50),
            51,
            40,
            "others use 51 % of the processors, above 50 %",
            "others use 40 % of the processors, n",
        ),
        (Power(), 0, 1, "on battery", "on mains power"),
        (Programs(names=("steam",)), 2, 0, "one of its programs is running", "none of its programs is running"),
        (
            Hours(only=("Mo 10:00-12:00",)),
            720,
            719,
            "Mo 12:00 is outside of its hours (Mo 10:00-12:00)",
            "Mo 11:59 is within its hours (Mo 10:00-12:00)",
        ),
        (Hours(sensor=("cheap",)), 0, 1, "now is outside of its hours", "now is within its hours"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Minds) else "",
)
def test_each_condition_begins_and_ends_with_its_value_in_a_sentence(
    minds: Minds, begins: float, ends: float, in_force: str, over: str
) -> None:
    said = values(minds, (0, begins), (10, ends), (100, ends))
    assert said[0] == (True, in_force)
    assert not said[-1][0]
    assert said[-1][1].startswith(over)


def test_what_the_sensor_says_in_words_is_said() -> None:
    said = told(Programs(names=("steam",)), [(0, Seen(value=1, said="steam is running"))])
    assert said[0].reason == "steam is running"


def test_before_anything_was_read_nothing_is_known() -> None:
    assert [(each.in_force, each.manner, each.reason) for each in conditions({"it": HOT}, {})] == [
        (True, Manner.DRAIN, "not known, because it has not been read yet")
    ]


def test_a_sensor_that_misses_its_turn_leaves_its_last_value_for_a_moment() -> None:
    said = told(HOT, [(0, Seen(value=90)), (2, SILENT), (patience(HOT), SILENT), (20, Seen(value=77))])
    assert [(each.manner, each.in_force) for each in said] == [
        (Manner.PAUSE, True),
        (Manner.PAUSE, True),
        (Manner.DRAIN, True),
        (Manner.PAUSE, True),
    ]
    assert said[2].reason == "not known, because its sensor hangs"


ANY_READING = st.one_of(st.just(SILENT), st.floats(0, 120).map(lambda value: Seen(value=value)))
SOME_TIME = st.floats(0.1, 60)
MANNER = st.sampled_from(Manner)
UNKNOWN = st.sampled_from(("ignore", *Manner))


@given(st.lists(st.floats(75.1, 80)), st.sampled_from([(70.0, False), (90.0, True)]))
def test_within_the_margin_nothing_changes_however_long(within: list[float], first: tuple[float, bool]) -> None:
    value, in_force = first
    said = values(HOT, (0, value), *((100.0 * at, each) for at, each in enumerate(within, 1)))
    assert {each for each, _ in said} == {in_force}


@given(st.lists(st.tuples(SOME_TIME, st.floats(0, 120)), min_size=1))
def test_known_values_never_change_it_faster_than_its_times_allow(steps: list[tuple[float, float]]) -> None:
    now, changed_at, before = 0.0, float("-inf"), None
    standing = NOT_READ_YET
    for seconds, value in steps:
        now += seconds
        standing = step(HOT, Seen(value=value), now, standing)
        if before is not None and standing.in_force != before:
            assert now - changed_at >= (5 if standing.in_force else 30)
            assert value > 80 if standing.in_force else value <= 75
        if before is None or standing.in_force != before:
            changed_at, before = now, standing.in_force


@given(st.lists(st.tuples(SOME_TIME, ANY_READING)), MANNER, UNKNOWN)
def test_what_is_unknown_is_met_as_configured_and_what_is_known_as_well(
    steps: list[tuple[float, Reading]], then: Manner, unknown: str
) -> None:
    minds = Temperature(then=then, unknown=unknown)  # type: ignore[arg-type]  # a literal, or a manner, which is one
    now, known_at, standing = 0.0, float("-inf"), NOT_READ_YET
    for seconds, reading in steps:
        now += seconds
        known_at = now if isinstance(reading, Seen) else known_at
        standing = step(minds, reading, now, standing)
        [said] = conditions({"it": minds}, {"it": standing})
        if now - known_at < patience(minds):
            assert said.manner is then
            assert "not known" not in said.reason
        else:
            assert said.reason.startswith("not known, because its sensor hangs")
            assert said.in_force == (unknown != "ignore")
            assert said.manner == (then if unknown == "ignore" else unknown)


def test_only_what_has_a_table_is_minded() -> None:
    assert Manners().minded == {}
    assert list(Manners(power=Power(), temperature=HOT).minded) == ["power", "temperature"]
