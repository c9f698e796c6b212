"""What the launcher becomes for a call of ffmpeg that may go to the mesh: it hands the call to the helper, and waits.

It runs under `python -S -I` (start.py), and imports next to nothing, because its imports are what each call costs.
The helper (helper.py) does the work. It gets our descriptors, so no byte of a stream comes by here. We hand on signals,
and by being there we say that somebody waits: when we die, the socket ends, and the helper stops the job.

    start.py REAL PYTHON KEY CONFIG NAME ARGS…

REAL is the program of this machine, PYTHON the interpreter that has ffmesh, KEY what tells the helpers of different
installations apart, CONFIG a client.toml or nothing, NAME what the caller called.

What we say first is a `call` (wording.py reads it), and after it `s`, a signal's number and a line end for each signal.
What we hear are lines, a letter and a text: `w` it is looked at, `m` the mesh has it, `l` run it here, `c` why not, for
people, `x` the exit code, `k` the signal that ended it. Until `m` nothing can have been started elsewhere, so until
then a helper that is missing or dies costs time and nothing else: then `alone.py` does what it would have done.
"""

import _socket
import posix
import sys

TYPE_CHECKING = False  # as type checkers know it, without an import
if TYPE_CHECKING:
    import signal as _signal
else:
    import _signal  # without the enums of `signal`, which take half as long as all the rest

leave = posix._exit  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - that is its name

HANDED_ON = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT, _signal.SIGTSTP, _signal.SIGCONT)
KEPT_ASIDE = ((b"FFMESH_LD_LIBRARY_PATH", b"LD_LIBRARY_PATH"), (b"FFMESH_LD_PRELOAD", b"LD_PRELOAD"))
"""What the launcher took away from us, and the program of this machine gets back."""

ENDING = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT)
IGNORED_BY_PYTHON = (_signal.SIGPIPE, _signal.SIGXFSZ)

ISOLATED = (b"-E", b"-s", b"-P", b"-X", b"utf8")
"""What the server's environment says to Python is not for us."""

FAILED = 1
PATIENCE_SECONDS = 10.0
"""A helper that takes longer to begin, or to say where a call goes, is as good as none."""

LONGEST_LINE = 65_536


class Lost(Exception):
    """There is no helper, or none any more."""


class Call:
    """`untold` are signals that nobody could be told of yet; None once somebody can."""

    def __init__(self, words: list[bytes]) -> None:
        self.real, self.python, self.key, self.config, self.name = words[:5]
        self.arguments = words[5:]
        self.streams = [descriptor for descriptor in (0, 1, 2) if is_open(descriptor)]
        """Of the caller's, before anything of ours could take the place of one that is closed."""
        self.line: _socket.socket | None = None
        self.on_the_mesh = False
        self.untold: list[int] | None = []
        self.asked_to_end = 0
        self.rest = b""


def main(words: list[bytes]) -> int:
    call = Call(words)
    for number in HANDED_ON:
        # What our parent wants ignored stays so, as in `trap '' INT` and `nohup`.
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, lambda number, _frame: hand_on(call, number))
    try:
        line = call.line = connected(call)
        introduce(call, line)
        return obey(call, line)
    except Lost:
        if call.on_the_mesh:
            complain(b"the helper of the shim died, and the job with it; run it again")
            return FAILED
        become(call, [call.python, *ISOLATED, b"-m", b"ffmesh_client.shim.alone", call.real, call.config, call.name])
    return FAILED


# --- the helper


def connected(call: Call) -> _socket.socket:
    if posix.isatty(0):
        raise Lost  # its keys and its job control are for who belongs to its session
    folder = folder_of_sockets()
    line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    if line.fileno() <= 2:  # a stream that the caller has closed must not come to life as something of ours
        import fcntl

        above = fcntl.fcntl(line, fcntl.F_DUPFD_CLOEXEC, 3)
        line.close()
        line = _socket.socket(fileno=above)
    path = folder + b"/" + call.key
    try:
        line.connect(path)
    except OSError:
        begin_helper(call, path)
        try:
            line.connect(path)
        except OSError:
            raise Lost from None
    if owner_of(line) not in (posix.geteuid(), 0):
        raise Lost  # somebody else was there first; he learns nothing
    return line


def owner_of(line: _socket.socket) -> int:
    """The user whose process listens there."""
    credentials = line.getsockopt(_socket.SOL_SOCKET, 17, 12)  # SO_PEERCRED: pid, uid, gid
    return int.from_bytes(credentials[4:8], sys.byteorder)


def folder_of_sockets() -> bytes:
    """A folder of ours alone; it lies where anybody may make folders."""
    user = posix.geteuid()
    for path in (b"/run/user/%d" % user, b"/tmp/ffmesh-%d" % user):
        try:
            if path.startswith(b"/tmp"):
                try:
                    posix.mkdir(path, 0o700)
                except FileExistsError:
                    pass
            seen = posix.lstat(path)
        except OSError:
            continue
        if seen.st_uid == user and seen.st_mode & 0o170077 == 0o040000:
            return path
    raise Lost


