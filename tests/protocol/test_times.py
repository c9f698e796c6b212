"""What the times owe each other, whoever changes one."""

from ffmesh_protocol import times


def test_one_lost_word_makes_nobody_lost() -> None:
    assert times.AGENT_SILENCE > 2 * times.HOLDING
    assert times.CLIENT_SILENCE > 2 * times.ATTENDING


def test_an_agent_is_shown_as_gone_before_it_begins_to_stop_what_it_runs() -> None:
    assert times.AGENT_SILENCE < times.LEASE_INTERACTIVE - times.LEASE_STOP


def test_many_lost_answers_end_no_lease() -> None:
    assert times.LEASE_INTERACTIVE <= times.LEASE
    assert times.LEASE_INTERACTIVE - times.LEASE_STOP > 10 * times.HOLDING


def test_a_stopped_program_had_its_time_before_the_warden_kills_it_and_that_is_before_the_lease_ends() -> None:
    assert times.LEASE_STOP > times.STOP_Q + times.STOP_TERM + times.LEASE_KILL
    assert times.LEASE_KILL > 0


def test_the_last_grant_of_a_claim_still_has_time_to_start() -> None:
    assert times.RESERVATION + times.FIRST_CREDIT < times.LEASE_INTERACTIVE - times.LEASE_STOP


def test_pauses_after_failures_grow() -> None:
    assert times.RETRY_FIRST < times.RETRY_LAST
    assert times.COOL_DOWN[0] < times.COOL_DOWN[1]


def test_a_claim_holds_its_slot_longer_than_the_offer_lives() -> None:
    assert times.RESERVATION > times.OFFER


def test_a_program_without_keys_is_dead_and_one_with_keys_was_sent_sigterm_before_a_client_stops_waiting() -> None:
    assert max(times.STOP_Q, times.STOP_TERM) < times.CANCEL_SILENCE


def test_a_life_is_not_retired_while_its_attempts_may_still_run() -> None:
    assert times.UNHEARD_LIFE > times.LEASE


def test_the_summary_does_not_owe_more_than_it_may_say() -> None:
    assert times.SUMMARY_AT_MOST < times.SUMMARY_AT_LEAST


def test_pauses_between_reconnects_grow() -> None:
    assert times.RECONNECT_EARLY[0] < times.RECONNECT_EARLY[1] < times.RECONNECT_LATE
