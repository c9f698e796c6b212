"""What this coordinator knows, by the words in which messages require it."""

from typing import Final

from ffmesh_protocol.media import MANY_OUTPUTS, QUOTED_PATHS
from ffmesh_protocol.messages.manners import PAUSE

FEATURES: Final = frozenset({"direct", "interactive", "staged", MANY_OUTPUTS, PAUSE, QUOTED_PATHS})
