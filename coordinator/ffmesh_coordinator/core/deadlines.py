"""What the coordinator's deadlines are about."""

from enum import StrEnum


class About(StrEnum):
    """Beside each stands of whom: an attempt, a job, an agent or a client's life."""

    OFFER = "offer of an attempt"
    CANCEL = "cancelled job without an answer"
    WILL = "will of an agent"
    SILENCE = "silence of an agent"
    LEASE = "lease of an attempt"
    RETRY = "job that failed and is tried again"
    PATIENCE = "agent that rests"
    PUBLIC_AGENT = "public state of an agent"
    CLIENT_WILL = "will of a client's life"
    CLIENT_SILENCE = "silence of a client's life"
    UNHEARD = "client's life with nothing open"
    STATUS = "our status, which another has overwritten"
    SUMMARY = "summary"
