"""What may be advertised of an ffmpeg, by what it lists and by what its trials have shown so far. Pure.

What needs hardware counts from the moment when it has been seen to work. All else counts as listed until it has been
seen to fail. What a job has failed with counts again when it has passed another trial.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from ffmesh_agent.ffmpeg.families import (
    DEVICE_TYPES,
    USUAL,
    accelerator_of_decoder,
    accelerator_of_filter,
    family_of,
)
from ffmesh_agent.ffmpeg.trials import ENCODER, HWACCEL, SIZES, Subject
from ffmesh_protocol.wire import Told

DECODER: Final = "decoder/"
FILTER: Final = "filter/"

NOT_YET: Final = "it has not been tried yet"
AGAIN: Final = "a job failed that asked for it, and it is being tried again"


class Outcome(Told, frozen=True):
    """Of the trials of one subject. `device`: the first that it works with; null: ffmpeg chooses. `why`: it fails."""

    works: bool
    why: str | None = None
    device: str | None = None
    largest: str | None = None
    """Of `trials.SIZES`."""
    is_measured: bool = False
    fps: float | None = None
    """Of its benchmark; null: it was too slow to say, or has none."""


class Listed(Told, frozen=True):
    """What a program says of itself. `codecs`: what its encoders make, where that is not their own name."""

    version: str = ""
    encoders: tuple[str, ...] = ()
    decoders: tuple[str, ...] = ()
    hwaccels: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    codecs: dict[str, str] = msgspec.field(default_factory=dict[str, str])


class Standing(Told, frozen=True):
    """`tried`: all that is tried has been."""

    encoders: tuple[str, ...]
    decoders: tuple[str, ...]
    hwaccels: tuple[str, ...]
    filters: tuple[str, ...]
    unavailable: dict[str, str]
    supported_codecs: tuple[str, ...]
    max_resolutions: dict[str, str]
    max_resolution: str | None
    speeds: dict[str, float]
    tried: bool


def untried(listed: Listed) -> Standing:
    """All of it at the list's word, because nobody tries."""
    return Standing(
        encoders=listed.encoders,
        decoders=listed.decoders,
        hwaccels=listed.hwaccels,
        filters=listed.filters,
        unavailable={},
        supported_codecs=_codecs(listed, listed.encoders),
        max_resolutions={},
        max_resolution=None,
        speeds={},
        tried=False,
    )


def standing(
    listed: Listed, subjects: Sequence[Subject], outcomes: Mapping[str, Outcome], doubted: Collection[str] = ()
) -> Standing:
    """`doubted`: what jobs have failed with since its last trial."""
    unavailable = dict(_unavailable(subjects, outcomes, doubted))
    too_many = _beyond(listed, subjects)
    encoders = tuple(
        name for name in listed.encoders if f"{ENCODER}{name}" not in unavailable and f"{ENCODER}{name}" not in too_many
    )
    hwaccels = tuple(
        name for name in listed.hwaccels if f"{HWACCEL}{name}" not in unavailable and f"{HWACCEL}{name}" not in too_many
    )
    unavailable |= dict(_accelerated(listed, hwaccels, unavailable))
    shown = {name: outcomes[f"{ENCODER}{name}"] for name in encoders if f"{ENCODER}{name}" in outcomes}
    largest = {name: outcome.largest for name, outcome in shown.items() if outcome.largest is not None}
    return Standing(
        encoders=encoders,
        decoders=tuple(name for name in listed.decoders if f"{DECODER}{name}" not in unavailable),
        hwaccels=hwaccels,
        filters=tuple(name for name in listed.filters if f"{FILTER}{name}" not in unavailable),
        unavailable=unavailable,
        supported_codecs=_codecs(listed, encoders),
        max_resolutions=largest,
        max_resolution=max(largest.values(), key=SIZES.index, default=None),
        speeds={name: outcome.fps for name, outcome in shown.items() if outcome.fps is not None},
        tried=not doubted and all(subject.called in outcomes for subject in subjects),
    )


def _unavailable(
    subjects: Sequence[Subject], outcomes: Mapping[str, Outcome], doubted: Collection[str]
) -> Iterator[tuple[str, str]]:
    for subject in subjects:
        outcome = outcomes.get(subject.called)
        if subject.called in doubted:
            yield subject.called, AGAIN
        elif outcome is None:
            if subject.needs_hardware:
                yield subject.called, NOT_YET
        elif not outcome.works:
            yield subject.called, outcome.why or "it does not work"


def _accelerated(listed: Listed, hwaccels: Sequence[str], unavailable: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Decoders and filters whose accelerator does not work here, or has not been seen to."""
    works = {DEVICE_TYPES.get(name, name) for name in hwaccels}
    needs = [
        *((f"{DECODER}{name}", accelerator_of_decoder(name)) for name in listed.decoders),
        *((f"{FILTER}{name}", accelerator_of_filter(name)) for name in listed.filters),
    ]
    for called, accelerator in needs:
        if accelerator is not None and accelerator not in works:
            why = unavailable.get(f"{HWACCEL}{accelerator}", "this ffmpeg does not list it")
            yield called, f"it needs {accelerator}: {why}"


def _beyond(listed: Listed, subjects: Sequence[Subject]) -> frozenset[str]:
    """Of a program that lists far more hardware than there is in the world, and of which nobody tries all."""
    known = {subject.called for subject in subjects}
    hardware = {f"{ENCODER}{name}" for name in listed.encoders if family_of(name) is not None}
    return frozenset((hardware | {f"{HWACCEL}{name}" for name in listed.hwaccels}) - known)


def _codecs(listed: Listed, encoders: Sequence[str]) -> tuple[str, ...]:
    """What the encoders make that people ask for by hardware or by name; not the hundred others of each ffmpeg."""
    asked_for = [name for name in encoders if name in USUAL or family_of(name) is not None]
    return tuple(sorted({listed.codecs.get(name, name) for name in asked_for}))
