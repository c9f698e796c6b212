"""Why a job waits, in one sentence that a person can act on."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ffmesh_coordinator.core.explaining import why_not_placed
from ffmesh_coordinator.core.queue import Wish
from ffmesh_coordinator.core.roster import Agent
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.capability import AdvertPrograms, RootState, SlotCount
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.manners import Manner
from ffmesh_protocol.messages.orders import Drain
from ffmesh_protocol.messages.reports import FailureKind
from ffmesh_protocol.messages.requests import DrainAgent
from ffmesh_protocol.reasons import ReasonCode
from support.coordinating import JOB, PI_LIFE, Story, advert, submit

NOW = 1_000_000.0
HOUR = 3600.0


def agent(
    name: str,
    *,
    encoders: Sequence[str] = (),
    unavailable: dict[str, str] | None = None,
    slots: int = 1,
    used: int = 0,
    **able: Any,
) -> Agent:
    """That is here and can do everything, but for what is said otherwise."""
    programs = AdvertPrograms(
        life=PI_LIFE, encoders=tuple(encoders), decoders=(), filters=(), unavailable=unavailable or {}, tried=True
    )
    return Agent(
        name,
        life=PI_LIFE,
        gone=False,
        silent=False,
        advert=advert(PI_LIFE, slots, **able),
        programs=programs,
        booked={f"0A{number:024d}": "cpu" for number in range(used)},
        seen_utc=NOW,
    )


def away(name: str, ago: float, **able: Any) -> Agent:
    known = agent(name, **able)
    known.gone, known.seen_utc = True, NOW - ago
    return known


def draining(name: str, **able: Any) -> Agent:
    known = agent(name, **able)
    known.told = Manner.DRAIN
    return known


def why(agents: Sequence[Agent], *, kind: JobKind = JobKind.DIRECT, **wished: Any) -> str:
    needs = Needs(
        program=wished.pop("program", "ffmpeg"), **{k: wished.pop(k) for k in list(wished) if k != "avoiding"}
    )
    waiting = why_not_placed(Wish(kind=kind, needs=needs, **wished), agents, NOW)
    assert waiting is not None
    return waiting.why


# --- nobody can -------------------------------------------------------------------------------------------------------


def test_what_no_agent_online_has_is_named_and_where_it_was_last_seen() -> None:
    agents = [agent("pi"), away("shed-pc", 3 * HOUR, encoders=["hevc_nvenc"])]
    said = why(agents, capabilities=("encoder=hevc_nvenc",))
    assert said == "no agent online has encoder hevc_nvenc; last seen on shed-pc 3 h ago"


def test_what_an_agent_lists_and_could_not_do_when_it_was_tried_is_said_with_the_reason() -> None:
    agents = [agent("nas"), agent("pi", unavailable={"encoder/h264_nvenc": "Cannot load libcuda.so.1"})]
    said = why(agents, capabilities=("encoder=h264_nvenc",))
    assert said == "no agent online has encoder h264_nvenc; pi: Cannot load libcuda.so.1"
    said = why(agents, on="pi", capabilities=("encoder=h264_nvenc",))
    assert said == "it asks for agent pi, which has no encoder h264_nvenc: Cannot load libcuda.so.1"


def test_the_one_seen_last_is_named_if_several_have_it() -> None:
    agents = [agent("pi"), away("attic", 50 * HOUR, encoders=["x"]), away("shed", 120, encoders=["x"])]
    assert why(agents, capabilities=("encoder=x",)) == "no agent online has encoder x; last seen on shed 2 min ago"


def test_what_nobody_ever_had_was_seen_nowhere() -> None:
    assert why([agent("pi")], capabilities=("encoder=av1",)) == "no agent online has encoder av1"


def test_a_draining_agent_that_has_it_is_named() -> None:
    said = why([agent("pi"), draining("nas", encoders=["x"])], capabilities=("encoder=x",))
    assert said == "no agent online has encoder x; nas has, and is draining"


def test_an_agent_that_has_the_one_and_lacks_the_other_is_named_with_both() -> None:
    agents = [agent("nas", encoders=["x"], roots={}), agent("pi")]
    said = why(agents, roots=("Movies",), capabilities=("encoder=x",))
    assert said == "no agent online has all that it needs; nas has encoder x, but has no root Movies"


def test_a_root_that_nobody_has_and_one_that_is_not_mounted_are_told_apart() -> None:
    assert why([agent("pi")], roots=("Music",)) == "no agent online has root Music"
    unmounted = agent("pi", roots={"Movies": RootState(mounted=False)})
    assert why([unmounted], roots=("Movies",)) == "root Movies is not mounted on pi"


def test_why_a_root_is_not_mounted_is_said_and_where_else_it_is_not() -> None:
    gone, silent = (RootState(mounted=False, why=why) for why in ("nothing is mounted there", "it does not answer"))
    agents = [agent("pi", roots={"Movies": gone}), agent("nas", roots={"Movies": silent}), agent("pc", roots={})]
    assert why(agents[:1], roots=("Movies",)) == "root Movies is not mounted on pi: nothing is mounted there"
    assert why(agents, roots=("Movies",)) == "root Movies is not mounted on pi: nothing is mounted there; nor on nas"
    assert why(agents, on="nas", roots=("Movies",)) == (
        "it asks for agent nas, which has root Movies not mounted: it does not answer"
    )


def test_of_an_agent_that_has_one_root_and_not_the_other_both_are_named() -> None:
    known = {"Movies": RootState(mounted=True), "Series": RootState(mounted=False, why="it does not answer")}
    said = why([agent("pi", roots=known)], roots=("Movies", "Series"))
    assert said == "root Series is not mounted on pi: it does not answer"


def test_a_root_that_takes_nothing_new_keeps_only_those_that_write_there_and_says_why() -> None:
    full = RootState(mounted=True, writable=True, why="it has 9.0 MB free, and no new job writes there below 1.0 GB")
    agents = [agent("pi", roots={"Movies": full, "Music": RootState(mounted=True)})]
    needs = Needs(program="ffmpeg", roots=("Movies", "Music"))
    waiting = why_not_placed(Wish(kind=JobKind.STAGED, needs=needs, writes=("Movies",)), agents, NOW)
    assert waiting is not None
    assert waiting.why == f"no agent online takes anything new in root Movies; pi: {full.why}"
    assert why_not_placed(Wish(kind=JobKind.STAGED, needs=needs, writes=("Music",)), agents, NOW) is None
    on = msgspec.structs.replace(needs, on="pi")
    waiting = why_not_placed(Wish(kind=JobKind.STAGED, needs=on, writes=("Movies",)), agents, NOW)
    assert waiting is not None
    assert waiting.why == f"it asks for agent pi, which takes nothing new in root Movies: {full.why}"


def test_a_program_on_nobodys_list_is_named() -> None:
    assert why([agent("pi")], program="sox") == "no agent online has sox on its list"


def test_a_kind_of_slot_that_nobody_has_is_named() -> None:
    assert why([agent("pi")], slot="gpu") == "no agent online has gpu slots"


def test_agents_of_an_older_version_are_said_to_be_that() -> None:
    old = agent("pi", features=("direct",))
    assert why([old], kind=JobKind.STAGED) == "no agent online has a version that knows staged jobs"


def test_an_agent_that_has_just_come_is_not_said_to_lack_anything() -> None:
    new = agent("pi")
    new.life = "0P" + "2" * 24
    assert why([new]) == "no agent online has said yet what it can do"
    new.advert = None
    assert why([new, away("nas", HOUR)]) == "no agent online has said yet what it can do"


def test_nobody_online_names_who_was_here_last() -> None:
    said = why([away("pi", 86_400 * 2), away("nas", 5)])
    assert said == "no agent is online; nas was last seen 5 s ago"
    never = Agent("pi")
    assert why([never]) == "no agent is online"


def test_without_any_agent_it_says_how_to_add_one() -> None:
    assert why([]) == "no agent is known; add one with `ffmesh principal add NAME --role agent`"


def test_all_that_are_online_draining_are_named() -> None:
    agents = [draining("pi"), draining("nas"), away("shed", HOUR)]
    assert why(agents) == "every agent that is online is draining: pi and nas"
    many = [draining(f"pi-{number}") for number in range(5)]
    assert why(many) == "every agent that is online is draining: pi-0, pi-1, pi-2 and 2 more"


# --- one was asked for ------------------------------------------------------------------------------------------------


def test_an_agent_that_was_asked_for_and_is_not_known_is_said_to_be_that() -> None:
    assert why([agent("pi")], on="nas") == "it asks for agent nas, which is not known"


def test_an_agent_that_was_asked_for_and_cannot_is_named_with_what_it_lacks() -> None:
    agents = [agent("pi"), agent("nas", roots={}), draining("attic"), away("shed", 3 * HOUR)]
    assert why(agents, on="nas", roots=("Movies",)) == "it asks for agent nas, which has no root Movies"
    assert why(agents, on="attic") == "it asks for agent attic, which is draining"
    assert why(agents, on="shed") == "it asks for agent shed, which is offline; it was last seen 3 h ago"


def test_others_with_room_do_not_help_a_job_that_asks_for_one() -> None:
    agents = [agent("pi"), agent("nas", used=1)]
    assert why(agents, on="nas") == "the only agent that can run it, nas, is full: 1 of 1 slots used"


# --- those that can are full, or rest ---------------------------------------------------------------------------------


def test_full_agents_are_counted_with_their_slots() -> None:
    agents = [agent("pi", used=1), agent("nas", used=1), agent("shed", roots={})]
    assert why(agents, roots=("Movies",)) == "both agents with root Movies are full: 2 of 2 slots used"
    more = [*agents, agent("attic", slots=2, used=2)]
    assert why(more, roots=("Movies",)) == "all 3 agents with root Movies are full: 4 of 4 slots used"
    said = why([agent("pi", slots=2, used=2)], roots=("Movies",))
    assert said == "the only agent with root Movies that can run it, pi, is full: 2 of 2 slots used"


def test_the_kind_of_slot_is_named_if_it_is_not_the_usual_one() -> None:
    full = agent("pi")
    full.advert = advert(PI_LIFE, slots={"gpu": SlotCount(total=1)})
    full.booked = {"0A" + "1" * 24: "gpu"}
    said = why([full], slot="gpu")
    assert said == "the only agent that can run it, pi, is full: 1 of 1 gpu slots used"


def test_what_full_agents_have_in_common_is_named_in_words() -> None:
    agents = [agent(name, encoders=["x"], used=1) for name in ("pi", "nas")]
    said = why(agents, roots=("Movies",), capabilities=("encoder=x",))
    assert said == "both agents with root Movies and encoder x are full: 2 of 2 slots used"


def test_agents_that_rest_say_why() -> None:
    tired, idle = agent("pi"), agent("nas")
    tired.resting = "3 jobs in a row failed there"
    assert why([tired]) == "pi, the only agent that can run it, rests: 3 jobs in a row failed there"
    idle.resting = "it has just declined a job"
    assert why([tired, idle]) == "all 2 agents that can run it rest; pi: 3 jobs in a row failed there"


def test_a_job_that_failed_wherever_it_could_run_says_where() -> None:
    said = why([agent("pi")], avoiding=frozenset({"pi"}))
    assert said == "it failed on pi, and no other agent can run it; it is tried there again soon"


def test_what_only_waits_for_its_turn_has_nothing_that_keeps_it() -> None:
    wish = Wish(kind=JobKind.DIRECT, needs=Needs(program="ffmpeg"))
    assert why_not_placed(wish, [agent("pi", used=1), agent("nas")], NOW) is None


# --- as people see it -------------------------------------------------------------------------------------------------


def test_a_queued_job_is_shown_with_why_it_waits_and_a_running_one_without() -> None:
    story = Story().client_says(submit())
    view = story.core.view(story.disk[JOB])
    assert (view.reason_code, view.reason is not None) == (ReasonCode.WAITING_FOR_AGENT, True)
    story.agent_comes()
    story.is_taken()
    view = story.core.view(story.disk[JOB])
    assert (view.reason_code, view.reason) == (None, None)


def test_the_sentence_follows_what_agents_say_and_what_people_do() -> None:
    story = Story().agent_comes().client_says(DrainAgent(agent="pi", draining=True)).client_says(submit())
    assert story.messages(Drain) == []
    assert story.core.view(story.disk[JOB]).reason == "every agent that is online is draining: pi"


def test_a_job_that_failed_on_the_only_machine_that_can_run_it_says_that_it_is_tried_again() -> None:
    story = Story()
    story.ends(story.runs(max_attempts=2), exit_code=1, failure=FailureKind.NODE)
    view = story.core.view(story.disk[JOB])
    assert view.reason_code is ReasonCode.WAITING_TO_RETRY
    assert view.reason == "it failed on pi, and no other agent can run it; it is tried there again soon"
