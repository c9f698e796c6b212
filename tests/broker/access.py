"""Who may write and read what: the table that the real broker is held against."""

PASSWORD = "secret"
P = "ffmesh/home"
LIFE = "01J00000000000000000000000"

COORDINATOR = "coordinator"
PI, TOWER = "agents/pi", "agents/pi-2"
TV, WEB = "clients/tv", "clients/tv-2"
HA, WALL = "watchers/ha", "controllers/wall"
EVERYONE = frozenset({COORDINATOR, PI, TOWER, TV, WEB, HA, WALL})
NOBODY: frozenset[str] = frozenset()


def only(*logins: str) -> frozenset[str]:
    return frozenset(logins)


#: Topic → who may write it, who may read it.
ACCESS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    # the coordinator's own
    f"{P}/coordinator/status": (only(COORDINATOR), EVERYONE),
    f"{P}/coordinator/summary": (only(COORDINATOR), EVERYONE),
    f"{P}/coordinator/jobs/{LIFE}": (only(COORDINATOR), EVERYONE),
    f"{P}/coordinator/jobs/{LIFE}/args": (only(COORDINATOR), only(COORDINATOR)),
    f"{P}/coordinator/agents/pi": (only(COORDINATOR), EVERYONE),
    f"{P}/coordinator/events": (only(COORDINATOR), EVERYONE),
    f"{P}/coordinator/control/queue/paused": (only(COORDINATOR), EVERYONE),
    f"{P}/coordinator/anything": (only(COORDINATOR), only(COORDINATOR)),
    f"{P}/coordinator/to/agents/pi/{LIFE}/grant": (only(COORDINATOR), only(COORDINATOR, PI)),
    f"{P}/coordinator/to/clients/tv/{LIFE}/ended": (only(COORDINATOR), only(COORDINATOR, TV)),
    f"{P}/coordinator/to/controllers/wall/{LIFE}/answer": (only(COORDINATOR), only(COORDINATOR, WALL)),
    # an agent's
    f"{P}/agents/pi/status": (only(COORDINATOR, PI), EVERYONE),
    f"{P}/agents/pi/advert": (only(COORDINATOR, PI), EVERYONE),
    f"{P}/agents/pi/advert/programs": (only(COORDINATOR, PI), EVERYONE),
    f"{P}/agents/pi/heartbeat": (only(PI), EVERYONE),
    f"{P}/agents/pi/progress/{LIFE}": (only(COORDINATOR, PI), EVERYONE),
    f"{P}/agents/pi/anything": (only(PI), only(COORDINATOR)),
    f"{P}/agents/pi/to/coordinator/{LIFE}/claim": (only(PI), only(COORDINATOR)),
    f"{P}/agents/pi/to/clients/tv/{LIFE}/stdout": (only(PI), only(COORDINATOR, TV)),
    f"{P}/agents/pi/to/agents/pi-2/{LIFE}/claim": (only(PI), only(COORDINATOR, TOWER)),
    f"{P}/agents/pi": (only(PI), only(COORDINATOR)),
    f"{P}/agents": (NOBODY, only(COORDINATOR)),
    # a client's
    f"{P}/clients/tv/status/{LIFE}": (only(TV), EVERYONE),
    f"{P}/clients/tv/status": (only(TV), only(COORDINATOR)),
    f"{P}/clients/tv/anything": (only(TV), only(COORDINATOR)),
    f"{P}/clients/tv/to/coordinator/{LIFE}/submit": (only(TV), only(COORDINATOR)),
    f"{P}/clients/tv/to/agents/pi/{LIFE}/stdin": (only(TV), only(COORDINATOR, PI)),
    f"{P}/clients/tv/to/clients/tv-2/{LIFE}/stdin": (only(TV), only(COORDINATOR, WEB)),
    # a controller's and a watcher's
    f"{P}/controllers/wall/set/agents/pi/slots/cpu": (only(WALL), only(COORDINATOR)),
    f"{P}/controllers/other/set/agents/pi/slots/cpu": (NOBODY, only(COORDINATOR)),
    f"{P}/watchers/ha/status": (NOBODY, only(COORDINATOR)),
    f"{P}/watchers/ha/to/coordinator/{LIFE}/cancel": (NOBODY, only(COORDINATOR)),
    # nobody's
    P: (NOBODY, only(COORDINATOR)),
    f"{P}/forbidden/canary": (NOBODY, only(COORDINATOR)),
    f"{P}/%u/status": (NOBODY, only(COORDINATOR)),
    "ffmesh": (NOBODY, NOBODY),
    "ffmesh/other/agents/pi-2/to/agents/pi/x": (NOBODY, NOBODY),
    f"/{P}/agents/pi/status": (NOBODY, NOBODY),
    "agents/pi/status": (NOBODY, NOBODY),
    "anything": (NOBODY, NOBODY),
    # Home Assistant's
    "homeassistant/status": (EVERYONE, EVERYONE),
    "homeassistant/sensor/ffmesh-home/pi/config": (only(COORDINATOR), EVERYONE),
    "homeassistant/device/ffmesh-home/pi/config": (only(COORDINATOR), EVERYONE),
    "homeassistant/sensor/ffmesh-other/pi/config": (NOBODY, EVERYONE),
    "homeassistant/sensor/kitchen/config": (NOBODY, EVERYONE),
    "homeassistant/sensor/ffmesh-home/pi/state": (NOBODY, EVERYONE),
}

# What is public in one cluster is nobody's business in another.
ACCESS.update(
    {
        topic.replace(P, "ffmesh/other"): (NOBODY, NOBODY)
        for topic, (_, readers) in ACCESS.items()
        if topic.startswith(P) and readers == EVERYONE
    }
)


def matches(topic_filter: str, topic: str) -> bool:
    levels, parts = topic_filter.split("/"), topic.split("/")
    if levels[-1] == "#":
        levels = levels[:-1]
        parts = parts[: len(levels)]
    return len(levels) == len(parts) and all(level in {"+", part} for level, part in zip(levels, parts, strict=True))


def writable_by(login: str) -> set[str]:
    return {topic for topic, (writers, _) in ACCESS.items() if login in writers}


def readable_by(login: str, *filters: str) -> set[str]:
    return {
        topic
        for topic, (_, readers) in ACCESS.items()
        if login in readers and any(matches(topic_filter, topic) for topic_filter in filters)
    }
