"""What is tried of an ffmpeg on this machine, and by which commands. Pure: the commands are values, somebody else runs
them.

Tried are the encoders that need hardware, with each device that they could use, the accelerators (`-hwaccels`), and the
encoders that everybody asks for. Decoders, filters and all other encoders are taken at the list's word.

    encoder   two frames of a made picture are encoded into nothing, by hardware also in the sizes that people ask about
    hwaccel   its device is opened; where ffmpeg can, a frame is brought there and back
    speed     one second of a made picture of 1280x720
"""

from collections.abc import Sequence
from typing import Final

from ffmesh_agent.ffmpeg.families import DEVICE_TYPES, USUAL, USUAL_AUDIO, Family, family_of
from ffmesh_protocol.wire import Told

SIZES: Final = ("1280x720", "1920x1080", "3840x2160", "7680x4320")
"""Of a hardware encoder, in this order, until one is refused."""

SMALL: Final = "320x180"
"""An encoder that computes takes a small picture as well as a large one, and some are slow."""

H263_SIZE: Final = "352x288"
"""H.263 knows five sizes, and this is the usual one."""

AT_MOST: Final = 300
"""Of one ffmpeg: five times what the fullest has, so that one that lies cannot keep a machine busy for hours."""

ENCODER: Final = "encoder/"
HWACCEL: Final = "hwaccel/"

_SAY: Final = ("-hide_banner", "-nostdin", "-v", "level+warning")
_SAY_ALL: Final = ("-hide_banner", "-nostdin", "-v", "level+verbose")
"""Only so does ffmpeg tell which of Vulkan's devices it took. One that computes in software is always there."""

_NOWHERE: Final = ("-f", "null", "-")
_THERE_AND_BACK: Final = frozenset({"cuda", "qsv", "vaapi"})
"""Accelerators that certainly take frames of the memory: of the others ffmpeg, or a driver, may refuse the format."""


class Nodes(Told, frozen=True):
    """The devices of this machine by which encoders reach hardware; `is_linux`: where there are none, none is there."""

    render: tuple[str, ...] = ()
    nvidia: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """ffmpeg finds the right one of these by itself, and cannot be told which."""
    is_linux: bool = True


class Subject(Told, frozen=True):
    """`called`: `encoder/h264_vaapi`, `hwaccel/cuda`. `devices`: each is tried; null stands for ffmpeg's own choice.
    `why_not`: nothing needs to be run."""

    called: str
    needs_hardware: bool
    devices: tuple[str | None, ...] = (None,)
    why_not: str | None = None

    @property
    def name(self) -> str:
        return self.called.partition("/")[2]

    @property
    def is_encoder(self) -> bool:
        return self.called.startswith(ENCODER)

    @property
    def makes_pictures(self) -> bool:
        return self.is_encoder and self.name not in USUAL_AUDIO

    @property
    def sizes(self) -> tuple[str, ...]:
        """In which it is tried, the first of which decides."""
        if self.name.startswith("h263"):
            return (H263_SIZE,)
        return SIZES if self.needs_hardware else (SMALL,)

    @property
    def has_speed(self) -> bool:
        """Of sound nobody asks how fast."""
        return self.makes_pictures and not self.name.startswith("h263")


def subjects(encoders: Sequence[str], hwaccels: Sequence[str], nodes: Nodes) -> tuple[Subject, ...]:
    """What is tried of these lists, in this order: first what is not advertised before it has been."""
    hardware = [_of_hardware(f"{ENCODER}{name}", _device_type(family_of(name)), nodes) for name in _hardware(encoders)]
    accelerators = [_of_hardware(f"{HWACCEL}{name}", DEVICE_TYPES.get(name, name), nodes) for name in hwaccels]
    usual = [Subject(called=f"{ENCODER}{name}", needs_hardware=False) for name in encoders if name in USUAL]
    return (*hardware, *accelerators, *usual)[:AT_MOST]


def encoder_trial(encoder: str, device: str | None, nodes: Nodes, size: str) -> tuple[str, ...]:
    """What follows the program. It tells how many frames it has made: one may end well and have made none."""
    if encoder in USUAL_AUDIO:
        source = "sine=frequency=440:sample_rate=48000:duration=0.1"
        return (*_SAY, "-f", "lavfi", "-i", source, "-c:a", encoder, *_NOWHERE)
    say = _SAY_ALL if family_of(encoder) is Family.VULKAN else _SAY
    return (
        *say,
        "-stats",
        *_opened(encoder, device),
        *_picture(size),
        "-frames:v",
        "2",
        *_encoded(encoder, device, nodes),
    )


