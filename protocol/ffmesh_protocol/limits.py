"""How large things may be. What exceeds a limit is refused before it is understood."""

from typing import Final

MESSAGE_BYTES: Final = 256 * 1024
"""One message, stream chunks included. Cost is per message: 256 KiB chunks carry three times what 16 KiB ones do."""

STREAM_HEADER_BYTES: Final = 24
CHUNK_BYTES: Final = MESSAGE_BYTES - STREAM_HEADER_BYTES

SUBMIT_BYTES: Final = 192 * 1024
"""A job must fit into a grant and into an answer too, which say a little more than the submit did."""

PAGE_BYTES: Final = 192 * 1024
"""A page of a list is cut here, so that its envelope still fits."""

WINDOW_BYTES: Final = 4 * 1024 * 1024
"""What a sender of a stream may be ahead of its reader. It is also what either end keeps in memory for it, at most."""

DEPTH: Final = 16
"""Of nested arrays and objects. Our deepest message needs seven."""

NAME_CHARS: Final = 63
ARGUMENTS: Final = 8192
ARGUMENT_CHARS: Final = 128 * 1024
"""Linux takes no longer argument (MAX_ARG_STRLEN)."""

PIECES: Final = 1024
PATH_CHARS: Final = 4096
WORD_CHARS: Final = 256
VARIABLE_CHARS: Final = 256
"""Of the name of an environment variable."""

SENTENCE_CHARS: Final = 4096
LABELS: Final = 32
LABEL_CHARS: Final = 512
ENVIRONMENT: Final = 64
OUTPUTS: Final = 256
"""Files and folders of a staged job."""

CONDITIONS: Final = 64
"""That an agent tells of its machine."""

LAST_LINES: Final = 20
"""Of a failed program's standard error, in the summary of its job."""

PARENTS: Final = 256
"""How many jobs one job may come after."""

ATTEMPTS: Final = 100
"""How often a job may be tried before a person is asked."""

LIGHTEST: Final = 0.01
HEAVIEST: Final = 100.0
"""Weights of agents. A hundred times a hundredth is more than any two machines differ."""

LIST_ITEMS: Final = 10_000
PAGE_ITEMS: Final = 500
"""How many jobs one page of a list holds at most; a page is also cut where its message would become too large."""

NUMBERS_WINDOW: Final = 1024
"""A number this far below the highest one seen is taken for a repeat.

It is this wide because QoS 1 may repeat, and topics overtake each other.
"""

NUMBER_MAX: Final = 2**63 - 1
EXIT_CODE_MAX: Final = 2**32 - 1
SIGNAL_MAX: Final = 127
SECONDS_MAX: Final = 1_000_000_000
"""Thirty years. A longer time is a mistake, and timers overflow on it."""

FPS_MAX: Final = 1_000_000
"""Of an encoder. None is so fast; a program that says more lies."""

SLOTS: Final = 1024
STREAMS: Final = 8
"""Of one program. It has three today."""

SIGNALS: Final = 64
"""Of a caller, in one message: those that its program has not had yet."""
