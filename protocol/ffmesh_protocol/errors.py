"""What can go wrong, as a tree.

    FfmeshError
    ├── BadName                 a name that cannot be one; says why, early
    ├── BadToken                a join token that is none
    ├── BadConfig               a configuration file that cannot be used
    ├── MalformedMessage        bytes that are no message of ours
    │   └── Oversized           … because they are too many
    ├── NotGenuine              a message that must not be acted on
    │   ├── Forged              its MAC does not fit, or nobody has that key
    │   ├── OtherLife           it was meant for another life
    │   ├── RetiredLife         its sender's life has ended
    │   └── Repeated            its number was seen before, or is too old to tell
    ├── PathRefused             a path that lies under no root, or leads out of one
    ├── BrokerError
    │   ├── BrokerUnreachable   no connection, or none any more
    │   ├── LoginRefused        the broker does not know this name and password
    │   └── PublishRefused      the broker's access list forbids it
    └── Refused                 another part said no; `code` is what it said

Only `Refused` crosses the wire, as a `RefusalCode` and a sentence. Any other exception is a bug of ours.
"""

from enum import StrEnum
from typing import ClassVar


class FfmeshError(Exception):
    """Something that we know how to say in one sentence."""


class BadName(FfmeshError):
    """A name of a cluster, principal or root that cannot be one."""


class BadToken(FfmeshError):
    """A join token that is cut off, mistyped or of another kind."""


class BadConfig(FfmeshError):
    """A configuration file that is missing, unreadable or wrong."""


class MalformedMessage(FfmeshError):
    """Bytes that are no message of ours."""


class Oversized(MalformedMessage):
    """More bytes than a message may have."""


class NotGenuine(FfmeshError):
    """A message that must not be acted on. `counted` is the name under which the summary counts it."""

    counted: ClassVar[str] = "forged"


class Forged(NotGenuine):
    """Its MAC does not fit, or nobody has that key."""


class OtherLife(NotGenuine):
    """It was meant for another life than ours."""

    counted: ClassVar[str] = "other_life"


class RetiredLife(NotGenuine):
    """Its sender's life has ended."""

    counted: ClassVar[str] = "other_life"


class Repeated(NotGenuine):
    """Its number was seen before, or is too old to tell."""

    counted: ClassVar[str] = "repeated"


class PathRefused(FfmeshError):
    """A path that lies under no root, or leads out of one."""


class BrokerError(FfmeshError):
    """The broker, or the way to it."""


class BrokerUnreachable(BrokerError):
    """No connection to the broker, or none any more."""


class LoginRefused(BrokerError):
    """The broker does not know this name and password."""


class PublishRefused(BrokerError):
    """The broker's access list forbids this topic (reason code 135), or another reason code of 128 and above."""

    def __init__(self, topic: str, reason_code: int) -> None:
        super().__init__(f"the broker refused a message to {topic} (reason code {reason_code})")
        self.topic = topic
        self.reason_code = reason_code


class RefusalCode(StrEnum):
    """Why a part said no. Stable: scripts compare them."""

    MALFORMED = "malformed"
    UNSUPPORTED = "unsupported"
    UNKNOWN_JOB = "unknown_job"
    UNKNOWN_AGENT = "unknown_agent"
    NOT_ALLOWED = "not_allowed"
    ID_TAKEN = "id_taken"
    PROGRAM_NOT_LISTED = "program_not_listed"
    TOO_LATE = "too_late"
    TOO_LARGE = "too_large"
    AGENT_AWAY = "agent_away"
    NO_LOGS = "no_logs"
    FULL = "full"


class Refused(FfmeshError):
    """Another part said no."""

    def __init__(self, code: RefusalCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
