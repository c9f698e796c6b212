"""What a staged job may say that it writes, and who may be asked to write it."""

from typing import Any

import pytest
from msgspec import structs

from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.media import RootPath
from ffmesh_protocol.messages.answers import Accepted, Refusal
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.requests import Submit
from support.coordinating import NAS, NAS_LIFE, Story, submit

FEATURE = "many-outputs"


def path(name: str, quoting: str = "none") -> RootPath:
    return RootPath(root="Movies", path=name, quoting=quoting)


def staged(*outputs: RootPath, **more: Any) -> Submit:
    return structs.replace(submit(kind=JobKind.STAGED), outputs=outputs, **more)


def many(*outputs: RootPath) -> Submit:
    asked = staged(*outputs, requires=(FEATURE,))
    return structs.replace(asked, needs=structs.replace(asked.needs, capabilities=(f"feature={FEATURE}",)))


@pytest.mark.parametrize(
    "asked",
    [
        staged(path("a.mkv")),
        staged(path("a/")),
        many(path("a.mkv"), path("b.mkv")),
        many(path("%v/s%d.ts", "pattern")),
    ],
)
def test_files_folders_and_sets_are_outputs(asked: Submit) -> None:
    story = Story()
    story.client_says(asked)
    story.answer(Accepted)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (staged(path("a.mkv", "filter")), "the output $Movies/a.mkv is written in a way that is not known"),
        (many(path("%v/", "pattern")), "the output $Movies/%v/ is a folder, whose name is no pattern"),
        (staged(path("../a.mkv")), "the output $Movies/../a.mkv is no place below its root"),
        (staged(path("/etc/a")), "the output $Movies//etc/a is no place below its root"),
        (staged(path("./")), "the output $Movies/./ is no place below its root"),
        (staged(path("a"), path("b")), f"several outputs, or a set of them, need agents with feature={FEATURE}"),
        (staged(path("%d", "pattern"), requires=(FEATURE,)), "several outputs, or a set of them, need agents with"),
    ],
)
def test_an_output_that_no_agent_would_take_for_what_it_is_is_refused(asked: Submit, why: str) -> None:
    story = Story()
    story.client_says(asked)
    refused = story.answer(Refusal)
    assert refused.code is RefusalCode.MALFORMED
    assert why in refused.sentence


def test_only_an_agent_that_knows_several_outputs_is_offered_such_a_job() -> None:
    several = many(path("a.mkv"), path("b.mkv"))
    story = Story()
    story.agent_comes()
    story.client_says(several)
    assert story.offered() == []
    story.agent_comes(NAS, NAS_LIFE, features=(*JobKind, FEATURE))
    assert len(story.offered()) == 1
