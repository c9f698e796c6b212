"""By which names a working folder is known."""

import os


def names_of_working_folder() -> tuple[str, ...]:
    """Ours. None: it was removed."""
    try:
        physical = os.getcwd()  # noqa: PTH109 - a str; Path would normalise it
    except OSError:
        return ()
    return names_of(physical, os.environ.get("PWD", ""))


def names_of(physical: str, logical: str) -> tuple[str, ...]:
    """The one that people use is first, links unresolved, if the shell told it and it is true."""
    try:
        is_true = logical.startswith("/") and os.path.samefile(logical, physical)  # noqa: PTH121 - as above
    except OSError:
        is_true = False
    return (logical, physical) if is_true else (physical,)
