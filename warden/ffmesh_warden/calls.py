"""What keeps a program from what a fence of files does not see: a filter of system calls (seccomp), for children too.

**Sockets.** Landlock knows of TCP only. UDP, raw packets, netlink and unix sockets (a Docker daemon's, which rules the
machine) are closed here, where each of them begins: `socket()` fails with EACCES, and rings that could make sockets
(io_uring) are not there. `socketpair` stays, as streams: both ends are the program's own. (One of datagrams would reach
any unix socket by its name.)

With `network`, the internet is open (AF_INET and AF_INET6, TCP and UDP, no raw packets) and so is the one kind of
netlink by which the C library learns the machine's addresses. Unix sockets stay closed: the services behind them act
for whoever asks, behind no fence. The C library then asks the name server itself, by /etc/resolv.conf.

**Cutting off.** A Landlock before Linux 6.2 does not see `truncate()`, nor that a file opened to be read is emptied as
it is opened. With `cuts` False both fail, also where the program may write; a descriptor that it opened to write is cut
as ever.

**Marks.** Landlock has no rule for a file's mode, owner, dates, attributes and flags: a program could change those of
every file of its user, or of every file if that is root. With `marks` False all calls that do so fail with EPERM, those
by descriptor too: a filter does not see whether that was opened to write or to read, and an input is open to be read.
What a new file is made with (its mode, less the umask) is as ever. The dates of a file that is open may be changed, as
`touch` does: they give nobody a right, and half of all scripts would fail without.

The filter is written for one family of processors at a time, its 64-bit and its 32-bit calls; a call in any other's
language ends the program.
"""

from __future__ import annotations

import errno
import os
import struct

from ffmesh_warden import libc

TYPE_CHECKING = False  # see wire.py
if TYPE_CHECKING:
    from typing import TypeAlias

    Code: TypeAlias = list[bytes]

_INSTRUCTION = struct.Struct("=HBBI")
_LOAD, _AND, _RETURN, _IF_EQUAL, _IF_AT_LEAST = 0x20, 0x54, 0x06, 0x15, 0x35

_CALL, _PROCESSOR, _ARGUMENTS = 0, 4, 16
"""Where these stand in what a filter is shown. An argument takes eight bytes, the lower half first on all of these."""

_SET_FILTER = 1
_SPECULATION_AS_EVER = 4
"""Else a kernel before 5.16 slows down all that is filtered, by mitigations meant for browsers' scripts."""

_ALLOWED, _ENDS, _FAILS = 0x7FFF0000, 0x80000000, 0x00050000

_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16
_ROUTES = 0
_STREAM, _DATAGRAM, _PACKETS_IN_ORDER = 1, 2, 5
_KIND = 0xF
"""The rest of a socket's type are flags."""

_TRUNCATE = 0x200
_TO_READ, _TO_NEITHER = 0, 3
"""How a file may be opened without a right to write it. The second is for nothing but ioctl."""

_NEW_MARKS = (452, 463, 466, 469)
"""fchmodat2, setxattrat, removexattrat, file_setattr: the same numbers on every processor."""
_FLAGS = (0x40086602, 0x40046602, 0x401C5820, 0x40806685)
"""By ioctl: FS_IOC_SETFLAGS of 64 and of 32 bits, FS_IOC_FSSETXATTR, and FS_IOC_ENABLE_VERITY, which is for ever."""

_X32 = 0x40000000
_OPENAT2 = 437
_IO_URING_SETUP = 425
_SOCKETCALL = 102


def _instruction(code: int, value: int, *, skip_if: int = 0, skip_else: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, skip_if, skip_else, value)


def _load(offset: int) -> bytes:
    return _instruction(_LOAD, offset)


def _argument(number: int) -> bytes:
    return _load(_ARGUMENTS + 8 * number)


def _upper_half(number: int) -> bytes:
    return _load(_ARGUMENTS + 8 * number + 4)


