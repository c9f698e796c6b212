"""What of a caller's environment goes with a job."""

from ffmesh_protocol.caller import harmless


def test_how_a_program_speaks_goes_along_and_where_it_looks_does_not() -> None:
    asked = {
        "LC_ALL": "C",
        "TZ": "UTC",
        "AV_LOG_FORCE_COLOR": "1",
        "PATH": "/evil",
        "LD_PRELOAD": "/evil.so",
        "FFREPORT": "file=/evil",
        "HOME": "/evil",
    }
    assert harmless(asked) == {"LC_ALL": "C", "TZ": "UTC", "AV_LOG_FORCE_COLOR": "1"}
