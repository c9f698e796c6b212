"""Colours, each by what it means. Two sets, and everything that is drawn takes its colours from one of them."""

from typing import Final

from textual.theme import Theme

from ffmesh_protocol.messages.jobs import AttemptState, JobState
from ffmesh_protocol.messages.presence import AgentState
from ffmesh_protocol.wire import Told


class Looks(Told, frozen=True):
    """Styles as rich reads them."""

    name: str
    is_dark: bool
    ground: str
    raised: str
    cursor: str
    """The ground of the line that the keys are at."""
    text: str
    muted: str
    faint: str
    """Lines, and the rest of a bar."""
    accent: str
    busy: str
    good: str
    warning: str
    bad: str
    root: str
    option: str


DARK: Final = Looks(
    name="ffmesh-dark",
    is_dark=True,
    ground="#14171c",
    raised="#1b1f26",
    cursor="#2b3342",
    text="#d6dae2",
    muted="#8a93a3",
    faint="#465061",
    accent="#86aef5",
    busy="#72c7d6",
    good="#93c88a",
    warning="#e3b871",
    bad="#ee8189",
    root="#c0a0ee",
    option="#86aef5",
)
LIGHT: Final = Looks(
    name="ffmesh-light",
    is_dark=False,
    ground="#fbfaf7",
    raised="#f1f0ea",
    cursor="#dde5f2",
    text="#2a2e35",
    muted="#666d79",
    faint="#bfc2c6",
    accent="#2c5fb5",
    busy="#0d6f81",
    good="#35702e",
    warning="#8d5b00",
    bad="#b02a3a",
    root="#7442b4",
    option="#2c5fb5",
)
LOOKS: Final = {looks.name: looks for looks in (DARK, LIGHT)}


def theme(looks: Looks) -> Theme:
    return Theme(
        name=looks.name,
        dark=looks.is_dark,
        primary=looks.accent,
        secondary=looks.root,
        accent=looks.accent,
        warning=looks.warning,
        error=looks.bad,
        success=looks.good,
        foreground=looks.text,
        background=looks.ground,
        surface=looks.raised,
        panel=looks.cursor,
        variables={
            "border": looks.faint,
            "border-blurred": looks.faint,
            "footer-background": looks.raised,
            "footer-key-foreground": looks.accent,
            "footer-description-foreground": looks.muted,
            "scrollbar": looks.faint,
            "scrollbar-hover": looks.muted,
            "scrollbar-active": looks.accent,
            "scrollbar-background": looks.ground,
            "scrollbar-background-hover": looks.ground,
            "scrollbar-background-active": looks.ground,
            "scrollbar-corner-color": looks.ground,
            "input-selection-background": looks.cursor,
            "ffmesh-muted": looks.muted,
            "ffmesh-faint": looks.faint,
            "ffmesh-cursor": looks.cursor,
        },
    )


class Sign(Told, frozen=True):
    """One cell that says the state to those who see no colours, and the name of its colour in `Looks`."""

    sign: str
    colour: str

    def style(self, looks: Looks) -> str:
        return str({name: getattr(looks, name) for name in Looks.__struct_fields__}[self.colour])


OF_AGENT: Final = {
    AgentState.ONLINE: Sign(sign="●", colour="good"),
    AgentState.DRAINING: Sign(sign="◐", colour="warning"),
    AgentState.OFFLINE: Sign(sign="○", colour="bad"),
}
OF_JOB: Final = {
    JobState.WAITING: Sign(sign="◌", colour="muted"),
    JobState.QUEUED: Sign(sign="○", colour="muted"),
    JobState.OFFERED: Sign(sign="◔", colour="muted"),
    JobState.GRANTED: Sign(sign="◔", colour="busy"),
    JobState.RUNNING: Sign(sign="▸", colour="busy"),
    JobState.CANCELLING: Sign(sign="⊖", colour="warning"),
    JobState.SUCCEEDED: Sign(sign="✓", colour="good"),
    JobState.FAILED: Sign(sign="✗", colour="bad"),
    JobState.CANCELLED: Sign(sign="⊘", colour="warning"),
}
OF_ATTEMPT: Final = {
    AttemptState.GRANTED: Sign(sign="◔", colour="busy"),
    AttemptState.RUNNING: Sign(sign="▸", colour="busy"),
    AttemptState.SUCCEEDED: Sign(sign="✓", colour="good"),
    AttemptState.FAILED: Sign(sign="✗", colour="bad"),
    AttemptState.CANCELLED: Sign(sign="⊘", colour="warning"),
    AttemptState.LOST: Sign(sign="✗", colour="bad"),
}
