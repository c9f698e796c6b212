"""Every time that two parts must agree on, in seconds, in one table.

Silences are counted in the listener's own connected time and start anew when it connects.
"""

from typing import Final

KEEPALIVE: Final = 5
"""MQTT's own. It is no clock: two seconds of it noticed a dead network after seven. Missed `holding`s count instead."""

HOLDING: Final = 2.0
"""An agent says what it holds this often, and at each change. The heartbeat for people has the same beat."""

OFFER: Final = 3.0
"""An offer that nobody claimed by then is over. The coordinator's timer decides, not message expiry."""

RESERVATION: Final = 10.0
"""A claim keeps the slot this long; then the grant is not coming."""

FIRST_CREDIT: Final = 5.0
"""An interactive program starts with its client's first credit; without one for so long the grant is given back."""

WILL_GRACE: Final = 0.5
"""`offline` counts after this long without `online` of that life: a reconnect's will comes just before its birth."""

ATTENDING: Final = 3.0
"""An attached client says so this often, and repeats its credit: both are signs of life."""

SIGN_OF_ANOTHER: Final = 10.0
"""A coordinator that finds another one's status waits so long for a sign of it before it begins itself."""

CLIENT_SILENCE: Final = 10.0
"""An interactive job whose client gave no sign for so long is stopped, by its agent and by the coordinator."""

AGENT_SILENCE: Final = 7.0
"""An agent unheard for so long is shown as offline and is offered nothing."""

LEASE_INTERACTIVE: Final = 30.0
LEASE: Final = 60.0
"""How long an attempt may go on without a word of the coordinator; renewed by each `leased`."""

LEASE_STOP: Final = 8.0
"""So long before its lease ends the agent begins to stop a program: time for `q`, SIGTERM, SIGKILL and slowness …"""

LEASE_KILL: Final = 1.0
"""… and so long before, the warden kills it, whatever the agent does. No rename is begun after this moment either."""

CANCEL_SILENCE: Final = 5.0
"""A cancelled job ends by then, even if its agent never answers. A direct one waits for the end of its lease."""

RETRY_FIRST: Final = 1.0
RETRY_LAST: Final = 60.0
"""After a failure the next attempt waits: the first of these, doubling each time, up to the second, with jitter."""

COOL_DOWN_AFTER: Final = 3
COOL_DOWN: Final = (30.0, 600.0)
"""An agent with so many failures in a row that lie with it is offered nothing for so long, doubling each time."""

STOP_Q: Final = 3.0
"""A program that reads keys is first told to stop by `q`, and has this long until SIGTERM …"""

STOP_TERM: Final = 3.0
"""… and every program this long between SIGTERM and SIGKILL."""

UNHEARD_LIFE: Final = 600.0
"""A life with nothing open is retired when it was unheard for so long."""

DEAF: Final = 5.0
"""A process that did nothing for so long was frozen, or slept: it has yet to read what was said."""

REQUEST_PATIENCE: Final = 10.0
"""A command that finds no broker or coordinator tries this long before it gives up."""

REQUEST_REPEAT: Final = 1.0
"""A request without an answer is sent again after this long; every verb is idempotent."""

PROGRESS: Final = 1.0
"""Progress is published at most this often."""

PROGRESS_EXPIRY: Final = 15
"""A retained progress message outlives its agent's last word by no more than this."""

STATUS_AT_MOST: Final = 1.0
"""Who finds a status that is not true under its own name says its own again, at most this often."""

SUMMARY_AT_MOST: Final = 1.0
SUMMARY_AT_LEAST: Final = 3.0
"""The coordinator's counts are published at changes, not more often than the first, not less often than the second."""

AGENT_PUBLIC: Final = 10.0
"""The public state of an agent goes out at changes of state, else at most this often."""

RECONNECT_EARLY: Final = (0.2, 1.0)
"""The first reconnect is tried at once; later ones wait between these, growing, with jitter …"""

RECONNECT_EARLY_FOR: Final = 30.0
RECONNECT_LATE: Final = 5.0
"""… for the first half minute, then up to this long. The loop never ends."""