def begin_helper(call: Call, path: bytes) -> None:
    """Returns when it listens, or will not. It is nobody's child: it outlives us, and its end is not our parent's."""
    ready, told = posix.pipe()  # it is told on by inheritance alone
    child = posix.fork()
    if child == 0:
        try:
            if posix.fork() == 0:
                posix.setsid()
                posix.chdir("/")
                nothing = posix.open("/dev/null", posix.O_RDWR)
                keep = 3
                # The pipe's end moves out of the way of the three, and then to 3.
                told = above_the_three(told)
                for descriptor in (0, 1, 2):
                    posix.dup2(nothing, descriptor)
                posix.dup2(told, keep)
                posix.closerange(keep + 1, 65_536)
                posix.execve(
                    call.python,
                    [call.python, *ISOLATED, b"-m", b"ffmesh_client.shim.helper", path, call.config],
                    environment(with_libraries=False),
                )
        finally:
            leave(FAILED)
    posix.close(told)
    posix.waitpid(child, 0)
    heard = was_told(ready, PATIENCE_SECONDS)
    posix.close(ready)
    if not heard:
        raise Lost


def above_the_three(descriptor: int) -> int:
    while descriptor <= 3:
        descriptor = posix.dup(descriptor)
    return descriptor


def was_told(descriptor: int, seconds: float) -> bool:
    """Whether something was said there; an end says nothing."""
    import select

    try:
        return bool(select.select([descriptor], [], [], seconds)[0]) and bool(posix.read(descriptor, 1))
    except OSError:
        return False


# --- the call


def introduce(call: Call, line: _socket.socket) -> None:
    try:
        folder = posix.getcwdb()
    except OSError:
        folder = b""
    variables = [b"%s=%s" % pair for pair in environment(with_libraries=False).items()]
    mask = posix.umask(0)
    posix.umask(mask)
    head = [b"%d" % mask, b"".join(b"%d" % each for each in call.streams), folder, call.real, call.name]
    told = b"\0".join([*head, b"%d" % len(variables), *variables, *call.arguments])
    packet = b"ffmesh 1 %d\n%s" % (len(told), told)
    rights = b"".join(each.to_bytes(4, sys.byteorder) for each in call.streams)
    ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if call.streams else []
    try:
        sent = line.sendmsg([packet], ancillary)
        if sent < len(packet):
            line.sendall(packet[sent:])
    except OSError:
        raise Lost from None
    waiting, call.untold = call.untold or [], None
    for number in waiting:
        hand_on(call, number)


def is_open(descriptor: int) -> bool:
    try:
        posix.fstat(descriptor)
    except OSError:
        return False
    return True


def obey(call: Call, line: _socket.socket) -> int:
    reasons: list[bytes] = []
    line.settimeout(PATIENCE_SECONDS)
    while True:
        kind, text = next_line(call, line)
        if kind == b"m":
            call.on_the_mesh = True
            line.settimeout(None)
        elif kind == b"w":
            line.settimeout(None)  # it will say where it goes; until then it keeps in touch
        elif kind == b"c":
            reasons.append(text)
        elif kind == b"l":
            for reason in reasons:
                complain(reason)
            become(call, [call.real])
        elif kind in b"xk" and kind:
            for reason in reasons:
                complain(reason)
            return int(text) if kind == b"x" else die_of(int(text))


def next_line(call: Call, line: _socket.socket) -> tuple[bytes, bytes]:
    while True:
        text, end, rest = call.rest.partition(b"\n")
        if end:
            call.rest = rest
            return text[:1], text[1:]
        try:
            heard = line.recv(LONGEST_LINE)
        except OSError:
            heard = b""
        if not heard or len(call.rest) > LONGEST_LINE:
            raise Lost
        call.rest += heard


def hand_on(call: Call, number: int) -> None:
    """A signal, to who runs the program. Before anybody knows of us it is kept; it is too late for none of them."""
    if number in ENDING and not call.on_the_mesh:
        call.asked_to_end = number
    if call.untold is not None:
        call.untold.append(number)
        return
    if call.line is not None:
        try:
            call.line.send(b"s%d\n" % number)
        except OSError:
            pass  # its end is noticed where we wait
    if number == _signal.SIGTSTP:
        posix.kill(posix.getpid(), _signal.SIGSTOP)


# --- the ends


def become(call: Call, program: list[bytes]) -> None:
    """Become it, with all that is ours as we got it."""
    here = program[0] is call.real
    if call.asked_to_end:
        die_of(call.asked_to_end)  # before there was a program that could have heeded it
    for number in IGNORED_BY_PYTHON:
        _signal.signal(number, _signal.SIG_DFL)
    if call.line is not None:
        call.line.close()
    if here and not call.real:
        complain(b"%s runs nowhere: there is no program of that name on this machine" % base_name(call.name))
        leave(127)
    try:
        variables = environment(with_libraries=True) if here else posix.environ  # who does our work needs what is aside
        posix.execve(program[0], [*program, *call.arguments], variables)
    except OSError as error:
        complain(b"%s cannot be run: %s" % (program[0], str(error.strerror).encode()))
        leave(127 if isinstance(error, FileNotFoundError) else 126)


def environment(*, with_libraries: bool) -> dict[bytes, bytes]:
    """Ours, or with what the launcher took away: that is the server's own, and for its own programs."""
    variables = dict(posix.environ)
    for aside, name in KEPT_ASIDE:
        value = variables.pop(aside, b"")
        if with_libraries and value:
            variables[name] = value
    return variables


def die_of(number: int) -> int:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except (ImportError, ValueError, OSError):
        pass
    if number not in (_signal.SIGKILL, _signal.SIGSTOP):
        _signal.signal(number, _signal.SIG_DFL)
    posix.kill(posix.getpid(), number)
    return 128 + number


def base_name(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def complain(sentence: bytes) -> None:
    try:
        posix.write(2, b"ffmesh: " + sentence + b"\n")
    except OSError:
        pass


def begin() -> None:
    """Never returns."""
    leave(main([word.encode("utf-8", "surrogateescape") for word in sys.argv[1:]]))
