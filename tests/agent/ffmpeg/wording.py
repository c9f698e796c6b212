"""Command lines for tests of what is read in them."""

from ffmesh_agent.ffmpeg.command_line import Line, files_in
from ffmesh_protocol.media import Argument, Needs, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant

ROOTS = {"Movies": "/media/movies", "Out": "/srv/out/"}


def path(path: str, root: str = "Movies") -> Argument:
    return (RootPath(root=root, path=path),)


A, B, OUT = path("a.mkv"), path("b.srt"), path("x/out.mkv", "Out")


def granted(program: str, *args: str | Argument, cwd: RootPath | None = None) -> Grant:
    return Grant(
        attempt="01JD000000000000000000ATT0",
        job="01JD00000000000000000000J0",
        number=1,
        kind=JobKind.DIRECT,
        program=program,
        args=tuple((arg,) if isinstance(arg, str) else arg for arg in args),
        cwd=cwd,
        env={},
        umask=None,
        needs=Needs(program=program),
        timeout_seconds=None,
        audience=None,
    )


def line(*args: str | Argument, cwd: RootPath | None = None, program: str = "ffmpeg") -> Line:
    return files_in(granted(program, *args, cwd=cwd), ROOTS)
