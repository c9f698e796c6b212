from collections.abc import AsyncGenerator

import pytest

from ffmesh_warden.handle import Warden


@pytest.fixture
async def warden() -> AsyncGenerator[Warden, None]:
    async with Warden.started() as warden:
        yield warden
