"""By which names the working folder is known."""

import os


def names_of_working_folder() -> tuple[str, ...]:
    """The one that people use is first, links unresolved, if the shell told it and it is true. None: it was removed."""
    logical = os.environ.get("PWD", "")
    try:
        physical = os.getcwd()  # noqa: PTH109 - a str; Path would normalise it
    except OSError:
        return ()
    try:
        is_true = logical.startswith("/") and os.path.samefile(logical, ".")  # noqa: PTH121 - as above
    except OSError:
        is_true = False
    return (logical, physical) if is_true else (physical,)