def speed_trial(encoder: str, device: str | None, nodes: Nodes) -> tuple[str, ...]:
    """Says by `-benchmark` how long it took, and all the while how far it has come."""
    said = ("-hide_banner", "-nostdin", "-v", "info", "-benchmark")
    return (*said, *_opened(encoder, device), *_picture(SIZES[0]), "-t", "1", *_encoded(encoder, device, nodes))


def hwaccel_trial(hwaccel: str, device: str | None, nodes: Nodes) -> tuple[str, ...]:
    kind = DEVICE_TYPES.get(hwaccel, hwaccel)
    if kind == "cuda":
        opened: tuple[str, ...] = ("-init_hw_device", f"cuda=hw:{_index(device, nodes)}" if device else "cuda=hw")
    else:
        opened = _device(kind, device)
    there_and_back = (
        ("-filter_hw_device", "hw", "-vf", "format=nv12,hwupload,hwdownload,format=nv12")
        if kind in _THERE_AND_BACK
        else ()
    )
    say = _SAY_ALL if kind == "vulkan" else _SAY
    return (*say, *opened, *_picture(SMALL), "-frames:v", "1", *there_and_back, *_NOWHERE)


def trial(subject: Subject, device: str | None, nodes: Nodes, size: str) -> tuple[str, ...]:
    return (
        encoder_trial(subject.name, device, nodes, size)
        if subject.is_encoder
        else hwaccel_trial(subject.name, device, nodes)
    )


# --- how each family reaches its device -------------------------------------------------------------------------------


def _hardware(encoders: Sequence[str]) -> list[str]:
    return [name for name in encoders if family_of(name) is not None]


def _device_type(family: Family | None) -> str:
    match family:
        case Family.NVENC:
            return "cuda"
        case Family.QSV | Family.VAAPI:
            return family.value
        case _:
            return ""


def _of_hardware(called: str, device_type: str, nodes: Nodes) -> Subject:
    match device_type:
        case "cuda":
            devices: tuple[str | None, ...] = nodes.nvidia or (None,)  # its driver may have others: WSL has /dev/dxg
        case "qsv" | "vaapi" | "drm":
            if nodes.is_linux and not nodes.render:
                why_not = "there is no GPU that it could use: no /dev/dri/renderD*"
                return Subject(called=called, needs_hardware=True, devices=(), why_not=why_not)
            devices = nodes.render or (None,)
        case _:
            devices = (None,)
    return Subject(called=called, needs_hardware=True, devices=devices)


def _opened(encoder: str, device: str | None) -> tuple[str, ...]:
    match family_of(encoder):
        case Family.VAAPI | Family.QSV | Family.VULKAN as family:
            return _device(family.value, device)
        case _:
            return ()


def _device(kind: str, device: str | None) -> tuple[str, ...]:
    """Called `hw`."""
    if kind == "qsv" and device is not None:
        # By way of VAAPI: how `qsv` itself is told a device changed from version to version.
        return ("-init_hw_device", f"vaapi=va:{device}", "-init_hw_device", "qsv=hw@va")
    return ("-init_hw_device", f"{kind}=hw:{device}" if device is not None else f"{kind}=hw")


def _picture(size: str) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25")


def _encoded(encoder: str, device: str | None, nodes: Nodes) -> tuple[str, ...]:
    match family_of(encoder):
        case Family.VAAPI | Family.VULKAN:
            before: tuple[str, ...] = ("-filter_hw_device", "hw", "-vf", "format=nv12,hwupload")
        case Family.QSV:
            before = ("-pix_fmt", "nv12")
        case _:
            before = ("-pix_fmt", "yuv420p")
    return (*before, "-c:v", encoder, *_chosen(encoder, device, nodes), *_NOWHERE)


def _chosen(encoder: str, device: str | None, nodes: Nodes) -> tuple[str, ...]:
    if family_of(encoder) is Family.NVENC and device is not None:
        return ("-gpu", str(_index(device, nodes)))
    if encoder == "libaom-av1":
        return ("-cpu-used", "8")  # as it is used by who has not got all night
    return ()


def _index(device: str, nodes: Nodes) -> int:
    """CUDA counts the devices that it sees from 0: in a container `/dev/nvidia3` may be the only one."""
    return nodes.nvidia.index(device)
