"""Why a job ended: every word has its sentence, every stop its word."""

import pytest

from ffmesh_protocol.reasons import REASON_OF_STOP, SENTENCES, ReasonCode, Stopped


@pytest.mark.parametrize("code", list(ReasonCode))
def test_every_reason_has_a_sentence_that_may_be_said_in_public(code: ReasonCode) -> None:
    sentence = SENTENCES[code]
    assert sentence
    assert not any(letter in sentence for letter in "/$\\{}\n")


@pytest.mark.parametrize("stopped", list(Stopped))
def test_every_stop_has_a_reason(stopped: Stopped) -> None:
    assert REASON_OF_STOP[stopped] in ReasonCode


def test_no_two_reasons_share_a_sentence() -> None:
    assert len(set(SENTENCES.values())) == len(SENTENCES)
