"""What is tried, and by which commands."""

import subprocess

import pytest

from ffmesh_agent.ffmpeg.families import USUAL, Family, family_of
from ffmesh_agent.ffmpeg.trials import AT_MOST, SIZES, Nodes, Subject, speed_trial, subjects, trial

GPUS = Nodes(render=("/dev/dri/renderD128", "/dev/dri/renderD129"), nvidia=("/dev/nvidia2",))
NONE = Nodes()


def _called(encoders: tuple[str, ...], hwaccels: tuple[str, ...] = (), nodes: Nodes = NONE) -> list[str]:
    return [each.called for each in subjects(encoders, hwaccels, nodes)]


def _line(called: str, device: str | None, nodes: Nodes = GPUS, size: str = SIZES[0]) -> str:
    return " ".join(trial(Subject(called=called, needs_hardware=True), device, nodes, size))


@pytest.mark.parametrize(
    ("encoder", "family"),
    [
        ("h264_nvenc", Family.NVENC),
        ("nvenc_hevc", Family.NVENC),
        ("nvenc", Family.NVENC),
        ("hevc_qsv", Family.QSV),
        ("vp9_vaapi", Family.VAAPI),
        ("h264_v4l2m2m", Family.V4L2M2M),
        ("hevc_rkmpp", Family.RKMPP),
        ("prores_videotoolbox", Family.VIDEOTOOLBOX),
        ("av1_amf", Family.AMF),
        ("h264_omx", Family.OMX),
        ("aac_mf", Family.MEDIA_FOUNDATION),
        ("h264_vulkan", Family.VULKAN),
        ("libx264", None),
        ("adpcm_ima_wav", None),
        ("qsv", None),
        ("_qsv", None),
        ("libnvencoder", None),
    ],
)
def test_an_encoder_that_needs_hardware_is_known_by_its_name(encoder: str, family: Family | None) -> None:
    assert family_of(encoder) is family


def test_hardware_is_tried_first_and_then_the_usual_encoders_and_nothing_else() -> None:
    encoders = ("aac", "adpcm_ms", "h264_nvenc", "libx264", "roqvideo")
    assert _called(encoders, ("cuda",)) == ["encoder/h264_nvenc", "hwaccel/cuda", "encoder/aac", "encoder/libx264"]


def test_what_needs_a_device_that_is_not_there_is_not_run() -> None:
    of_intel, of_nvidia = subjects(("h264_qsv", "h264_nvenc"), (), NONE)
    assert of_intel.why_not == "there is no GPU that it could use: no /dev/dri/renderD*"
    assert (of_nvidia.why_not, of_nvidia.devices) == (None, (None,))
    elsewhere = subjects(("h264_qsv",), (), Nodes(is_linux=False))
    assert elsewhere[0].why_not is None, "other systems have no such names"


def test_each_device_is_tried() -> None:
    found = {each.called: each.devices for each in subjects(("h264_nvenc", "h264_vaapi"), ("drm", "vulkan"), GPUS)}
    assert found == {
        "encoder/h264_nvenc": GPUS.nvidia,
        "encoder/h264_vaapi": GPUS.render,
        "hwaccel/drm": GPUS.render,
        "hwaccel/vulkan": (None,),
    }


def test_a_list_without_end_is_not_tried_without_end() -> None:
    assert len(subjects(tuple(f"a{number}_nvenc" for number in range(5000)), (), NONE)) == AT_MOST


def test_each_family_is_told_its_device_in_its_own_words() -> None:
    second = GPUS.render[1]
    assert f"-init_hw_device vaapi=hw:{second} -f lavfi" in _line("encoder/h264_vaapi", second)
    assert "-filter_hw_device hw -vf format=nv12,hwupload -c:v h264_vaapi" in _line("encoder/h264_vaapi", second)
    assert f"-init_hw_device vaapi=va:{second} -init_hw_device qsv=hw@va" in _line("encoder/h264_qsv", second)
    assert "-c:v h264_nvenc -gpu 0 -f null -" in _line("encoder/h264_nvenc", "/dev/nvidia2")
    assert "-init_hw_device cuda=hw:0" in _line("hwaccel/cuda", "/dev/nvidia2")
    assert "-init_hw_device cuda=hw " in _line("hwaccel/cuvid", None)
    assert "hwupload,hwdownload" in _line("hwaccel/vaapi", second)
    assert f"-init_hw_device drm=hw:{second} " in _line("hwaccel/drm", second)
    assert "hwupload" not in _line("hwaccel/drm", second)


def test_only_hardware_is_asked_how_large_its_pictures_may_be() -> None:
    assert Subject(called="encoder/h264_vaapi", needs_hardware=True).sizes == SIZES
    assert len(Subject(called="encoder/libx264", needs_hardware=False).sizes) == 1
    assert Subject(called="encoder/h263_v4l2m2m", needs_hardware=True).sizes == ("352x288",)
    assert "size=3840x2160" in _line("encoder/h264_vaapi", GPUS.render[0], size="3840x2160")


@pytest.mark.parametrize("encoder", sorted(USUAL & {"aac", "flac", "libmp3lame", "libx264", "mjpeg", "mpeg4", "png"}))
def test_the_installed_ffmpeg_understands_the_commands(encoder: str) -> None:
    (subject,) = subjects((encoder,), (), NONE)
    line = ["ffmpeg", *trial(subject, None, NONE, subject.sizes[0])]
    assert subprocess.run(line, capture_output=True, timeout=60, check=False).returncode == 0


def test_a_benchmark_is_a_second_of_a_picture_and_says_how_long_it_took() -> None:
    line = ["ffmpeg", *speed_trial("mpeg2video", None, NONE)]
    done = subprocess.run(line, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    assert b"rtime=" in done.stderr
    assert b"frame=   25" in done.stderr
