"""Why a trial failed, in one reason; the words are those of ffmpeg 5.1 and 7.1."""

import pytest

from ffmesh_agent.ffmpeg.trial_words import REASON_CHARS, computed, fps, has_encoded, reason
from ffmesh_protocol.limits import FPS_MAX

NVENC = """\
[h264_nvenc @ 0x55f2bb2b01c0] [error] Cannot load libcuda.so.1
[error] Error initializing output stream 0:0 -- Error while opening encoder for output stream #0:0 - maybe incorrect
"""
NVENC_7 = """\
[h264_nvenc @ 0x55f2bb2b01c0] [error] Driver does not support the required nvenc API version. Required: 12.2 Found: 12.1
[h264_nvenc @ 0x55f2bb2b01c0] [error] The minimum required Nvidia driver for nvenc is 550.54.14 or newer
[vost#0:0/h264_nvenc @ 0x55f2] [enc:h264_nvenc @ 0x55f3] [error] Error while opening encoder - maybe incorrect
[vf#0:0 @ 0x55f4] [error] Error sending frames to consumers: Function not implemented
[vf#0:0 @ 0x55f4] [error] Task finished with error code: -38 (Function not implemented)
"""
VAAPI = """\
[AVHWDeviceContext @ 0x56231fe95980] [error] No VA display found for device /dev/dri/renderD128.
[error] Device creation failed: -22.
[error] Failed to set value 'vaapi=hw:/dev/dri/renderD128' for option 'init_hw_device': Invalid argument
[fatal] Error parsing global options: Invalid argument
"""
OMX = """\
[h264_omx @ 0x55dc] [warning] libOMX_Core.so not found
[h264_omx @ 0x55dc] [warning] libOmxCore.so not found
[error] Error initializing output stream 0:0 -- Error while opening encoder for output stream #0:0 - maybe incorrect
"""
DRM = """\
[error] Device creation failed: -14.
[error] Failed to set value 'drm' for option 'init_hw_device': Bad address
[fatal] Error parsing global options: Bad address
"""
X265 = """\
x265 [info]: HEVC encoder version 3.5
[libx265 @ 0x5] [warning] deprecated pixel format used
[libx265 @ 0x5] [error] Cannot open libx265 encoder.
"""


@pytest.mark.parametrize(
    ("printed", "why"),
    [
        (NVENC, "Cannot load libcuda.so.1"),
        (NVENC_7, "Driver does not support the required nvenc API version. Required: 12.2 Found: 12.1"),
        (VAAPI, "No VA display found for device /dev/dri/renderD128"),
        (OMX, "libOMX_Core.so not found"),
        (DRM, "its device cannot be opened: Bad address"),
        (X265, "Cannot open libx265 encoder"),
        ("[error] Device creation failed: -542398533.\n", "Device creation failed: -542398533"),
        ("Segmentation fault\n", None),
        ("", None),
    ],
)
def test_the_reason_is_the_first_error_that_follows_from_no_other(printed: str, why: str | None) -> None:
    assert reason(printed) == why


def test_a_reason_is_one_short_line_that_can_be_shown() -> None:
    said = reason(f"[error] \x1b[31m{'x' * 1000}\n")
    assert said is not None
    assert said.isprintable()
    assert len(said) <= REASON_CHARS


def test_the_speed_is_that_of_the_whole_clip_or_of_what_there_was_time_for() -> None:
    frames = "frame=    1 fps=0.0 q=0.0 size=N/A\rframe=   25 fps=0.0 q=-1.0 Lsize=N/A\n"
    assert fps(f"{frames}bench: utime=0.554s stime=0.314s rtime=0.500s\nbench: maxrss=1kB\n", 3.0) == 50.0
    assert fps(frames, 10.0) == 2.5
    assert fps("frame=    0 fps=0.0\r", 10.0) is None
    assert fps("nothing", 10.0) is None
    for digits, most in ((9, FPS_MAX), (400, None)):
        assert fps(f"frame={'9' * digits} fps=0.0\r", 10.0) == most, "whatever it says, others can read it"
    assert fps(f"{frames}bench: utime=0s stime=0s rtime=0.000s\n", 0.0) is None


@pytest.mark.parametrize(
    ("device", "why"),
    [
        ("llvmpipe (LLVM 15.0.6, 256 bits) (software)", "llvmpipe (LLVM 15.0.6, 256 bits) computes in software"),
        ("AMD Radeon RX 6600 (RADV NAVI23) (discrete)", None),
        ("Intel(R) UHD Graphics 630 (CFL GT2) (integrated)", None),
    ],
)
def test_a_device_of_vulkan_that_computes_in_software_is_no_gpu(device: str, why: str | None) -> None:
    said = f"""\
[AVHWDeviceContext @ 0x55] [verbose] GPU listing:
[AVHWDeviceContext @ 0x55] [verbose]     0: {device} (0x0)
[AVHWDeviceContext @ 0x55] [verbose]     1: llvmpipe (LLVM 15.0.6, 256 bits) (software) (0x0)
[AVHWDeviceContext @ 0x55] [verbose] Device 0 selected: {device} (0x0)
"""
    assert computed(said) == (f"there is no GPU that it could use: {why}" if why else None)


@pytest.mark.parametrize("prefix", ["", "[info] "])
def test_who_ends_well_and_has_made_no_picture_has_encoded_nothing(prefix: str) -> None:
    assert has_encoded(f"{prefix}frame=    1 fps=0.0 q=0.0\r{prefix}frame=    2 fps=0.0 q=-1.0 Lsize=N/A\n")
    assert not has_encoded(f"{prefix}frame=    0 fps=0.0 q=0.0\n")
    assert not has_encoded("")
