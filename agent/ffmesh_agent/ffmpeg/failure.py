"""What may be done about a program that failed, by the end of its standard error.

Promised: always an answer, and never from less than a program says itself; where it says nothing known, `transient`.
Refused: to judge a program that ended with exit code 0, whatever it wrote.

The words are those of ffmpeg 4.2, 5.1, 7.0 and 9.0. Several may stand in one standard error, for a failure drags others
after it; so the groups are tried in an order, and the first that has a word there decides:

1. What the command line itself is refused for. ffmpeg has not done anything else then, so nothing else was the cause.
2. What the machine lacks. A full disk ends in “Error writing trailer” or “incorrect codec parameters ?”, a missing GPU
   in “maybe incorrect parameters”, a lost mount in damaged input: those are its consequences.
3. What a stream or a filter is refused for, in words that leave no doubt. An input may have been noisy before.
4. What broke on the way from elsewhere. An input cut short by it looks damaged.
5. The input.
6. What ffmpeg only guesses to be the command line's fault: each of 2 to 5 ends in these words too.

Being wrong costs unequally. `permanent` ends a job that could have succeeded; `node` and `input` cost one more start,
which fails as fast. So where a word has two meanings, it is not `permanent`.
"""

import re
from collections.abc import Sequence
from signal import SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV
from typing import Final

from ffmesh_protocol.ffmpeg.tables import FFMPEG
from ffmesh_protocol.messages.reports import FailureKind

_SPEAK_FFMPEG: Final = frozenset({FFMPEG, "ffprobe"})

_SIGNALS_OF_THE_NODE: Final = frozenset({SIGKILL, SIGSEGV, SIGILL, SIGBUS, SIGABRT, SIGFPE})
"""SIGKILL that was not ours is the kernel's, for want of memory. The others are crashes: another machine's build, or
driver, may do it. All other signals were somebody's wish on that machine."""

_EXITS_OF_THE_NODE: Final = frozenset({126, 127})
"""The program was found and could not be run, or was not found, or one of its libraries was not."""

_EXITS_OF_FFMPEG: Final = {
    226: FailureKind.NODE,  # EROFS
    228: FailureKind.NODE,  # ENOSPC
    244: FailureKind.NODE,  # ENOMEM
    69: FailureKind.INPUT,  # more frames could not be decoded than -max_error_rate allows
    183: FailureKind.INPUT,  # AVERROR_INVALIDDATA
    243: FailureKind.INPUT,  # EACCES
    254: FailureKind.INPUT,  # ENOENT
}
"""Since version 6.1 the exit code is the lowest byte of the negative error: what is left to read when `-loglevel quiet`
was asked for. 8 is missing here, for it means an unknown option, a missing encoder and an answer of HTTP alike. Older
versions end with 1, or 69, or 255 after a signal."""

_LACKING_HERE: Final = (
    "No space left on device",
    "Disk quota exceeded",
    "Read-only file system",
    "Cannot allocate memory",  # ffmpeg 4.2 and 7.0 also say so of a -hwaccel that was not compiled in: of the node too
    "[Oo]ut of memory",
    r"malloc of size \d+ failed",
    "Too many open files",
    "Stale file handle",
    "Transport endpoint is not connected",
)
"""The machine's disk, memory and mounts, in the words of its C library. Whoever says them, they mean the same."""

_COMMAND_LINE: Final = (
    "^Unrecognized option ",
    "^Error splitting the argument list",
    "^Missing argument for option",
    "^Failed to set value .*: Option not found$",  # ffprobe's way to say it
    "^Use -h to get full help",  # after the usage, when there were no arguments
    "^At least one output file must be specified",
    "^You have to specify one input file",
    "^Argument .* provided as input filename, but",
    "both -y and -n supplied",
    "^No match for section",
    "^Unknown output format with name",  # ffprobe's -of, which has the same ones everywhere
)
"""Refused before anything was opened. A newer ffmpeg may know an option that this one does not; far more often it is
misspelt, and then who waits for it should hear so now."""

_NOT_IN_THIS_BUILD: Final = (
    "^Unknown (?:encoder|decoder|input format|bitstream filter)",
    "^No such filter: ",
    "^Requested output format .* is not ",
    ": (?:Encoder|Decoder|Demuxer|Muxer|Filter|Bitstream filter|Protocol) not found$",
    "protocol not found, recompile FFmpeg",
    "^Unrecognized hwaccel: ",
    "^Invalid device specification .*: unknown device type$",
    "^Automatic encoder selection failed",
)
"""A name that ffmpeg has not. From one machine a misspelt `libx264` and one that was not compiled in look the same, and
in a house where one has Debian's ffmpeg and another one of its own the second is common. The misspelt one fails within
milliseconds on each machine it is given to, and its attempts are numbered."""

_DEVICES: Final = (
    "^Device creation failed",
    "[Dd]evice setup failed for decoder",
    "^No device available for (?:decoder|encoder)",
    "^Failed setup for format .*: hwaccel",
    ": No such device",
    r"^Cannot load lib\S+\.so",
    "^Could not dynamically load CUDA",
    "^Failed loading nv",
    "CUDA_ERROR_",
    "^OpenEncodeSessionEx failed",
    "^No (?:NVENC )?capable devices found",
    "^Driver does not support the required nvenc API version",
    "^The minimum required Nvidia driver",
    "^No VA display found",
    "^Failed to initialise VAAPI",
    "^No usable encoding (?:entrypoint|profile) found",
    "^Error (?:creating|initializing) an? (?:internal )?MFX session",
    r"^DLL libamfrt\S* failed to open",
    r"^libO\w+\.so not found",
    "^Could not find a valid device",
)
"""Accelerators: not there, without their driver, busy with as many sessions as they take, or too old for this codec."""

