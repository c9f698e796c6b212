"""A stand-in for Jellyfin: it asks, calls, waits, types, stops and judges as that does, and writes down what it saw.

Each function of `TOPICS` is one thing that it does with ffmpeg and ffprobe, and gives a record without times and
places: two programs that do the same have equal records. Where something is not as Jellyfin needs it, `Unhappy` is
raised.

It looks into folders every 100 ms because Jellyfin does: nothing tells a server that a segment is there.
"""

import hashlib
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from end_to_end.outside import GENEROUS
from end_to_end.shims import LOCAL, Programs, Word

POLL_SECONDS: Final = 0.1
STOP_SECONDS: Final = 5.0
IMAGE_SECONDS: Final = 10.0
RECORDING_STOP_SECONDS: Final = 10.0
WORKS_IN: Final = Path("/")
"""A server's own working folder is under no root."""

POLLS_OF_A_PAUSE: Final = 10

Record = dict[str, Any]
Topic = Callable[[Programs, Path, Path], Record]


class Unhappy(AssertionError):
    """What would make playback fail, or the server refuse the program."""


def film_in(folder: Path) -> Path:
    """Forty seconds, a key frame each second; picture, sound, subtitles, a font."""
    folder.mkdir(parents=True, exist_ok=True)
    subtitles, font, film = folder / "text.srt", folder / "Font of it.ttf", folder / "Das Boot's [1981] 100%, été.mkv"
    lines = (
        f"{number}\n00:00:{2 * number:02},000 --> 00:00:{2 * number + 1:02},500\nline {number}\n"
        for number in range(19)
    )
    subtitles.write_text("\n".join(lines))
    font.write_bytes(hashlib.sha256(b"no font").digest() * 100)
    made = LOCAL.ffmpeg(
        *("-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=40"),
        *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=40", "-i", subtitles),
        *("-map", "0", "-map", "1", "-map", "2", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25"),
        *("-threads", "1", "-c:a", "aac", "-b:a", "64k", "-c:s", "srt"),
        *("-attach", font, "-metadata:s:t", "mimetype=application/x-truetype-font", film),
    )
    assert made.returncode == 0, made.stderr
    return film


# --- its start


def is_probed(programs: Programs, film: Path, folder: Path) -> Record:
    """All that it asks before it shows its first page; what cannot be read here it would never use."""
    version = programs.ffmpeg("-version").stdout.decode()
    number = re.match(r"ffmpeg version n?(\d+)\.(\d+)", version)
    if number is None or (int(number[1]), int(number[2])) < (4, 4) or "Libav developers" in version:
        raise Unhappy(f"this is no ffmpeg of 4.4 or later: {version}")
    listed = {option: _listed(programs, option) for option in ("-decoders", "-encoders", "-filters")}
    accelerations = programs.ffmpeg("-hwaccels").stdout.decode().splitlines()[1:]
    nothing = ("-hide_banner", "-f", "lavfi", "-i", "nullsrc=s=1x1:d=100", "-f", "null", "-")
    return {
        "version": version,
        **listed,
        "-hwaccels": accelerations,
        "help": {
            each: _is_known(programs, each) for each in ("filter=scale_cuda", "filter=overlay", "bsf=hevc_metadata")
        },
        "low priority": programs.ffmpeg("-hwaccel_flags", "+low_priority", *nothing).returncode,
        "only first frame": programs.run("ffprobe", "-only_first_vframe", film).returncode,
        "pause": _is_paused_by_key(programs),
    }


def _listed(programs: Programs, option: str) -> list[str]:
    """Names in the second column of the lines whose first is a word of flags."""
    names = re.findall(r"^ +[A-Z.|]{3,6} +([\w-]+) +\S", programs.ffmpeg(option).stdout.decode(), re.MULTILINE)
    if not names:
        raise Unhappy(f"nothing is listed by {option}")
    return names


def _is_known(programs: Programs, subject: str) -> bool:
    said = programs.ffmpeg("-h", subject)
    return said.stdout.decode().lower().startswith(("filter", "bit stream filter"))


def _is_paused_by_key(programs: Programs) -> Record:
    """The help for keys is asked of a program that is over in an instant."""
    asked = programs.ffmpeg(
        *("-hide_banner", "-f", "lavfi", "-i", "nullsrc=s=1x1:d=1000", "-f", "null", "-"), stdin=b"?"
    )
    if b"key    function" not in asked.stderr:
        raise Unhappy("it does not tell its keys")
    return {"exit code": asked.returncode, "can pause": b"p      pause transcoding" in asked.stderr}


# --- transcodes


class Transcode:
    """A program that fills a folder. Its input and its messages are ours; its output is whose ours is."""

    def __init__(self, programs: Programs, words: Sequence[Word], playlist: Path) -> None:
        self._playlist = playlist
        self._process = subprocess.Popen(
            programs.line("ffmpeg", *words),
            cwd=WORKS_IN,
            env=programs.environment,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self._log = bytearray()
        self._logging = threading.Thread(target=self._keep_log)
        self._logging.start()

    @property
    def log(self) -> bytes:
        return bytes(self._log)

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def segments(self) -> dict[int, Path]:
        """By number. It takes any file with the name's beginning and end for one, and must find a number there."""
        files = self._playlist.parent.glob("*")
        stem, end = self._playlist.stem, (".ts", ".mp4")
        ours = [file for file in files if file.name.startswith(stem) and file.suffix in end]
        try:
            return {int(file.stem.removeprefix(stem)): file for file in ours}
        except ValueError as error:
            raise Unhappy(f"a stray file among the segments: {error}") from error

    def current(self) -> int:
        """It goes by the time of the files."""
        numbers = {file.stat().st_mtime_ns: number for number, file in self.segments().items()}
        return numbers[max(numbers)]

    def wait_for(self, number: int) -> Path:
        """The segment can be sent once the next one is there, or nobody writes any more."""
        for _ in polls():
            there = self.segments()
            ended = self.has_ended
            if number in there and (number + 1 in there or ended):
                return there[number]
            if ended and number not in self.segments():
                raise Unhappy(f"it ended with {self._process.returncode} before segment {number}: {self.log.decode()}")
        raise Unhappy(f"segment {number} did not come: {self.log.decode()}")

    def type_keys(self, keys: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(keys)
        except BrokenPipeError:
            pass  # it ended meanwhile

    def wait(self) -> int:
        code = self._process.wait(GENEROUS)
        self._logging.join()
        return code

    def stop(self, patience: float = STOP_SECONDS) -> Record:
        """By `q`, and after a while by SIGKILL, of this one process."""
        self.type_keys(b"q\n")
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            return {"stopped by": "SIGKILL"}
        self.close()
        return {"stopped by": "q", "exit code": self._process.returncode}

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self.close()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._logging.join()

    def _keep_log(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            while block := stream.read(65_536):
                self._log += block


def polls() -> Iterator[int]:
    """As often as it looks before even a patient user has gone."""
    for number in range(int(GENEROUS / POLL_SECONDS)):
        yield number
        time.sleep(POLL_SECONDS)


def hls(programs: Programs, film: Path, playlist: Path, *, at: int, kind: str = "mpegts") -> Transcode:
    """A transcode that begins with that segment, a second each. It reads four times as fast as it would be played."""
    end = {"mpegts": ".ts", "fmp4": ".mp4"}[kind]
    stem = playlist.with_suffix("")
    seek = ("-ss", f"00:00:{at:02}.000") if at else ()
    initial = ("-hls_fmp4_init_filename", f"{stem.name}-1.mp4") if kind == "fmp4" else ()
    return Transcode(
        programs,
        (
            *("-analyzeduration", "200M", "-probesize", "1G", *seek, "-readrate", "4", "-i", f"file:{film}"),
            *("-map_metadata", "-1", "-map_chapters", "-1", "-threads", "1", "-map", "0:0", "-map", "0:1"),
            *("-map", "-0:s", "-codec:v:0", "libx264", "-preset", "veryfast", "-crf", "23", "-maxrate", "500000"),
            *("-bufsize", "1000000", "-profile:v:0", "high", "-force_key_frames:0", "expr:gte(t,n_forced*1)"),
            *(
                "-sc_threshold:v:0",
                "0",
                "-vf",
                r"scale=trunc(min(max(iw\,ih*a)\,min(128\,96*a))/2)*2:-2,format=yuv420p",
            ),
            *("-codec:a:0", "aac", "-ac", "2", "-ab", "64000", "-copyts", "-avoid_negative_ts", "disabled"),
            *("-max_muxing_queue_size", "2048", "-f", "hls", "-max_delay", "5000000", "-hls_time", "1"),
            *("-hls_segment_type", kind, *initial, "-start_number", str(at)),
            *("-hls_segment_filename", f"{stem}%d{end}", "-hls_playlist_type", "vod", "-hls_list_size", "0"),
            *("-y", playlist),
        ),
        playlist,
    )


def seeks(programs: Programs, film: Path, folder: Path) -> Record:
    """Plays, jumps far ahead, jumps back, and goes away. Each jump is a stop and a new start."""
    return _seeks(programs, film, folder, "mpegts")


def seeks_in_fragments(programs: Programs, film: Path, folder: Path) -> Record:
    """The same for players that want fragmented MP4."""
    return _seeks(programs, film, folder, "fmp4")


def _seeks(programs: Programs, film: Path, folder: Path, kind: str) -> Record:
    playlist = folder / "8f3c2d.m3u8"
    record: Record = {}
    for at in (20, 3, 36):  # none of them is there yet when it is asked for, or it would be sent without a new start
        transcode = hls(programs, film, playlist, at=at, kind=kind)
        try:
            files = [transcode.wait_for(number) for number in (at, at + 1)]
            is_newest = transcode.current() > at
            stopped = transcode.stop()
        finally:
            transcode.kill()
        there = transcode.segments()
        seen = [_heard_and_seen(file, there.get(-1)) for file in files]
        record[f"from {at}"] = {"segments": seen, "is among the newest": is_newest, **stopped}
        there[transcode.current()].unlink()  # it may be half of one
    return record


def is_throttled(programs: Programs, film: Path, folder: Path) -> Record:
    """By `c`, which asks for a command and meanwhile does nothing else, and a line end, which goes on."""
    transcode = hls(programs, film, folder / "5e1.m3u8", at=0)
    try:
        transcode.wait_for(1)
        transcode.type_keys(b"c")
        for _ in polls():
            if b"Enter command" in transcode.log:
                break
        before = set(transcode.segments())
        for number in polls():
            if number == POLLS_OF_A_PAUSE:
                break
        paused = set(transcode.segments()) == before
        transcode.type_keys(b"\n")
        transcode.wait_for(max(before) + 2)
        return {"asked": b"Enter command" in transcode.log, "paused": paused, "went on": True, **transcode.stop()}
    finally:
        transcode.kill()


def plays_to_the_end(programs: Programs, film: Path, folder: Path) -> Record:
    """A remux that nobody stops: the playlist that is written last, all segments, and the progress in its messages."""
    playlist = folder / "0a7.m3u8"
    transcode = Transcode(
        programs,
        (
            *("-i", f"file:{film}", "-map", "0:0", "-map", "0:1", "-codec", "copy", "-copyts", "-f", "hls"),
            *("-hls_time", "3", "-start_number", "0", "-hls_segment_filename", f"{playlist.with_suffix('')}%d.ts"),
            *("-hls_playlist_type", "vod", "-hls_list_size", "0", "-y", playlist),
        ),
        playlist,
    )
    try:
        transcode.wait_for(12)
        code = transcode.wait()
    finally:
        transcode.kill()
    return {
        "exit code": code,
        "playlist": playlist.read_text(),
        "segments": {number: file.name for number, file in sorted(transcode.segments().items())},
        "last": _heard_and_seen(transcode.wait_for(13), None),
        "progress": sorted(_progress(transcode.log)),
    }


def _progress(log: bytes) -> dict[str, str]:
    """What the dashboard shows. Lines of progress end in a carriage return alone."""
    shown: dict[str, str] = {}
    for line in re.split(rb"[\r\n]+", log):
        shown |= {key.decode(): value.decode() for key, value in re.findall(rb"(fps|time|size|bitrate)= *(\S+)", line)}
    if "time" not in shown:
        raise Unhappy(f"no progress in its messages: {log.decode()}")
    return shown


def is_sent_while_it_grows(programs: Programs, film: Path, folder: Path) -> Record:
    """A progressive stream: what the program writes into a file is sent on as far as it has come."""
    target = folder / "progressive.mkv"
    transcode = Transcode(
        programs, ("-i", f"file:{film}", "-map", "0:v", "-c", "copy", "-f", "matroska", "-y", target), target
    )
    sent = b""
    try:
        for _ in polls():
            ended = transcode.has_ended
            if target.exists():
                with target.open("rb") as file:
                    file.seek(len(sent))
                    sent += file.read()
            if ended:
                break
        return {
            "exit code": transcode.wait(),
            "complete": len(sent) == target.stat().st_size,
            **_heard_and_seen(target, None),
        }
    finally:
        transcode.kill()


def is_recorded(programs: Programs, film: Path, folder: Path) -> Record:
    """Live television: stopped by `q` when the programme is over, and a success only if it then ends with 0."""
    target = folder / "Recording of 8:15.ts"
    transcode = Transcode(
        programs,
        (
            *("-re", "-i", film, "-map", "0:v", "-codec", "copy", "-f", "mpegts", "-flush_packets", "1"),
            *("-y", f"file:{target}"),
        ),
        target,
    )
    try:
        for _ in polls():
            if target.exists() and target.stat().st_size:
                break
        else:
            raise Unhappy("nothing is recorded")
        return {**transcode.stop(RECORDING_STOP_SECONDS), "playable": bool(_duration(target))}
    finally:
        transcode.kill()


# --- short jobs


def is_pictured(programs: Programs, film: Path, folder: Path) -> Record:
    """One picture for the library. It waits ten seconds for it."""
    target = folder / "5c5f.jpg"
    process = subprocess.run(
        programs.line(
            "ffmpeg",
            *("-ss", "00:00:04.000", "-i", f"file:{film}", "-threads", "1", "-v", "quiet", "-vframes", "1"),
            *("-vf", "thumbnail=n=24,scale=iw*sar:ih", "-f", "image2", target),
        ),
        cwd=WORKS_IN,
        env=programs.environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=IMAGE_SECONDS,
    )
    return {"exit code": process.returncode, "picture": _decoded(target)}


def has_previews(programs: Programs, film: Path, folder: Path) -> Record:
    """Trickplay: a picture each two seconds. It is taken for hung as soon as their number does not grow."""
    transcode = Transcode(
        programs,
        (
            *("-loglevel", "error", "-threads", "1", "-skip_frame", "nokey", "-i", f"file:{film}", "-an", "-sn"),
            *("-vf", "fps=1/2,scale=64:-2", "-c:v", "mjpeg", "-qscale:v", "4", "-fps_mode", "passthrough"),
            *("-f", "image2", folder / "%08d.jpg"),
        ),
        folder / "previews",
    )
    try:
        for _ in polls():
            if transcode.has_ended:
                break
        names = [file.name for file in _sorted(folder)]
        return {"exit code": transcode.wait(), "names": names, "pictures": _decoded(folder / "%08d.jpg")}
    finally:
        transcode.kill()


def gives_attachments(programs: Programs, film: Path, folder: Path) -> Record:
    """Fonts, by their own names, into the working folder. Without an output the program fails, once all are there."""
    done = programs.ffmpeg("-dump_attachment:t", "", "-y", "-i", f"file:{film}", cwd=folder)
    files = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in _sorted(folder)}
    if done.returncode not in (0, 1) or not files:
        raise Unhappy(f"no attachments: {done.stderr.decode()}")
    return {"exit code": done.returncode, "files": files}


def gives_key_frames(programs: Programs, film: Path, folder: Path) -> Record:
    """A line for each packet of the film, read as they come."""
    line = programs.line(
        "ffprobe",
        *("-fflags", "+genpts", "-v", "error", "-show_entries", "format=duration"),
        *("-show_entries", "packet=pts_time,flags", "-select_streams", "v", "-of", "csv", f"file:{film}"),
    )
    with subprocess.Popen(line, env=programs.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = [each.decode().rstrip().split(",") for each in process.stdout]
        code = process.wait(GENEROUS)
    times = [row[1] for row in said if row[0] == "packet" and row[2].startswith("K")]
    return {"exit code": code, "key frames": times, "duration": [row[1:] for row in said if row[0] == "format"]}


def gives_subtitles(programs: Programs, film: Path, folder: Path) -> Record:
    """With a standard input that ends at once."""
    target = folder / "2b7e.srt"
    process = subprocess.Popen(
        programs.line("ffmpeg", "-i", f"file:{film}", "-copyts", "-map", "0:2", "-an", "-vn", "-c:s", "srt", target),
        cwd=WORKS_IN,
        env=programs.environment,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        _, stderr = process.communicate(b"", timeout=GENEROUS)
    if process.returncode or not target.exists():
        raise Unhappy(f"no subtitles: {stderr.decode()}")
    return {"exit code": process.returncode, "text": target.read_text()}


def tells_loudness(programs: Programs, film: Path, folder: Path) -> Record:
    """Which stands in its messages."""
    done = programs.ffmpeg("-hide_banner", "-i", f"file:{film}", "-af", "ebur128=framelog=verbose", "-f", "null", "-")
    found = re.findall(r"I: +(-?[\d.]+) LUFS", done.stderr.decode())
    return {"exit code": done.returncode, "loudness": found}


TOPICS: Final[dict[str, Topic]] = {
    topic.__name__: topic
    for topic in (
        is_probed,
        seeks,
        seeks_in_fragments,
        is_throttled,
        plays_to_the_end,
        is_sent_while_it_grows,
        is_recorded,
        is_pictured,
        has_previews,
        gives_attachments,
        gives_key_frames,
        gives_subtitles,
        tells_loudness,
    )
}


# --- what came out, as the real programs see it


def _heard_and_seen(file: Path, initial: Path | None) -> Record:
    """`initial` is what each fragment of MP4 needs before it."""
    whole = f"concat:{initial}|{file}" if initial is not None else f"file:{file}"
    return {"name": file.name, "duration": _duration(whole), "content": _decoded(whole)}


def _duration(file: Path | str) -> str:
    done = LOCAL.run("ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", file)
    return done.stdout.decode().strip()


def _decoded(file: Path | str) -> str:
    done = LOCAL.ffmpeg("-v", "error", "-i", file, "-f", "hash", "-hash", "md5", "-")
    assert done.returncode == 0, (file, done.stderr)
    return done.stdout.decode().strip()


def _sorted(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())