def _when(value: int, then: Code) -> Code:
    """What was loaded last is this. `then` always ends in a verdict, so that nothing after it is reached from there."""
    return [_instruction(_IF_EQUAL, value, skip_else=len(then)), *then]


_ALLOW = [_instruction(_RETURN, _ALLOWED)]
_END = [_instruction(_RETURN, _ENDS)]
_DENY = [_instruction(_RETURN, _FAILS | errno.EACCES)]
_NOT_THEIRS = [_instruction(_RETURN, _FAILS | errno.EPERM)]
_ABSENT = [_instruction(_RETURN, _FAILS | errno.ENOSYS)]


def _kinds(*kinds: int) -> Code:
    allowed = [instruction for kind in kinds for instruction in _when(kind, _ALLOW)]
    return [_argument(1), _instruction(_AND, _KIND), *allowed, *_DENY]


def _socket(*, network: bool) -> Code:
    if not network:
        return _DENY
    internet = _kinds(_STREAM, _DATAGRAM)
    addresses = [_argument(2), *_when(_ROUTES, _ALLOW), *_DENY]
    return [_argument(0), *_when(_INET, internet), *_when(_INET6, internet), *_when(_NETLINK, addresses), *_DENY]


_PAIR = [_argument(0), *_when(_UNIX, _kinds(_STREAM, _PACKETS_IN_ORDER)), *_DENY]


def _uncut(opens: dict[int, int], truncates: tuple[int, ...]) -> Code:
    """`opens`: a call that opens → which of its arguments has the flags."""
    mode = _instruction(_AND, _TRUNCATE | 3)
    emptied = [*_when(_TRUNCATE | _TO_READ, _DENY), *_when(_TRUNCATE | _TO_NEITHER, _DENY), *_ALLOW]
    opened = [each for call, flags in opens.items() for each in _when(call, [_argument(flags), mode, *emptied])]
    # openat2 has its flags where no filter sees them. Who uses it knows kernels that have not got it.
    return [*opened, *_when(_OPENAT2, _ABSENT), *(each for call in truncates for each in _when(call, _DENY))]


def _unmarked(ioctl: int, dates: tuple[int, ...], *calls: int) -> Code:
    """`dates`: calls that change those of a name, or of a descriptor where they are given none."""
    of_a_descriptor = [_argument(1), *_when(0, [_upper_half(1), *_when(0, _ALLOW), *_NOT_THEIRS]), *_NOT_THEIRS]
    flags = [_argument(1), *(each for flag in _FLAGS for each in _when(flag, _NOT_THEIRS)), *_ALLOW]
    marks = (each for call in (*calls, *_NEW_MARKS) for each in _when(call, _NOT_THEIRS))
    dated = (each for call in dates for each in _when(call, of_a_descriptor))
    return [*marks, *dated, *_when(ioctl, flags)]


def _calls(socket: int, pair: int, limits: Code, *, network: bool) -> Code:
    made = [*_when(socket, _socket(network=network)), *_when(pair, _PAIR)]
    return [_load(_CALL), *made, *_when(_IO_URING_SETUP, _ABSENT), *limits, *_ALLOW]


def _x86_64(*, network: bool, cuts: bool, marks: bool) -> Code:
    # The third way into this kernel, with numbers of its own: closed as a whole, as most kernels are built without it.
    no_x32 = [_load(_CALL), _instruction(_IF_AT_LEAST, _X32, skip_else=len(_ABSENT)), *_ABSENT]
    uncut = [] if cuts else _uncut({2: 1, 257: 2}, (76,))
    by_name = (90, 92, 94, 132, 188, 189, 197, 198, 235, 260, 261, 268)
    unmarked = [] if marks else _unmarked(16, (280,), *by_name, 91, 93, 190, 199)
    return [*no_x32, *_calls(41, 53, [*uncut, *unmarked], network=network)]


