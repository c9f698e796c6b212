"""Errors are a tree; what crosses the wire is stable."""

import re
from typing import Any

from ffmesh_protocol import errors
from ffmesh_protocol.errors import FfmeshError, NotGenuine, PublishRefused, RefusalCode, Refused
from ffmesh_protocol.messages.jobs import RefusedCounts


def below(kind: type[Any]) -> set[tuple[str, str]]:
    children = [each for each in kind.__subclasses__() if each.__module__ == errors.__name__]
    return {(each.__name__, kind.__name__) for each in children}.union(*map(below, children))


def test_the_tree_that_is_drawn_is_the_tree_that_is() -> None:
    drawn: set[tuple[str, str]] = set()
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│├└─ ]*)([A-Z][A-Za-z]+)\b", line)
        if found is None:
            continue
        level = len(found[1]) // 4
        del path[level:]
        if path:
            drawn.add((found[2], path[-1]))
        path.append(found[2])

    assert drawn == below(FfmeshError)


def test_every_message_that_is_not_acted_on_is_counted_under_a_name_of_the_summary() -> None:
    kinds: list[type[NotGenuine]] = [NotGenuine, *NotGenuine.__subclasses__()]
    for kind in kinds:
        assert kind.counted in RefusedCounts.__struct_fields__


def test_the_words_that_scripts_compare_are_never_renamed() -> None:
    assert {code.value for code in RefusalCode} >= {
        "malformed",
        "unsupported",
        "unknown_job",
        "unknown_agent",
        "not_allowed",
        "id_taken",
        "program_not_listed",
        "too_late",
        "too_large",
        "agent_away",
        "no_logs",
        "full",
    }


def test_a_refusal_has_a_code_for_scripts_and_a_sentence_for_people() -> None:
    refused = Refused(RefusalCode.FULL, "no more jobs fit")
    assert (refused.code, str(refused)) == (RefusalCode.FULL, "no more jobs fit")


def test_a_refused_publish_says_where_and_why() -> None:
    refused = PublishRefused("a/topic", 135)
    assert "a/topic" in str(refused)
    assert refused.reason_code == 135
