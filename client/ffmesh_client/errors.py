"""What can go wrong on the client's side, beside the errors of the wire.

    FfmeshError
    ├── WrongUsage                  the command line asks for something that cannot be
    ├── NoSuchId                    an id or name that nobody can have
    ├── OutputLost                  our own standard output takes no more
    └── Unreachable                 what was asked got no answer in time
        ├── CoordinatorUnreachable  the broker is there, and no coordinator
        └── NoAnswer                both are there, and the coordinator says nothing

(`BrokerUnreachable`, `LoginRefused`, `PathRefused`, `BadConfig`, `BadName` and `Refused` are the wire's.)
"""

from ffmesh_protocol.errors import FfmeshError


class WrongUsage(FfmeshError):
    """The command line asks for something that cannot be."""


class NoSuchId(FfmeshError):
    """An id or name that nobody can have."""


class OutputLost(FfmeshError, OSError):
    """Our own standard output takes no more."""


class Unreachable(FfmeshError):
    """What was asked got no answer in time."""


class CoordinatorUnreachable(Unreachable):
    """The broker is there, and no coordinator."""


class NoAnswer(Unreachable):
    """Broker and coordinator are there, and the coordinator says nothing."""
