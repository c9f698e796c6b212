"""A small mesh on this machine: two agents that keep the same films at different paths, and a film that is encoded.

It starts what it needs in a folder of its own, shows what happens, checks the result and leaves nothing behind.
"""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

FFMESH: Final = (sys.executable, "-m", "ffmesh_client")
FILM_SECONDS: Final = 20
READY_SECONDS: Final = 30.0
GONE_SECONDS: Final = 5.0

ENCODE: Final = ("-c:v", "libx264", "-preset", "medium", "-crf", "23", "-c:a", "aac")


class DemoFailed(Exception):
    """The demo did not show what it should; the sentence says what."""


def main() -> int:
    if not sys.stdout.isatty():
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # it is a text stream
    scratch = Path(tempfile.mkdtemp(prefix="ffmesh demo "))
    try:
        show(scratch)
    except DemoFailed as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


def show(scratch: Path) -> None:
    films = scratch / "films"
    films.mkdir()
    for machine in ("living room", "attic"):
        # As if two machines had mounted the same storage, each at a place of its own.
        (scratch / machine).mkdir()
        (scratch / machine / "mounted").symlink_to(films, target_is_directory=True)
    film, small = films / "My film.mkv", films / "My film, small.mp4"
    step("A film to work on", f"{FILM_SECONDS} seconds, made by ffmpeg here")
    make_film(film)

    step("A mesh", "a private Mosquitto, a coordinator and two agents, all on this machine")
    began = time.monotonic()
    with mesh(scratch) as client:
        print(f"    ready after {time.monotonic() - began:.1f} s; its configuration is {client}")
        say("agents", client)
        # Both agents do some of it: each has one slot, and there are two jobs.
        step("Two jobs", "what a media server would ask ffmpeg for; each goes to the best free machine")
        jobs = [submit(client, film, small), submit(client, film, films / "My film, tiny.mp4", "-vf", "scale=320:-2")]
        follow(client, jobs)
        where = [check_job(client, job) for job in jobs]
        step("The same, as if it were local", "`ffmesh run` gives the program's own output and exit code")
        say("run", client, "--", "ffprobe", "-hide_banner", str(small))
    step("The result", "read by ffprobe here")
    check_film(small)
    check_nothing_is_left(scratch)
    print(f"\nTwo jobs ran on {' and '.join(sorted(set(where)))}, and nothing of the mesh is left running.")
    print_how_to_go_on()


def step(title: str, text: str) -> None:
    print(f"\n== {title}: {text}")


def make_film(film: Path) -> None:
    sources = ("-f", "lavfi", "-i", f"testsrc2=s=640x360:r=25:d={FILM_SECONDS}")
    tone = ("-f", "lavfi", "-i", f"sine=d={FILM_SECONDS}")
    run(("ffmpeg", "-v", "error", "-y", *sources, *tone, "-c:v", "mpeg4", "-q:v", "3", "-c:a", "aac", str(film)))
    print(f"    {film} has {film.stat().st_size // 1024} KiB")


@contextmanager
def mesh(scratch: Path) -> Generator[Path, None, None]:
    """`ffmesh up`, and the client.toml to use it; it is ended, and its end awaited, whatever happens in between."""
    roots = (
        f"Films={scratch / 'films'}",
        f"agent-1:Films={scratch / 'living room' / 'mounted'}",
        f"agent-2:Films={scratch / 'attic' / 'mounted'}",
    )
    words = ["up", "--home", str(scratch / "mesh"), "--agents", "2"]
    for root in roots:
        words += ["--root", root]
    process = subprocess.Popen([*FFMESH, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("ready "):
            _, said = process.communicate(timeout=GONE_SECONDS)
            raise DemoFailed(f"the mesh did not start: {said.strip() or 'it said nothing'}")
        yield Path(line.removeprefix("ready ").rstrip("\n"))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=GONE_SECONDS * 2)


def submit(client: Path, film: Path, result: Path, *options: str) -> str:
    label = f"title={result.stem}"
    line = ("ffmpeg", "-y", "-i", str(film), *options, *ENCODE, str(result))
    job = ask("submit", client, "--label", label, "--", *line).strip()
    print(f"    {job}  {result.stem}")
    return job


def follow(client: Path, jobs: list[str]) -> None:
    """Their progress: bars on a terminal, a line a second elsewhere."""
    if sys.stdout.isatty():
        say("wait", client, *jobs)
        return
    while True:
        going_on = [describe(client, job) for job in jobs]
        if not any(going_on):
            return
        time.sleep(1)


def describe(client: Path, job: str) -> bool:
    """Prints where the job is; whether it goes on."""
    seen: dict[str, Any] = json.loads(ask("job", client, job, "--json"))
    far = seen["progress"]
    numbers = (
        f"{far['percent']:5.1f} %  {far['fps']:.0f} fps  {far['speed']:.1f}x" if far["percent"] is not None else ""
    )
    print(f"    {seen['title']:15} {seen['state']:9} {seen['agent'] or '-':8} {numbers}".rstrip())
    return seen["ended_at"] is None


def check_job(client: Path, job: str) -> str:
    """That it succeeded; the agent that did it."""
    seen: dict[str, Any] = json.loads(ask("job", client, job, "--json"))
    if seen["state"] != "succeeded":
        raise DemoFailed(f"job {job} has {seen['state']}: {seen['reason']}\n{ask('logs', client, job)}")
    print(f"    {seen['agent']} did “{seen['title']}”: {seen['placement']}")
    return str(seen["agent"])


def check_film(film: Path) -> None:
    entries = "stream=codec_name:format=duration"
    said = run(("ffprobe", "-v", "error", "-show_entries", entries, "-of", "json", str(film)))
    seen: dict[str, Any] = json.loads(said)
    codecs = [stream["codec_name"] for stream in seen["streams"]]
    seconds = float(seen["format"]["duration"])
    if codecs != ["h264", "aac"] or abs(seconds - FILM_SECONDS) > 1:
        raise DemoFailed(f"{film.name} is not what was asked for: {codecs}, {seconds:.1f} s")
    print(f"    {film.name}: {' and '.join(codecs)}, {seconds:.1f} s, {film.stat().st_size // 1024} KiB: as asked for")


def check_nothing_is_left(scratch: Path) -> None:
    """By looking: no process of this machine names the folder of the mesh."""
    mark = str(scratch).encode()
    left = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if mark in _read(path)]
    if left:
        raise DemoFailed(f"processes of the mesh are left running: {', '.join(left)}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def ask(command: str, client: Path, *words: str) -> str:
    return run((*FFMESH, command, "--config", str(client), *words))


def say(command: str, client: Path, *words: str) -> None:
    """A command whose own words are what there is to see."""
    sys.stdout.flush()
    code = subprocess.run([*FFMESH, command, "--config", str(client), *words], check=False).returncode
    if code != 0:
        raise DemoFailed(f"`ffmesh {command}` ended with exit code {code}")


def run(words: Sequence[str]) -> str:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise DemoFailed(f"{Path(words[0]).name} ended with exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def print_how_to_go_on() -> None:
    print(
        """
How to go on (in this folder; `. .venv/bin/activate` puts ffmesh into your PATH):
    ffmesh up --root Movies=/path/to/your/films       a mesh of your own, until Ctrl-C
    ffmesh run -- ffmpeg -i /path/to/your/films/…     with the client.toml that it names in FFMESH_CONFIG
    ffmesh --help                                     everything else"""
    )


if __name__ == "__main__":
    sys.exit(main())
