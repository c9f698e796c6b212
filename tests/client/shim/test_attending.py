"""What becomes of a call, by the end that its job came to."""

from ffmesh_client.config import ShimConfig
from ffmesh_client.core.effects import Finish
from ffmesh_client.exits import Exit
from ffmesh_client.shim.attending import Exited, Killed, RunHere, outcome

FALLS_BACK, REFUSES = ShimConfig(), ShimConfig(fallback=False)


def test_what_has_not_begun_runs_here() -> None:
    end = Finish(exit_code=69, sentence="no agent took the job")
    assert outcome(end, FALLS_BACK, has_begun=False, signal=None) == RunHere(reason="no agent took the job")


def test_or_is_refused_where_that_is_wanted() -> None:
    told = outcome(Finish(exit_code=69, sentence="no agent took the job"), REFUSES, has_begun=False, signal=None)
    assert isinstance(told, Exited)
    assert told.code == Exit.UNREACHABLE
    assert told.sentence is not None
    assert told.sentence.startswith("no agent took the job; `fallback`")


def test_what_an_agent_never_started_runs_here_too() -> None:
    end = Finish(exit_code=1, sentence="refused", never_started=True)
    assert outcome(end, FALLS_BACK, has_begun=True, signal=None) == RunHere(reason="refused")


def test_what_has_begun_never_runs_a_second_time() -> None:
    end = Finish(exit_code=1, sentence="job J was lost")
    assert outcome(end, FALLS_BACK, has_begun=True, signal=None) == Exited(code=1, sentence="job J was lost")


def test_who_was_told_to_end_before_anything_began_runs_nowhere() -> None:
    assert outcome(Finish(exit_code=130), FALLS_BACK, has_begun=False, signal=2) == Killed(signal=2)


def test_a_signal_that_killed_the_program_kills_us_and_an_exit_code_like_it_does_not() -> None:
    assert outcome(Finish(exit_code=137, signal=9), FALLS_BACK, has_begun=True, signal=None) == Killed(signal=9)
    assert outcome(Finish(exit_code=137), FALLS_BACK, has_begun=True, signal=None) == Exited(code=137)