_STREAMS_AND_FILTERS: Final = (
    "^Stream map .* matches no streams",
    "^Stream specifier .* matches no streams",
    "^Invalid stream specifier",
    "^Invalid input file index",
    "^Output with label .* does not exist",
    "^Invalid (?:duration|framerate)",
    "^Expected .* for .* but found",
    "^The value for .* was .* which is not within",
    "^Unknown pixel format requested",
    "^Unable to (?:find a suitable|choose an) output format",
    "same as Input #",
    "^FFmpeg cannot edit existing files in-place",
    r"^File '.*' already exists\. Exiting",
    "codec copy was selected",
    "^Filtering and streamcopy cannot be used together",
    "^No '=' character in metadata string",
    "^Codec AVOption .* is not an? (?:en|de)coding option",
    "^Option '.*' not found$",
    "^Error applying option .*: Option not found$",
    "^Bad .*label found in the following",
    "^Unable to parse .*option value",
    "^(?:width|height) not divisible by",
    "codec not currently supported in container",
    "^Unsupported codec id in stream",
    "^A hardware device reference is required",
)
"""What was asked for does not fit together, or not with what the inputs hold, on any machine."""

_ON_THE_WAY: Final = (
    "Connection (?:refused|timed out|reset by peer)",
    "Network is unreachable",
    "No route to host",
    "Failed to resolve hostname",
    "Server returned 5",
    "HTTP error (?:5|429)",
    "Input/output error",
    "Resource temporarily unavailable",
    "Device or resource busy",
    "Broken pipe",
)
"""A network, a server, a disk or a camera that may answer another time."""

_INPUT: Final = (
    "Invalid data found when processing input",
    "moov atom not found",
    "[Cc]ould not find codec parameters",
    "^Cannot determine format of input",
    "^Failed to read frame size",
    "^EBML header parsing failed",
    "^Decode error rate .* exceeds maximum",
    "^Error splitting the input into NAL units",
    ": End of file$",
    ": No such file or directory$",
    ": Permission denied$",
    ": Is a directory$",
    ": Not a directory$",
    "Server returned 4",
    "HTTP error 4",
    "^Error opening input.*: Invalid argument$",
)
"""It cannot be read here, or is damaged. What is missing here may be there on the machine that has the mount: the one
more try that `input` gives is for it. Old versions say the same words of an output's folder, where it fits as well."""

_OUTPUT: Final = ("^Error opening output .*: (?:No such file or directory|Permission denied|Not a directory)$",)
"""The folder of the output is not on this machine, or may not be written there. Newer versions say which it was."""

_GUESSED: Final = (
    "maybe incorrect parameters",
    r"incorrect codec parameters \?",
    "^Failed to set value",
    "^Error parsing (?:global )?options",
    "^Error setting option",
    "^Error applying (?:encoder )?option",
    "^Error (?:re)?initializing (?:a simple filtergraph|complex filters|filters?)",
    "^Error binding filtergraph",
    "^Impossible to convert between the formats",
    "^Output file (?:#[0-9]+ )?does not contain any stream",
    "^Error opening output files: Invalid argument$",
)
"""ffmpeg's own guess, made wherever it could not open an encoder, an output or a filter."""

_Tries = tuple[tuple[FailureKind, re.Pattern[str]], ...]


def _tries(*groups: tuple[FailureKind, tuple[str, ...]]) -> _Tries:
    return tuple((kind, re.compile("|".join(words), re.MULTILINE)) for kind, words in groups)


_of_any_program: Final = _tries((FailureKind.NODE, _LACKING_HERE))
_of_ffmpeg: Final = _tries(
    (FailureKind.PERMANENT, _COMMAND_LINE),
    (FailureKind.NODE, _LACKING_HERE + _DEVICES + _NOT_IN_THIS_BUILD + _OUTPUT),
    (FailureKind.PERMANENT, _STREAMS_AND_FILTERS),
    (FailureKind.TRANSIENT, _ON_THE_WAY),
    (FailureKind.INPUT, _INPUT),
    (FailureKind.PERMANENT, _GUESSED),
)
_who_speaks = re.compile(r"^(?:\[[^\]]{1,80}\] ?)+")
"""`[vist#0:0/h264 @ 0x5629] [dec:h264 @ 0x5630] `, and the level, where it was asked for. Our words after ^ begin the
message, so no title among an input's metadata, which ffmpeg indents, is taken for one."""


_half_written = re.compile(r"^Error writing trailer of ", re.MULTILINE)


def left_half_written(program: str, lines: Sequence[str]) -> bool:
    """Whether it says that the end of its output is missing. ffmpeg up to 5.1 then ends with 0 all the same."""
    said = "\n".join(_who_speaks.sub("", line) for line in lines)
    return program == FFMPEG and _half_written.search(said) is not None


def failure_kind(program: str, exit_code: int | None, signal: int | None, lines: Sequence[str]) -> FailureKind | None:
    """None: it did not fail. `lines` are the last ones of its standard error, without their ends.

    Of a program that we stopped ourselves this says nothing true: the caller knows why it ended.
    """
    if exit_code == 0:
        return None
    if signal is not None:
        return FailureKind.NODE if signal in _SIGNALS_OF_THE_NODE else FailureKind.TRANSIENT
    if exit_code in _EXITS_OF_THE_NODE:
        return FailureKind.NODE
    said = "\n".join(_who_speaks.sub("", line) for line in lines)
    for kind, words in _of_ffmpeg if program in _SPEAK_FFMPEG else _of_any_program:
        if words.search(said):
            return kind
    if program == FFMPEG and exit_code is not None:
        return _EXITS_OF_FFMPEG.get(exit_code, FailureKind.TRANSIENT)
    return FailureKind.TRANSIENT
