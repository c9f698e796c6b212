"""Hours of the week, as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffmesh_agent.manners.hours import A_DAY, A_WEEK, DAYS, NoHours, is_within, shown, spans


def at(text: str) -> int:
    day, time = text.split()
    hour, minute = map(int, time.split(":"))
    return DAYS.index(day) * A_DAY + hour * 60 + minute


@pytest.mark.parametrize(
    ("hours", "within", "outside"),
    [
        ("Mo-Fr 18:00-08:00", ["Mo 18:00", "Tu 07:59", "Sa 07:59"], ["Mo 07:59", "Mo 17:59", "Sa 08:00", "Sa 18:00"]),
        ("Sa-Su", ["Sa 00:00", "Su 23:59"], ["Fr 23:59", "Mo 00:00"]),
        ("22:00-06:30", ["Mo 22:00", "Su 06:29", "Su 23:00"], ["Mo 06:30", "We 21:59"]),
        ("Su 20:00-04:00", ["Su 20:00", "Mo 03:59"], ["Su 03:59", "Mo 04:00"]),
        ("Sa-Mo", ["Sa 12:00", "Su 12:00", "Mo 12:00"], ["Tu 00:00", "Fr 23:59"]),
        ("mo,we 8:00-9:00,20:00-24:00", ["Mo 08:00", "We 23:59"], ["Mo 09:00", "Tu 08:30", "Th 00:00"]),
        ("Fr 00:00-24:00", ["Fr 00:00", "Fr 23:59"], ["Th 23:59", "Sa 00:00"]),
    ],
)
def test_days_and_times_are_understood_over_midnight_and_over_sunday(
    hours: str, within: list[str], outside: list[str]
) -> None:
    assert [each for each in within if not is_within([hours], at(each))] == []
    assert [each for each in outside if is_within([hours], at(each))] == []


def test_one_of_several_is_enough() -> None:
    assert is_within(["Mo", "Th 10:00-11:00"], at("Th 10:30"))
    assert not is_within([], at("Th 10:30"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "write days, times or both"),
        ("Mo Tu We", "write days, times or both"),
        ("Mo-Fi", "“Fi” is no day; write one of Mo, Tu"),
        ("Mo-", "“” is no day"),
        ("18:00", "“” is no time"),
        ("18:00-25:00", "“25:00” is no time; write it as in 18:00-08:00"),
        ("24:30-01:00", "“24:30” is no time"),
        ("08:00-08:00", "is no time at all; for a whole day leave the times out"),
        ("24:00-08:00", "is no time at all"),
        ("Mo 8-9", "“8” is no time"),
    ],
)
def test_what_is_no_hours_is_told_with_what_to_write(text: str, sentence: str) -> None:
    with pytest.raises(NoHours, match=sentence):
        spans(text)


@given(st.integers(0, A_DAY - 1), st.integers(0, A_DAY - 1), st.integers(0, A_WEEK - 1))
def test_two_times_and_their_reverse_part_the_week(first: int, last: int, minute: int) -> None:
    if first == last:
        return
    there, back = (f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in ((first, last), (last, first)))
    assert is_within([there], minute) != is_within([back], minute)


def test_a_minute_of_the_week_is_shown_as_hours_are_written() -> None:
    assert shown(at("We 09:05")) == "We 09:05"
