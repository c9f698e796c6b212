"""What the times owe each other, whoever changes one."""

from ffmesh_protocol import times


def test_one_lost_word_makes_nobody_lost() -> None:
    assert times.AGENT_SILENCE > 2 * times.HOLDING
    assert times.CLIENT_SILENCE > 2 * times.ATTENDING


def test_an_agent_is_shown_as_gone_long_before_its_attempts_are_lost() -> None:
    assert times.AGENT_SILENCE < times.ATTEMPT_SILENCE


def test_a_claim_holds_its_slot_longer_than_the_offer_lives() -> None:
    assert times.RESERVATION > times.OFFER


def test_a_stopped_program_is_dead_before_its_client_stops_waiting() -> None:
    assert times.STOP_TERM < times.CANCEL_SILENCE


def test_a_life_is_not_retired_while_its_attempts_may_still_run() -> None:
    assert times.UNHEARD_LIFE > times.ATTEMPT_SILENCE


def test_the_summary_does_not_owe_more_than_it_may_say() -> None:
    assert times.SUMMARY_AT_MOST < times.SUMMARY_AT_LEAST


def test_pauses_between_reconnects_grow() -> None:
    assert times.RECONNECT_EARLY[0] < times.RECONNECT_EARLY[1] < times.RECONNECT_LATE
