"""The one clock of the dashboard."""

import time

from ffmesh_client.tui.model.moment import Moment


def now() -> Moment:
    return Moment(elapsed=time.monotonic(), utc=time.time())
