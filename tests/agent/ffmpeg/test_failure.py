# pyright: reportPrivateUsage=false
"""The real ffmpeg fails in every way it can here; the words of other versions, and of devices, are quoted below."""

import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from random import Random
from signal import SIGABRT, SIGBUS, SIGFPE, SIGHUP, SIGILL, SIGKILL, SIGPIPE, SIGSEGV, SIGTERM

import pytest

from ffmesh_agent.ffmpeg import failure
from ffmesh_agent.ffmpeg.failure import failure_kind, left_half_written
from ffmesh_agent.ffmpeg.lines import Lines
from ffmesh_protocol.messages.reports import FailureKind

TRANSIENT, NODE, INPUT, PERMANENT = FailureKind

PICTURES = ("-f", "lavfi", "-i", "testsrc=d=1:s=64x64:r=25")
MANY_BYTES = ("-f", "lavfi", "-i", "testsrc=d=5:s=1280x720", "-f", "rawvideo")
FROM = ("-i", "whole.mp4")
OUT = ("-y", "made.mp4")
TO = ("-c:v", "mpeg4", *OUT)
NULL = ("-f", "null", "-")

IMPOSSIBLE = [
    ("-no_such_option", "1", *FROM, *TO),
    (*FROM, "-no_such_option", "1", *TO),
    ("-i", "missing.mp4", "-no_such_option", "1", *TO),
    (*FROM, "-c:v"),
    (),
    FROM,
    ("-y", "-n", *FROM, *TO),
    (*FROM, "-c:v", "mpeg4", "made.no_such_extension"),
    (*FROM, "-pix_fmt", "no_such_format", *TO),
    (*FROM, "-r", "fast", *TO),
    (*FROM, "-ss", "soon", *TO),
    (*FROM, "-frames:v", "few", *TO),
    (*FROM, "-b:v", "low", *TO),
    (*FROM, "-map", "0:a", *TO),
    (*FROM, "-map", "7:v", *TO),
    (*FROM, "-map", "[none]", *TO),
    (*FROM, "-filter_complex", "[0:a]anull[out]", "-map", "[out]", *TO),
    (*FROM, "-vf", "scale=no_such_option=1", *TO),
    (*FROM, "-vf", "scale=wide", *TO),
    (*FROM, "-vf", "scale=[", *TO),
    (*FROM, "-vf", "hwupload", *TO),
    (*FROM, "-vf", "null", "-c:v", "copy", *OUT),
    (*FROM, "-metadata", "nothing", *TO),
    (*FROM, "-vn", *OUT),
    (*FROM, "-c:v", "h263", *OUT),
    (*FROM, "-c:v", "copy", "-f", "webm", "made.webm"),
    (*FROM, "-y", "whole.mp4"),
]
NOT_HERE = [
    (*FROM, "-c:v", "no_such_encoder", *OUT),
    ("-c:v", "no_such_decoder", *FROM, *TO),
    (*FROM, "-vf", "no_such_filter", *TO),
    (*FROM, "-filter_complex", "no_such_filter", *TO),
    ("-f", "no_such_demuxer", *FROM, *TO),
    (*FROM, "-c:v", "mpeg4", "-f", "no_such_muxer", "made"),
    ("-i", "nosuchprotocol://host/file", *TO),
    (*FROM, "-c", "copy", "-bsf:v", "no_such_bitstream_filter", *OUT),
    ("-hwaccel", "no_such_hwaccel", *FROM, *TO),
    ("-init_hw_device", "no_such_device", *FROM, *TO),
]
PROBED = [
    (("-no_such_option", "whole.mp4"), PERMANENT),
    ((), PERMANENT),
    (("whole.mp4", "truncated.mp4"), PERMANENT),
    (("-show_entries", "no_such_section", "whole.mp4"), PERMANENT),
    (("-select_streams", "nonsense", "whole.mp4"), PERMANENT),
    (("-of", "no_such_format", "whole.mp4"), PERMANENT),
    (("-f", "no_such_demuxer", "whole.mp4"), NODE),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole input, and three that are not."""
    folder = tmp_path_factory.mktemp("inputs")
    subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", *PICTURES, "-c:v", "mpeg4", "whole.mp4"], cwd=folder, check=True
    )
    whole = (folder / "whole.mp4").read_bytes()
    (folder / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "noise.mkv").write_bytes(Random(1).randbytes(5000))
    (folder / "empty.mp4").touch()
    shutil.copy(folder / "whole.mp4", folder / "there already.mp4")
    return folder


def _run(folder: Path, program: str, *arguments: str, level: str = "warning") -> tuple[int, list[str]]:
    """Exit code, and its standard error as an agent keeps it."""
    command = [program, *(("-nostdin",) if program == "ffmpeg" else ()), "-hide_banner", "-v", level, *arguments]
    ended = subprocess.run(command, cwd=folder, check=False, capture_output=True, timeout=60)
    lines = Lines()
    return ended.returncode, [line.decode(errors="replace") for line in (*lines.feed(ended.stderr), lines.rest())]


def _kind_of_real(folder: Path, program: str, *arguments: str) -> FailureKind | None:
    code, lines = _run(folder, program, *arguments)
    assert code > 0, lines
    return failure_kind(program, code, None, lines)


@pytest.mark.parametrize("arguments", IMPOSSIBLE, ids=" ".join)
def test_what_no_machine_can_do_is_permanent(arguments: tuple[str, ...], folder: Path) -> None:
    assert _kind_of_real(folder, "ffmpeg", *arguments) is PERMANENT


@pytest.mark.parametrize("arguments", NOT_HERE, ids=" ".join)
def test_a_name_that_this_ffmpeg_has_not_may_be_in_anothers(arguments: tuple[str, ...], folder: Path) -> None:
    assert _kind_of_real(folder, "ffmpeg", *arguments) is NODE


@pytest.mark.parametrize(
    "arguments",
    [
        (*FROM, "-c:v", "h264_nvenc", *NULL),
        (*FROM, "-c:v", "h264_qsv", *NULL),
        (*FROM, "-c:v", "h264_v4l2m2m", *NULL),
        ("-c:v", "h264_cuvid", *FROM, *NULL),
        ("-hwaccel", "cuda", *FROM, *NULL),
        ("-hwaccel", "vaapi", *FROM, *NULL),
        ("-init_hw_device", "vaapi=va:/dev/dri/no_such_node", *FROM, *NULL),
        ("-init_hw_device", "cuda:99", *FROM, *NULL),
        ("-init_hw_device", "qsv", *FROM, *NULL),
        ("-init_hw_device", "opencl:99.99", *FROM, *NULL),
    ],
    ids=" ".join,
)
def test_an_accelerator_that_is_not_here_may_be_elsewhere(arguments: tuple[str, ...], folder: Path) -> None:
    code, lines = _run(folder, "ffmpeg", *arguments)
    if code == 0:
        pytest.skip("this machine has it, or ffmpeg did without")
    assert failure_kind("ffmpeg", code, None, lines) is NODE


@pytest.mark.parametrize("muxer", [("-f", "mp4"), ("-f", "rawvideo")], ids=" ".join)
def test_a_full_disk_lies_with_the_machine(muxer: tuple[str, ...], folder: Path) -> None:
    assert _kind_of_real(folder, "ffmpeg", "-y", *MANY_BYTES, *muxer, "-c:v", "mpeg4", "/dev/full") is NODE


def test_so_does_one_that_is_mounted_without_writing(folder: Path) -> None:
    mounted = folder / "mounted"
    mounted.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", mounted], check=False, capture_output=True
    )
    if mount.returncode:
        pytest.skip("may not mount")
    try:
        assert _kind_of_real(folder, "ffmpeg", *FROM, "-c:v", "mpeg4", "mounted/made.mp4") is NODE
    finally:
        subprocess.run(["umount", mounted], check=True)


@pytest.mark.parametrize("program", ["ffmpeg", "ffprobe"])
@pytest.mark.parametrize("name", ["missing.mp4", "truncated.mp4", "noise.mkv", "empty.mp4", "."])
def test_an_input_that_cannot_be_read_is_one_for_both_programs(name: str, program: str, folder: Path) -> None:
    assert _kind_of_real(folder, program, "-i", name, *(TO if program == "ffmpeg" else ())) is INPUT


def test_so_is_one_that_turns_out_damaged_on_the_way(folder: Path) -> None:
    assert _kind_of_real(folder, "ffmpeg", "-xerror", "-f", "h264", "-i", "noise.mkv", *TO) is INPUT


@pytest.mark.parametrize("place", ["no folder/made.mp4", "/sys/made.mp4", "whole.mp4/made.mp4"])
def test_an_output_that_cannot_be_made_is_tried_elsewhere(place: str, folder: Path) -> None:
    """Which of the two it is depends on whether this version says that it was the output."""
    assert _kind_of_real(folder, "ffmpeg", *FROM, "-c:v", "mpeg4", place) in (INPUT, NODE)


@pytest.mark.parametrize(("arguments", "kind"), PROBED, ids=str)
def test_ffprobe_says_it_in_its_own_words(arguments: tuple[str, ...], kind: FailureKind, folder: Path) -> None:
    assert _kind_of_real(folder, "ffprobe", *arguments) is kind


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(int(self.path.removeprefix("/")))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the base class
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """Answers with the status that is asked for."""
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever, name="server", kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "kind"), [(404, INPUT), (403, INPUT), (429, TRANSIENT), (500, TRANSIENT), (503, TRANSIENT)]
)
def test_a_server_that_fails_may_recover_and_one_that_has_it_not_will_not(
    status: int, kind: FailureKind, server: str, folder: Path
) -> None:
    assert _kind_of_real(folder, "ffmpeg", "-i", f"{server}/{status}", *TO) is kind


def test_a_server_that_is_away_may_come_back(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert _kind_of_real(folder, "ffmpeg", "-i", f"http://127.0.0.1:{port}/", *TO) is TRANSIENT


def test_an_output_that_is_there_already_ends_in_no_attempt_of_more(folder: Path) -> None:
    """Newer versions end with 0 here."""
    code, lines = _run(folder, "ffmpeg", "-n", *FROM, "-c:v", "mpeg4", "there already.mp4")
    assert failure_kind("ffmpeg", code, None, lines) is (PERMANENT if code else None)


GROUPS = (
    failure._COMMAND_LINE,
    *(failure._LACKING_HERE, failure._DEVICES, failure._NOT_IN_THIS_BUILD, failure._OUTPUT),
    *(failure._STREAMS_AND_FILTERS, failure._ON_THE_WAY, failure._INPUT, failure._GUESSED),
)
SAID = [
    # Words that the tests above bring about with some version only, or with none.
    (NODE, "Error writing trailer of /media/made.mp4: Disk quota exceeded"),
    (NODE, "Error opening output files: Cannot allocate memory"),
    (NODE, "/media/made.mp4: Read-only file system"),
    (NODE, "x264 [error]: malloc of size 165235116 failed"),
    (NODE, "whole.mp4: Too many open files"),
    (NODE, "whole.mp4: Stale file handle"),
    (NODE, "whole.mp4: Transport endpoint is not connected"),
    (NODE, "[https @ 0x1] https protocol not found, recompile FFmpeg with openssl, gnutls or securetransport enabled."),
    (NODE, "[out#0/mp4 @ 0x1] Error opening output none/made.mp4: No such file or directory"),
    (NODE, "[out#0/mp4 @ 0x1] Error opening output none/made.mp4: Permission denied"),
    (
        NODE,
        "Automatic encoder selection failed for output stream #0:0. Default encoder for format mp4 (codec h264) is .",
    ),
    (NODE, "[vist#0:0/hevc @ 0x1] [dec:hevc @ 0x1] Hardware device setup failed for decoder: Operation not permitted"),
    (NODE, "[vost#0:0 @ 0x1] Unknown encoder 'h264_nvenc'"),
    (NODE, "[AVFilterGraph @ 0x1] No such filter: 'drawtext'"),
    (NODE, "[AVFormatContext @ 0x1] Requested output format 'none' is not known."),
    (NODE, "Error parsing bitstream filter sequence 'none': Bitstream filter not found"),
    (NODE, "[vist#0:0/h264 @ 0x1] Unrecognized hwaccel: vulkan."),
    (NODE, 'Invalid device specification "none": unknown device type'),
    (NODE, "Device creation failed: -22."),
    (NODE, "Device setup failed for decoder on input stream #0:0 : Operation not permitted"),
    (NODE, "[hevc @ 0x1] No device available for decoder: device type vaapi needed for codec hevc."),
    (NODE, "[hevc @ 0x1] Failed setup for format cuda: hwaccel initialisation returned error."),
    (NODE, "Failed to set value 'opencl' for option 'init_hw_device': No such device"),
    (NODE, "[h264_nvenc @ 0x1] Cannot load libnvidia-encode.so.1"),
    (NODE, "[h264_nvenc @ 0x1] OpenEncodeSessionEx failed: unsupported device (2): (no details)"),
    (NODE, "[h264_nvenc @ 0x1] OpenEncodeSessionEx failed: out of memory (10): (no details)"),
    (NODE, "[av1_nvenc @ 0x1] No capable devices found"),
    (NODE, "[h264_nvenc @ 0x1] No NVENC capable devices found"),
    (NODE, "[h264_nvenc @ 0x1] Driver does not support the required nvenc API version. Required: 12.1 Found: 11.1"),
    (NODE, "[h264_nvenc @ 0x1] The minimum required Nvidia driver for nvenc is 530.41.03 or newer"),
    (NODE, "[CUDA @ 0x1] cu->cuInit(0) failed -> CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected"),
    (NODE, "[CUDA @ 0x1] Could not dynamically load CUDA"),
    (NODE, "[h264_cuvid @ 0x1] Failed loading nvcuvid."),
    (NODE, "[AVHWDeviceContext @ 0x1] No VA display found for device /dev/dri/renderD128."),
    (NODE, "[AVHWDeviceContext @ 0x1] Failed to initialise VAAPI connection: -1 (unknown libva error)."),
    (NODE, "[h264_vaapi @ 0x1] No usable encoding entrypoint found for profile VAProfileH264High (7)."),
    (NODE, "[h264_vaapi @ 0x1] No usable encoding profile found."),
    (NODE, "[h264_qsv @ 0x1] Error creating a MFX session: -9."),
    (NODE, "[h264_qsv @ 0x1] Error initializing an internal MFX session: unsupported (-3)"),
    (NODE, "[AMF @ 0x1] DLL libamfrt64.so.1 failed to open"),
    (NODE, "[h264_omx @ 0x1] libOMX_Core.so not found"),
    (NODE, "[h264_v4l2m2m @ 0x1] Could not find a valid device"),
    (PERMANENT, "[error] Unrecognized option 'cfr'."),
    (PERMANENT, "Error splitting the argument list: Option not found"),
    (PERMANENT, "Missing argument for option 'c:v'."),
    (PERMANENT, "Failed to set value 'whole.mp4' for option 'none': Option not found"),
    (PERMANENT, "Use -h to get full help or, even better, run 'man ffmpeg'"),
    (PERMANENT, "You have to specify one input file."),
    (PERMANENT, "Argument 'b.mkv' provided as input filename, but 'a.mkv' was already specified."),
    (PERMANENT, "Error, both -y and -n supplied. Exiting."),
    (PERMANENT, "No match for section 'none'"),
    (PERMANENT, "Unknown output format with name 'none'"),
    (PERMANENT, "Stream specifier ':a' in filtergraph description [0:a]anull[x] matches no streams."),
    (PERMANENT, "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x1] Invalid stream specifier: none."),
    (PERMANENT, "Invalid input file index: 3."),
    (PERMANENT, "Output with label 'y' does not exist in any defined filter graph, or was already used elsewhere."),
    (PERMANENT, "Invalid duration specification for ss: soon"),
    (PERMANENT, "Invalid duration for option ss: soon"),
    (PERMANENT, "[vost#0:0/libx264 @ 0x1] Invalid framerate value: fast"),
    (PERMANENT, "Expected number for frames:v but found: few"),
    (PERMANENT, "Unknown pixel format requested: none."),
    (PERMANENT, "[NULL @ 0x1] Unable to find a suitable output format for 'made.none'"),
    (PERMANENT, "FFmpeg cannot edit existing files in-place."),
    (PERMANENT, "[vost#0:0/copy @ 0x1] Filtergraph 'null' was specified, but codec copy was selected."),
    (PERMANENT, "Filtering and streamcopy cannot be used together."),
    (PERMANENT, "[out#0/mp4 @ 0x1] No '=' character in metadata string nothing."),
    (PERMANENT, "[Parsed_scale_0 @ 0x1] Option 'foo' not found"),
    (PERMANENT, '[AVFilterGraph @ 0x1] Bad (empty?) label found in the following: "[".'),
    (PERMANENT, '[libx264 @ 0x1] Unable to parse option value "abc"'),
    (PERMANENT, '[libx264 @ 0x1] Unable to parse "crf" option value "abc"'),
    (PERMANENT, "[hwupload @ 0x1] A hardware device reference is required to upload frames to."),
    (PERMANENT, "The value for ac was -1 which is not within 0 - 2147483647"),
    (
        PERMANENT,
        "[out#0 @ 0x1] Unable to choose an output format for 'made.none'; use a standard extension for the file",
    ),
    (PERMANENT, "[libx264 @ 0x1] width not divisible by 2 (63x63)"),
    (
        PERMANENT,
        "[mp4 @ 0x1] Could not find tag for codec vp8 in stream #0, codec not currently supported in container",
    ),
    (PERMANENT, "[ogg @ 0x1] Unsupported codec id in stream 0"),
    (PERMANENT, "Codec AVOption b (set bitrate) specified for input file #0 (whole.mp4) is not a decoding option."),
    (PERMANENT, "[fc#-1 @ 0x1] Error applying option 'foo' to filter 'scale': Option not found"),
    (PERMANENT, "Output whole.mp4 same as Input #0 - exiting"),
    (PERMANENT, "File 'made.mp4' already exists. Exiting."),
    (PERMANENT, "[libx264 @ 0x1] Error setting option strict to value nonsense."),
    (PERMANENT, "[vost#0:0/libx264 @ 0x1] Error applying encoder options: Invalid argument"),
    (PERMANENT, "Error binding filtergraph inputs/outputs: Invalid argument"),
    (PERMANENT, "Error initializing complex filters."),
    (PERMANENT, "[vost#0:0/libx264 @ 0x1] Error initializing a simple filtergraph"),
    (PERMANENT, "Impossible to convert between the formats supported by the filter 'null' and the filter 'scale'"),
    (PERMANENT, "Error parsing options for output file made.mp4."),
    (PERMANENT, "Error opening output files: Invalid argument"),
    (TRANSIENT, "[in#0 @ 0x1] Error opening input: Input/output error"),
    (TRANSIENT, "rtsp://camera/: Connection timed out"),
    (TRANSIENT, "http://camera/: Server returned 5XX Server Error reply"),
    (TRANSIENT, "[http @ 0x1] HTTP error 503 Service Unavailable"),
    (TRANSIENT, "[tcp @ 0x1] Failed to resolve hostname camera: Name or service not known"),
    (TRANSIENT, "rtsp://camera/: Network is unreachable"),
    (TRANSIENT, "rtsp://camera/: No route to host"),
    (TRANSIENT, "[video4linux2,v4l2 @ 0x1] ioctl(VIDIOC_STREAMON): Device or resource busy"),
    (TRANSIENT, "av_interleaved_write_frame(): Broken pipe"),
    (TRANSIENT, "/dev/video0: Resource temporarily unavailable"),
    (INPUT, "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x558ad8e081c0] moov atom not found"),
    (INPUT, "[in#0 @ 0x1] Error opening input: Permission denied"),
    (INPUT, "[in#0 @ 0x1] Error opening input: Invalid argument"),
    (INPUT, "[in#0 @ 0x1] Error opening input: End of file"),
    (INPUT, "http://camera/: Server returned 404 Not Found"),
    (INPUT, "[http @ 0x1] HTTP error 404 File not found"),
    (INPUT, ".: Is a directory"),
    (INPUT, "[h264 @ 0x1] Error splitting the input into NAL units."),
    (INPUT, "whole.mp4/part.mp4: Not a directory"),
    (INPUT, "[matroska,webm @ 0x1] EBML header parsing failed"),
    (INPUT, "[mp3 @ 0x1] Failed to read frame size: Could not seek to 4023."),
    (INPUT, "[vf#0:0 @ 0x1] Cannot determine format of input 0:0 after EOF"),
    (INPUT, "[vist#0:0/h264 @ 0x1] [dec:h264 @ 0x1] Decode error rate 1 exceeds maximum 0.666667"),
]
DRAGGED = [
    (PERMANENT, ('Failed to open report "r.log": No space left on device', "Unrecognized option 'cfr'.")),
    (PERMANENT, ("nfs.mp4: Stale file handle", "At least one output file must be specified")),
    (NODE, ("Could not write header for output file #0 (incorrect codec parameters ?): No space left on device",)),
    (NODE, ("av_interleaved_write_frame(): No space left on device", "Error writing trailer: Input/output error")),
    (NODE, ("whole.mp4: Stale file handle", "whole.mp4: Invalid data found when processing input")),
    (NODE, ("[h264_nvenc @ 0x1] Cannot load libcuda.so.1", "Error - maybe incorrect parameters such as bit_rate")),
    (NODE, ("No VA display found for device /d.", "Error parsing global options: Invalid argument")),
    (NODE, ("[in#0 @ 0x1] Invalid data found when processing input", "[vost#0:0 @ 0x1] Unknown encoder 'libx265'")),
    (
        NODE,
        ("Device creation failed: -5.", "[hwupload @ 0x1] A hardware device reference is required to upload frames"),
    ),
    (NODE, ("Unknown decoder 'h264_cuvid'", "Error opening input files: Decoder not found")),
    (NODE, ("No such filter: 'drawtext'", "Error reinitializing filters!", "Conversion failed!")),
    (
        PERMANENT,
        (
            "Error while decoding stream #0:0: Invalid data found when processing input",
            "Stream map '0:9' matches no streams.",
        ),
    ),
    (PERMANENT, ("whole.mp4: Input/output error", "[libx264 @ 0x1] height not divisible by 2 (64x63)")),
    (TRANSIENT, ("[tls @ 0x1] Connection reset by peer", "whole.mp4: Invalid data found when processing input")),
    (
        TRANSIENT,
        ("[http @ 0x1] HTTP error 429 Too Many Requests", "http://h/: Server returned 4XX Client Error, but not"),
    ),
    (TRANSIENT, ("Resource temporarily unavailable", "Error - maybe incorrect parameters such as bit_rate")),
    (
        INPUT,
        (
            "[mov @ 0x1] moov atom not found",
            "Could not write header (incorrect codec parameters ?): Invalid argument",
        ),
    ),
    (INPUT, ("junk: could not find codec parameters", "Output file #0 does not contain any stream")),
    (
        INPUT,
        (
            "[in#0 @ 0x1] Error opening input: No such file or directory",
            "Error opening input files: No such file or directory",
        ),
    ),
]


@pytest.mark.parametrize(("kind", "line"), SAID, ids=lambda value: value if isinstance(value, str) else None)
def test_one_line_is_enough(kind: FailureKind, line: str) -> None:
    assert failure_kind("ffmpeg", 1, None, ["Stream mapping:", line, "Conversion failed!"]) is kind


@pytest.mark.parametrize(("kind", "lines"), DRAGGED)
def test_of_several_words_the_cause_decides_and_not_what_it_dragged_after_it(
    kind: FailureKind, lines: tuple[str, ...]
) -> None:
    assert failure_kind("ffmpeg", 1, None, lines) is kind
    assert failure_kind("ffmpeg", 1, None, lines[::-1]) is kind


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Conversion failed!",
        "    title           : At least one output file must be specified",
        "    comment         : moov, atom; not found",
        "Input #0, matroska,webm, from 'Unrecognized option.mkv':",
        "Exiting normally, received signal 15.",
    ],
)
def test_what_nobody_can_tell_is_transient(line: str) -> None:
    assert failure_kind("ffmpeg", 1, None, [line]) is TRANSIENT
    assert failure_kind("ffmpeg", 255, None, []) is TRANSIENT


def test_an_output_whose_trailer_could_not_be_written_is_half_written() -> None:
    line = "Error writing trailer of /media/made.mp4: No space left on device"
    assert left_half_written("ffmpeg", ["frame=  1 fps=1", line])
    assert left_half_written("ffmpeg", [f"[out#0/mp4 @ 0x55d0] {line}"])
    assert not left_half_written("ffmpeg", ["    title           : Error writing trailer of it"])
    assert not left_half_written("sh", [line])


def test_what_ended_well_did_not_fail_whatever_it_wrote() -> None:
    assert failure_kind("ffmpeg", 0, None, ["Error writing trailer of /dev/full: No space left on device"]) is None


@pytest.mark.parametrize("signal", [SIGKILL, SIGSEGV, SIGILL, SIGBUS, SIGABRT, SIGFPE])
@pytest.mark.parametrize("program", ["ffmpeg", "sleep"])
def test_a_program_that_crashed_or_was_killed_may_live_elsewhere(program: str, signal: int) -> None:
    assert failure_kind(program, None, signal, ["whole.mp4: Invalid data found when processing input"]) is NODE


@pytest.mark.parametrize("signal", [SIGTERM, SIGHUP, SIGPIPE])
def test_one_that_somebody_stopped_may_live_another_time(signal: int) -> None:
    assert failure_kind("ffmpeg", None, signal, ["Unrecognized option 'cfr'."]) is TRANSIENT


@pytest.mark.parametrize("exit_code", [126, 127])
def test_one_that_could_not_be_run_may_be_elsewhere(exit_code: int) -> None:
    assert failure_kind("anything", exit_code, None, []) is NODE
    assert failure_kind("ffmpeg", exit_code, None, ["ffmpeg: error while loading shared libraries: libx.so.1"]) is NODE


@pytest.mark.parametrize(
    ("exit_code", "kind"),
    [(226, NODE), (228, NODE), (244, NODE), (69, INPUT), (183, INPUT), (243, INPUT), (254, INPUT)],
)
def test_a_newer_ffmpegs_exit_code_speaks_where_its_words_do_not(exit_code: int, kind: FailureKind) -> None:
    assert failure_kind("ffmpeg", exit_code, None, []) is kind
    assert failure_kind("ffmpeg", exit_code, None, ["Unrecognized option 'cfr'."]) is PERMANENT
    assert failure_kind("sleep", exit_code, None, []) is TRANSIENT


def test_other_programs_are_heard_only_on_disk_and_memory() -> None:
    for line in ("cp: error writing 'made.mp4': No space left on device", "tool: Cannot allocate memory"):
        assert failure_kind("cp", 1, None, [line]) is NODE
    for line in (
        "moov atom not found",
        "Unrecognized option 'cfr'.",
        "No capable devices found",
        "Unknown encoder 'x'",
    ):
        assert failure_kind("cp", 1, None, [line]) is TRANSIENT


def test_no_word_stands_in_the_tables_that_is_not_quoted_here() -> None:
    heard = [line for _, line in SAID] + [line for _, lines in DRAGGED for line in lines]
    messages = [re.sub(r"^(?:\[[^\]]*\] ?)+", "", line) for line in heard]
    words = [word for group in GROUPS for word in group]
    silent = [word for word in words if not any(re.search(word, message) for message in messages)]
    assert silent == []
