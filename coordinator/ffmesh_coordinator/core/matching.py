"""Which agents could take what waits: kept up to date agent by agent, so that a decision looks at few of them.

For each wish there is a list of candidates, best first. An agent that changed is written into a log; a list reads what
it has missed when it is asked the next time. So a change costs nothing to the wishes that nobody asks about, and a
decision looks at the agents that changed since the last one like it, never at all of them, and never at the queue.
"""

import heapq
from collections import OrderedDict
from typing import Final

from msgspec.structs import replace

from ffmesh_coordinator.core.placement import Preference, has_room, is_able, preference
from ffmesh_coordinator.core.queue import Wish
from ffmesh_coordinator.core.roster import Agent, Roster

LISTS: Final = 512
"""Wishes whose candidates are remembered; the one that was asked about longest ago goes first."""

LOG: Final = 10_000
"""Changes that are remembered; a list that has missed more is made anew."""


class Candidates:
    """Of one wish."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.read = 0
        self._looks = 0
        self._versions: dict[str, int] = {}
        """Of each agent that could take it: the look whose entry counts. No two looks have the same number, so that an
        agent that comes back is not taken for what it was before it went."""
        self._heap: list[tuple[Preference, int, str]] = []

    def __len__(self) -> int:
        """How many could take it, had they room."""
        return len(self._versions)

    def look_at(self, agent: Agent) -> None:
        """It changed: its old entries count no more."""
        if not is_able(agent, self.wish):
            self._versions.pop(agent.name, None)
            return
        self._looks += 1
        version = self._versions[agent.name] = self._looks
        if has_room(agent, self.wish):
            heapq.heappush(self._heap, (preference(agent, self.wish), version, agent.name))
        if len(self._heap) > 4 * len(self._versions) + 16:
            self._heap = [each for each in self._heap if self._counts(each)]
            heapq.heapify(self._heap)

    def forget(self, name: str) -> None:
        self._versions.pop(name, None)

    def best(self) -> str | None:
        while self._heap and not self._counts(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    def _counts(self, entry: tuple[Preference, int, str]) -> bool:
        return self._versions.get(entry[2]) == entry[1]


class Matching:
    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._lists: OrderedDict[Wish, Candidates] = OrderedDict()
        self._log: list[str] = []
        self._forgotten = 0
        self.looked_at = 0
        """Agents that decisions have looked at, since the start: what their cost is made of."""

    def changed(self, agent: Agent) -> None:
        """Whatever it may have been: its slots, what it can do, whether it is there."""
        self._log.append(agent.name)
        if len(self._log) > 2 * LOG:
            self._forgotten += len(self._log) - LOG
            del self._log[:-LOG]

    @property
    def changes(self) -> int:
        """How many there were. Until there is another one, whoever was not found need not be looked for again."""
        return self._forgotten + len(self._log)

    def best_for(self, wish: Wish) -> tuple[Agent, int] | None:
        """The best agent with room, and among how many that can; None: nobody."""
        # Who holds the files comes first, and all others as if nobody did: one list serves the followers of all.
        candidates = self._candidates(replace(wish, near=None) if wish.near is not None else wish)
        name = candidates.best()
        best = self._roster.get(name) if name is not None else None
        near = self._roster.get(wish.near) if wish.near is not None else None
        if best is not None and near is not None:
            self.looked_at += 1
            if is_able(near, wish) and has_room(near, wish):
                best = min(near, best, key=lambda agent: preference(agent, wish))
        return (best, len(candidates)) if best is not None else None

    def _candidates(self, wish: Wish) -> Candidates:
        known = self._lists.get(wish)
        end = self.changes
        if known is None or known.read < self._forgotten:
            known = self._lists[wish] = Candidates(wish)
            for agent in self._roster.unordered():
                self.looked_at += 1
                known.look_at(agent)
            known.read = end
            if len(self._lists) > LISTS:
                self._lists.popitem(last=False)
        self._lists.move_to_end(wish)
        for name in dict.fromkeys(self._log[known.read - self._forgotten :]):
            self.looked_at += 1
            changed = self._roster.get(name)
            if changed is None:
                known.forget(name)
            else:
                known.look_at(changed)
        known.read = end
        return known
