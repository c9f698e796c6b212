"""What nobody expected ends the one attempt in which it happened, and never the agent: its other jobs go on.

The traceback is for the log, where whoever mends it looks; the sentence is for the owner of the job.
"""

import logging

log = logging.getLogger(__name__)


def told(attempt: str, error: Exception) -> str:
    """A sentence for its end. Called where the error is handled."""
    log.error("%s: the agent failed at it", attempt, exc_info=error)
    return f"the agent failed at it: {_name(error)}"


def _name(error: BaseException) -> str:
    """Of a group, that of its first."""
    inside: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return _name(inside[0]) if inside else type(error).__name__
