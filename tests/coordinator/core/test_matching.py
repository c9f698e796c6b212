# pyright: reportPrivateUsage=false
# What a decision costs, in looks and in memory, comes out nowhere.
"""Which agent is the best one for a wish: always the one that a look at all of them would find, at a fraction of it."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from ffmesh_coordinator.core.events import AdvertSeen
from ffmesh_coordinator.core.matching import LISTS, LOG, Matching
from ffmesh_coordinator.core.placement import has_room, is_able, preference, speed, why_there
from ffmesh_coordinator.core.queue import Wish
from ffmesh_coordinator.core.roster import Agent, Roster
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.capability import AdvertPrograms, RootState, SlotCount
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.manners import PAUSE, Manner
from ffmesh_protocol.messages.reports import HeldPhase
from ffmesh_protocol.names import agent as agent_principal
from support.coordinating import PI_LIFE, Story, advert, held, submit

ATTEMPTS = [f"0A{number:024d}" for number in range(4)]
NAMES = ["ash", "birch", "cedar"]
OTHER_JOB = "0J" + "9" * 24

WISHES = [
    Wish(kind=JobKind.DIRECT, needs=Needs(program="ffmpeg")),
    Wish(kind=JobKind.STAGED, needs=Needs(program="ffmpeg")),
    Wish(kind=JobKind.INTERACTIVE, needs=Needs(program="ffmpeg")),
    Wish(kind=JobKind.INTERACTIVE, needs=Needs(program="ffmpeg"), near="cedar"),
    Wish(kind=JobKind.DIRECT, needs=Needs(program="ffmpeg", slot="gpu")),
    Wish(kind=JobKind.DIRECT, needs=Needs(program="ffmpeg", roots=("Movies",))),
    Wish(kind=JobKind.DIRECT, needs=Needs(program="ffmpeg", capabilities=("encoder=h264",))),
    Wish(kind=JobKind.DIRECT, needs=Needs(program="ffmpeg", on="birch")),
    Wish(kind=JobKind.DIRECT, needs=Needs(program="ffmpeg"), avoiding=frozenset({"ash", "birch"})),
    Wish(kind=JobKind.DIRECT, needs=Needs(program="ffmpeg"), near="cedar"),
    Wish(kind=JobKind.STAGED, needs=Needs(program="ffmpeg", roots=("Movies",)), writes=("Movies",)),
]


def naive_best(roster: Roster, wish: Wish) -> tuple[str, int] | None:
    able = [agent for agent in roster if is_able(agent, wish)]
    free = [agent for agent in able if has_room(agent, wish)]
    return (min(free, key=lambda agent: preference(agent, wish)).name, len(able)) if free else None


def there(agent: Agent, *, cpu: int = 1, gpu: int = 0) -> Agent:
    """It has come, and can do everything."""
    agent.life, agent.gone, agent.silent = PI_LIFE, False, False
    slots = {"cpu": SlotCount(total=cpu), "gpu": SlotCount(total=gpu)}
    agent.advert = advert(PI_LIFE, slots=slots, features=(*JobKind, PAUSE))
    return agent


def measured(encoder: str, fps: float) -> AdvertPrograms:
    return AdvertPrograms(
        life=PI_LIFE,
        encoders=(encoder,),
        decoders=(),
        filters=(),
        unavailable={},
        tried=True,
        speeds={encoder: fps, "libfast": 1000.0} if fps else {},
    )


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, str, int, bool]:
    """What of an agent changes, whose, and to what. What happens all the time is likelier than the rest."""
    seldom = st.sampled_from(
        ["slots", "held", "draining", "resting", "features", "root", "encoder", "speed", "weight", "removed"]
    )
    what = draw(st.one_of(st.just("booked"), st.just("online"), seldom))
    return what, draw(st.sampled_from(NAMES)), draw(st.integers(min_value=0, max_value=2)), draw(st.booleans())


def change(roster: Roster, matching: Matching, what: str, name: str, number: int, *, yes: bool) -> None:
    agent = roster.get(name)
    if agent is None:
        agent = there(roster.met(name))
    assert agent.advert is not None
    match what:
        case "booked":
            agent.booked = dict.fromkeys(ATTEMPTS[:number], "cpu")
            agent.attended = set(ATTEMPTS[:1]) if yes else set()
        case "online":
            agent.gone = yes
        case "slots":
            agent.advert = advert(PI_LIFE, slots={"cpu": SlotCount(total=number), "gpu": SlotCount(total=1)})
        case "held":
            phase = HeldPhase.RUNNING if yes else HeldPhase.ENDED
            agent.held = {each: held(each, phase) for each in ATTEMPTS[:number]}
        case "draining":
            agent.told = Manner.DRAIN if yes else None
        case "resting":
            agent.resting = "it rests" if yes else None
        case "features":
            agent.advert = advert(PI_LIFE, 2, features=("direct", "staged") if yes else ("direct",))
        case "root":
            state = RootState(mounted=yes, why="it is full" if number == 2 else None)
            agent.advert = advert(PI_LIFE, 2, roots={"Movies": state} if number else {})
        case "encoder":
            agent.programs = AdvertPrograms(
                life=PI_LIFE, encoders=("h264",) if yes else (), decoders=(), filters=(), unavailable={}, tried=True
            )
        case "weight":
            agent.advert = structs.replace(agent.advert, weight=0.5 * (number + 1))
        case "speed":
            agent.programs = measured("h264", 10.0 * number)
        case _:
            roster.remove(name)
    matching.changed(agent)


@given(story=st.lists(st.tuples(changes(), st.booleans()), min_size=20, max_size=60))
@settings(max_examples=100)
def test_the_best_is_the_one_that_a_look_at_all_agents_finds_whatever_happened_before(
    story: list[tuple[tuple[str, str, int, bool], bool]],
) -> None:
    roster = Roster()
    matching = Matching(roster)
    for (what, name, number, yes), is_asked in story:
        change(roster, matching, what, name, number, yes=yes)
        for wish in WISHES if is_asked else ():
            best = matching.best_for(wish)
            assert ((best[0].name, best[1]) if best else None) == naive_best(roster, wish)


ENCODES = Wish(kind=JobKind.DIRECT, needs=Needs(program="ffmpeg", capabilities=("encoder=h264",)))


def test_of_those_as_free_as_each_other_the_fastest_is_the_best_and_it_is_said_why() -> None:
    roster = Roster()
    matching = Matching(roster)
    for name, fps in (("ash", 0.0), ("birch", 24.5), ("cedar", 20.0)):
        there(roster.met(name)).programs = measured("h264", fps)
    best = matching.best_for(ENCODES)
    assert best is not None
    assert best[0].name == "birch"
    said = "birch had 1 of 1 cpu slots free, the freest of 3 that can run it"
    assert why_there(best[0], ENCODES, best[1]) == (
        f"{said}; of those as free the fastest known with h264, 24.5 fps in its benchmark"
    )
    assert why_there(best[0], WISHES[0], 3) == said, "it asks for no encoder that was measured"


def test_who_is_freer_comes_before_who_is_faster() -> None:
    roster = Roster()
    matching = Matching(roster)
    there(roster.met("ash"), cpu=4).programs = measured("h264", 500.0)
    there(roster.met("birch"), cpu=4).programs = measured("h264", 1.0)
    roster.met("ash").booked = {ATTEMPTS[0]: "cpu"}
    best = matching.best_for(ENCODES)
    assert best is not None
    assert best[0].name == "birch"


def test_the_heavier_one_is_taken_until_the_other_is_so_much_freer_and_it_is_said_why() -> None:
    roster = Roster()
    matching = Matching(roster)
    for name, weight in (("ash", 1.0), ("birch", 3.0)):
        agent = there(roster.met(name), cpu=4)
        assert agent.advert is not None
        agent.advert = structs.replace(agent.advert, weight=weight)
    taken: list[str] = []
    for number in range(8):
        best = matching.best_for(WISHES[0])
        assert best is not None
        taken.append(best[0].name)
        if number == 0:
            assert why_there(best[0], WISHES[0], best[1]) == (
                "birch had 4 of 4 cpu slots free, the freest of 2 that can run it with its weight of 3"
            )
        best[0].booked = {**best[0].booked, f"attempt {number}": "cpu"}
        matching.changed(best[0])
    assert taken == ["birch", "birch", "birch", "ash", "ash", "birch", "ash", "ash"]


def test_a_job_that_needs_two_encoders_is_as_fast_as_the_slower_one() -> None:
    agent = there(Roster().met("ash"))
    agent.programs = measured("h264", 24.5)
    both = Wish(kind=JobKind.DIRECT, needs=Needs(program="ffmpeg", capabilities=("encoder=libfast", "encoder=h264")))
    assert speed(agent, both) == ("h264", 24.5)


def test_an_agent_that_went_and_came_back_without_room_is_not_taken_for_what_it_was_before() -> None:
    roster = Roster()
    matching = Matching(roster)
    ash, birch = there(roster.met("ash"), cpu=1), there(roster.met("birch"), cpu=4)
    assert matching.best_for(WISHES[0]) == (birch, 2)
    for gone in (True, False):
        ash.gone = gone
        ash.booked = {ATTEMPTS[0]: "cpu"}
        matching.changed(ash)
        assert matching.best_for(WISHES[0]) == (birch, 1 if gone else 2)
    birch.booked = dict.fromkeys(ATTEMPTS, "cpu")
    matching.changed(birch)
    assert matching.best_for(WISHES[0]) is None


def test_a_wish_that_nobody_meets_is_asked_about_again_only_when_an_agent_has_changed() -> None:
    story = Story().agent_comes()
    story.client_says(submit("0J" + "1" * 24, roots=("Music",)))
    assert story.offered() == []
    matching = story.core._desk.matching
    before = matching.looked_at
    story.client_says(submit("0J" + "2" * 24, roots=("Music",)))
    assert (story.offered(), matching.looked_at) == ([], before)
    story.on(AdvertSeen(agent="pi", advert=advert(PI_LIFE, roots={"Music": RootState(mounted=True)})))
    assert len(story.offered()) == 1


# --- what a decision costs --------------------------------------------------------------------------------------------


def crowd(agents: int) -> tuple[Roster, Matching]:
    roster = Roster()
    for number in range(agents):
        there(roster.met(f"pi-{number:04d}"), cpu=4)
    return roster, Matching(roster)


def cost(agents: int, decisions: int) -> float:
    """Agents looked at, each time that one is chosen and booked, when all had been seen before."""
    roster, matching = crowd(agents)
    matching.best_for(WISHES[0])
    before = matching.looked_at
    for number in range(decisions):
        best = matching.best_for(WISHES[0])
        assert best is not None
        best[0].booked[f"0A{number:024d}"] = "cpu"
        matching.changed(best[0])
    assert naive_best(roster, WISHES[0]) is not None
    return (matching.looked_at - before) / decisions


def test_a_decision_costs_no_more_among_a_thousand_agents_than_among_ten() -> None:
    assert cost(1000, 30) <= cost(10, 30) <= 1


def test_a_decision_costs_no_more_with_thousands_of_jobs_in_the_queue_than_with_ten() -> None:
    def looked_at(queued: int) -> int:
        story = Story().agent_comes()
        for number in range(queued):
            story.client_says(submit(f"0J{number:024d}"))
        matching = story.core._desk.matching
        before = matching.looked_at
        story.agent_comes(agent_principal("birch"), "0B" + "1" * 24)
        assert len(story.offered()) == 1
        return matching.looked_at - before

    assert looked_at(2_000) <= looked_at(10)


def test_changes_that_nobody_asks_about_are_not_remembered_for_ever() -> None:
    roster, matching = crowd(3)
    matching.best_for(WISHES[0])
    gone = roster.get("pi-0000")
    assert gone is not None
    gone.gone = True
    matching.changed(gone)
    ash = there(roster.met("ash"), cpu=50)
    ash.booked = dict.fromkeys((str(number) for number in range(49)), "cpu")
    for _ in range(5 * LOG):
        matching.changed(ash)
    assert len(matching._log) <= 2 * LOG
    best = matching.best_for(WISHES[0])
    assert best is not None
    assert (best[0].name, best[1]) == naive_best(roster, WISHES[0])


def test_wishes_that_nobody_has_any_more_are_not_remembered_for_ever() -> None:
    roster, matching = crowd(2)
    for number in range(2 * LISTS):
        matching.best_for(Wish(kind=JobKind.DIRECT, needs=Needs(program="ffmpeg", on=f"pi-{number}")))
    assert len(matching._lists) <= LISTS
    best = matching.best_for(WISHES[0])
    assert best is not None
    assert (best[0].name, best[1]) == naive_best(roster, WISHES[0])


def test_a_staged_job_waits_until_its_root_takes_something_new_and_others_do_not() -> None:
    full = RootState(mounted=True, why="it has 1.0 MB free, and no new job writes there below 1.0 GB")
    story = Story().agent_comes()
    story.on(AdvertSeen(agent="pi", advert=advert(PI_LIFE, slots=2, roots={"Movies": full})))
    story.client_says(submit(kind=JobKind.STAGED, roots=("Movies",)))
    assert story.offered() == []
    story.client_says(submit(OTHER_JOB, roots=("Movies",)))
    assert len(story.offered()) == 1
    story.on(AdvertSeen(agent="pi", advert=advert(PI_LIFE, slots=2)))
    assert len(story.offered()) == 1
