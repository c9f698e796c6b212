import tempfile
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from ffmesh_warden.handle import Warden

SHARED_MEMORY = Path("/dev/shm")
"""Another file system, and one that syncs in no time."""


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """A folder where hundreds of lives can be lived."""
    if not SHARED_MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as folder:
        yield Path(folder)


@pytest.fixture
async def warden() -> AsyncGenerator[Warden, None]:
    async with Warden.started() as warden:
        yield warden
