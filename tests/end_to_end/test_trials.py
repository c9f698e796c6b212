"""What an agent advertises has worked on its machine, also after a job has failed with it."""

from collections.abc import Generator
from typing import Any

import pytest

from end_to_end.outside import Mesh, mesh, until

FFMPEG = """#!/bin/sh
case "$*" in
*-version*) echo "ffmpeg version 9.9 Copyright" ;;
*-encoders*)
    for each in "h264_nvenc  x (codec h264)" "hevc_nvenc  x (codec hevc)" "libx264  x (codec h264)"; do
        echo " V..... $each"
    done
    ;;
*-decoders* | *-filters* | *-hwaccels*) ;;
*h264_nvenc*)
    if [ -e "FOLDER/broken" ]; then
        echo "[h264_nvenc @ 0x1] Cannot load libcuda.so.1" >&2
        case "$*" in *level+*) echo "[h264_nvenc @ 0x1] [error] Cannot load libcuda.so.1" >&2 ;; esac
        exit 1
    fi
    echo "frame=    2 fps=0.0" >&2
    ;;
*hevc_nvenc*) echo "[hevc_nvenc @ 0x1] [error] Codec not supported" >&2; exit 1 ;;
*libx264*) echo "frame=    2 fps=0.0" >&2 ;;
esac
"""
"""Encodes nothing. One of its encoders works until its driver breaks, and one never does."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("trials")
    program = folder / "ffmpeg"
    program.write_text(FFMPEG.replace("FOLDER", str(folder)))
    program.chmod(0o755)
    (folder / "in.mkv").touch()
    options = ("--root", f"Place={folder}", "--program", f"ffmpeg={program}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FFMESH_TRIALS", "on")
        with mesh(folder / "home", *options, unfenced=1) as running:
            yield running


def _until_tried(running: Mesh, **wanted: Any) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        agent = running.agent()
        return agent if agent["tried"] and all(agent[key] == value for key, value in wanted.items()) else None

    return until(look, f"all is tried, and {wanted}")


def test_an_agent_shows_what_works_on_its_machine_and_why_the_rest_does_not(running: Mesh) -> None:
    agent = _until_tried(running)
    assert agent["encoders"] == ["h264_nvenc", "libx264"]
    assert agent["unavailable"]["encoder/hevc_nvenc"] == "Codec not supported"
    assert agent["supported_codecs"] == ["h264"]
    assert (agent["max_resolution"], agent["max_resolutions"]) == ("7680x4320", {"h264_nvenc": "7680x4320"})
    lines = running.say("agent", "agent-1").splitlines()
    assert "unavailable  encoder/hevc_nvenc: Codec not supported" in lines


def test_a_job_that_waits_for_what_does_not_work_says_why(running: Mesh) -> None:
    _until_tried(running)
    place = running.home.parent
    need = ("--need", "encoder=hevc_nvenc")
    job = running.submit(*need, "--", "ffmpeg", "-i", place / "in.mkv", "-c:v", "hevc_nvenc", place / "out.mkv")
    waiting = running.until_job(job, "queued")
    assert waiting["reason"] == "no agent online has encoder hevc_nvenc; agent-1: Codec not supported"
    running.say("cancel", job)


def test_an_encoder_that_a_job_has_failed_with_is_withdrawn_when_it_fails_its_next_trial_too(running: Mesh) -> None:
    _until_tried(running, encoders=["h264_nvenc", "libx264"])
    place = running.home.parent
    (place / "broken").touch()
    job = running.submit("--", "ffmpeg", "-i", place / "in.mkv", "-c:v", "h264_nvenc", place / "out.mkv")
    assert running.wait(job).returncode == 1
    agent = _until_tried(running, encoders=["libx264"])
    assert agent["unavailable"]["encoder/h264_nvenc"] == "Cannot load libcuda.so.1"
    assert agent["max_resolution"] is None