def _i386(*, network: bool, cuts: bool, marks: bool) -> Code:
    # The old way to a socket keeps its arguments where no filter sees them. C libraries have left it in 2016.
    old = [_argument(0), *_when(1, _DENY), *_when(8, _DENY), *_ALLOW]
    uncut = [] if cuts else _uncut({5: 1, 295: 2}, (92, 193))
    unmarked = [] if marks else _unmarked(54, (320, 412), *_MARKS_OF_32_BITS, 271, 298, 299, 306)
    return [_load(_CALL), *_when(_SOCKETCALL, old), *_calls(359, 360, [*uncut, *unmarked], network=network)]


def _aarch64(*, network: bool, cuts: bool, marks: bool) -> Code:
    uncut = [] if cuts else _uncut({56: 2}, (45,))
    unmarked = [] if marks else _unmarked(29, (88,), 5, 6, 7, 14, 15, 16, 52, 53, 54, 55)
    return _calls(198, 199, [*uncut, *unmarked], network=network)


def _arm(*, network: bool, cuts: bool, marks: bool) -> Code:
    uncut = [] if cuts else _uncut({5: 1, 322: 2}, (92, 193))
    unmarked = [] if marks else _unmarked(54, (348, 412), *_MARKS_OF_32_BITS, 269, 325, 326, 333)
    return _calls(281, 288, [*uncut, *unmarked], network=network)


_MARKS_OF_32_BITS = (15, 16, 30, 94, 95, 182, 198, 207, 212, 226, 227, 228, 235, 236, 237)
"""What x86 and ARM have the same numbers for: chmod to utime, chown in 16 and 32 bits, attributes."""

_X86, _ARM = {"x86_64", "i686", "i586", "i386"}, {"aarch64", "armv8l", "armv7l", "armv6l"}

_SECCOMP = {("x86", 8): 317, ("x86", 4): 354, ("arm", 8): 277, ("arm", 4): 383}
"""The call that sets a filter, in the language of this very Python: there are those of 32 bits on 64."""


def _family(machine: str) -> str | None:
    return "x86" if machine in _X86 else "arm" if machine in _ARM else None


def _filter(machine: str, *, network: bool, cuts: bool, marks: bool) -> bytes | None:
    match _family(machine):
        case "x86":
            languages = {0xC000003E: _x86_64, 0x40000003: _i386}
        case "arm":
            languages = {0xC00000B7: _aarch64, 0x40000028: _arm}
        case _:
            return None
    codes = {name: code(network=network, cuts=cuts, marks=marks) for name, code in languages.items()}
    return b"".join([_load(_PROCESSOR), *(each for name, code in codes.items() for each in _when(name, code)), *_END])


class _Program:
    """As the kernel takes it: how many instructions, and where they are."""

    __slots__ = ("header", "instructions")

    def __init__(self, instructions: bytes) -> None:
        self.instructions = instructions  # they must stay where they are
        self.header = struct.pack("@HP", len(instructions) // _INSTRUCTION.size, libc.address(instructions))


def _program(*, network: bool, cuts: bool, marks: bool) -> _Program | None:
    code = _filter(MACHINE, network=network, cuts=cuts, marks=marks)
    return _Program(code) if code is not None else None


MACHINE = os.uname().machine
_PROGRAMS = {
    (network, cuts, marks): _program(network=network, cuts=cuts, marks=marks)
    for network in (False, True)
    for cuts, marks in ((True, True), (True, False), (False, False))
}
"""Made once, in the warden: for a room, for a Landlock of today, and for one that does not see what is cut off. In one
piece each, as a child that touches many pages has many to copy first."""


def can_be_limited() -> bool:
    """Whether there is a filter for this processor."""
    return _family(MACHINE) is not None


def limit(*, network: bool, cuts: bool = True, marks: bool = True) -> None:
    """For this process and all that it starts. Raises OSError."""
    program = _PROGRAMS[network, cuts, marks]
    if program is None:
        raise OSError(errno.ENOSYS, f"there is no filter for {MACHINE} processors")
    call = _SECCOMP[_family(MACHINE) or "", struct.calcsize("P")]
    libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    libc.called(call, _SET_FILTER, _SPECULATION_AS_EVER, program.header)
