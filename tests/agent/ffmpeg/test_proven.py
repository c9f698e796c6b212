"""What may be advertised, by what is listed and what has been shown."""

from ffmesh_agent.ffmpeg.proven import AGAIN, NOT_YET, Listed, Outcome, standing, untried
from ffmesh_agent.ffmpeg.trials import Nodes, subjects

LISTED = Listed(
    encoders=("adpcm_ms", "h264_nvenc", "hevc_nvenc", "libx264"),
    hwaccels=("cuda",),
    codecs={"h264_nvenc": "h264", "hevc_nvenc": "hevc", "libx264": "h264"},
)
SUBJECTS = subjects(LISTED.encoders, LISTED.hwaccels, Nodes())
WORKS = {each.called: Outcome(works=True) for each in SUBJECTS}


def test_hardware_counts_from_when_it_has_worked_and_all_else_until_it_has_failed() -> None:
    before = standing(LISTED, SUBJECTS, {})
    assert (before.encoders, before.hwaccels, before.tried) == (("adpcm_ms", "libx264"), (), False)
    assert before.unavailable["encoder/h264_nvenc"] == NOT_YET
    assert before.supported_codecs == ("h264",)
    after = standing(LISTED, SUBJECTS, WORKS)
    assert (after.encoders, after.hwaccels, after.tried) == (LISTED.encoders, ("cuda",), True)
    assert after.unavailable == {}
    assert after.supported_codecs == ("h264", "hevc")
    broken = standing(LISTED, SUBJECTS, WORKS | {"encoder/libx264": Outcome(works=False, why="x")})
    assert "libx264" not in broken.encoders
    assert broken.unavailable == {"encoder/libx264": "x"}


def test_what_is_doubted_does_not_count_and_then_not_all_is_tried() -> None:
    doubted = standing(LISTED, SUBJECTS, WORKS, {"encoder/libx264", "hwaccel/cuda"})
    assert (doubted.tried, doubted.hwaccels) == (False, ())
    assert doubted.unavailable == {"hwaccel/cuda": AGAIN, "encoder/libx264": AGAIN}


def test_the_largest_picture_is_that_of_all_that_work() -> None:
    outcomes = WORKS | {
        "encoder/h264_nvenc": Outcome(works=True, largest="3840x2160", fps=312.5),
        "encoder/hevc_nvenc": Outcome(works=True, largest="7680x4320"),
    }
    found = standing(LISTED, SUBJECTS, outcomes)
    assert found.max_resolutions == {"h264_nvenc": "3840x2160", "hevc_nvenc": "7680x4320"}
    assert (found.max_resolution, found.speeds) == ("7680x4320", {"h264_nvenc": 312.5})
    without = standing(LISTED, SUBJECTS, outcomes, {"encoder/hevc_nvenc"})
    assert without.max_resolution == "3840x2160"


def test_hardware_beyond_what_is_tried_is_not_believed() -> None:
    lying = Listed(encoders=tuple(f"a{number}_qsv" for number in range(1000)), hwaccels=("cuda",))
    tried = subjects(lying.encoders, lying.hwaccels, Nodes(is_linux=False))
    found = standing(lying, tried, {each.called: Outcome(works=True) for each in tried})
    assert len(found.encoders) == len(tried)
    assert found.hwaccels == ()


def test_who_does_not_try_believes_the_list() -> None:
    found = untried(LISTED)
    assert (found.encoders, found.hwaccels, found.unavailable) == (LISTED.encoders, LISTED.hwaccels, {})
    assert (found.tried, found.supported_codecs) == (False, ("h264", "hevc"))


def test_decoders_and_filters_of_an_accelerator_are_there_when_that_has_worked() -> None:
    listed = Listed(
        decoders=("h264", "h264_cuvid", "h264_qsv", "h264_v4l2m2m"),
        filters=("scale", "scale_cuda", "scale_npp", "scale_vaapi"),
        hwaccels=("cuda", "vaapi"),
    )
    tried = subjects((), listed.hwaccels, Nodes())
    before = standing(listed, tried, {})
    assert (before.decoders, before.filters) == (("h264", "h264_v4l2m2m"), ("scale",))
    assert before.unavailable["decoder/h264_cuvid"] == f"it needs cuda: {NOT_YET}"
    assert before.unavailable["decoder/h264_qsv"] == "it needs qsv: this ffmpeg does not list it"
    broken = Outcome(works=False, why="Cannot load libcuda.so.1")
    after = standing(listed, tried, {"hwaccel/cuda": broken, "hwaccel/vaapi": Outcome(works=True)})
    assert (after.decoders, after.filters) == (("h264", "h264_v4l2m2m"), ("scale", "scale_vaapi"))
    assert after.unavailable["filter/scale_npp"] == "it needs cuda: Cannot load libcuda.so.1"
    assert (untried(listed).decoders, untried(listed).filters) == (listed.decoders, listed.filters)
