"""Without the modules that only POSIX has all of ours can be imported, and what cannot run on Windows says so.

Windows is not here: a process is told that it runs there, and lacks what Python lacks there.
"""

import subprocess
import sys

import pytest

PACKAGES = ("ffmesh_protocol", "ffmesh_warden", "ffmesh_broker", "ffmesh_agent", "ffmesh_client", "ffmesh_coordinator")
WITHOUT_POSIX = ("ffmesh_protocol", "ffmesh_broker", "ffmesh_coordinator")
"""Those of which every module can be imported also where `os`, `signal` and `socket` lack what only POSIX has."""

NO_MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")
NO_ATTRIBUTES = {
    "os": (
        *("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_PATH", "O_TMPFILE", "fork", "forkpty", "fchown"),
        *("chown", "geteuid", "getegid", "getuid", "getgid", "getpgid", "killpg", "pidfd_open", "sched_getaffinity"),
        *("setsid", "sysconf", "uname", "waitid", "P_PIDFD", "WNOWAIT", "WEXITED", "WNOHANG", "statvfs", "getpriority"),
        *("PRIO_PROCESS", "EX_NOPERM", "EX_CONFIG", "EX_UNAVAILABLE", "EX_USAGE", "splice", "pwrite", "pread"),
    ),
    "signal": (
        *("SIGHUP", "SIGQUIT", "SIGKILL", "SIGSTOP", "SIGTSTP", "SIGCONT", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGCHLD"),
        *("SIGWINCH", "SIGTTIN", "SIGTTOU", "SIGALRM", "pidfd_send_signal", "pthread_sigmask", "sigwait", "SIG_BLOCK"),
    ),
    "socket": ("AF_UNIX", "SCM_RIGHTS", "AF_NETLINK", "SO_PEERCRED", "send_fds", "recv_fds", "MSG_CMSG_CLOEXEC"),
    "select": ("poll", "POLLIN", "POLLOUT", "POLLHUP", "POLLERR", "POLLPRI", "epoll", "EPOLLIN", "EPOLLPRI"),
}
PROGRAMS_OF_STARTS = ("ffmesh_client.shim.start", "ffmesh_warden.__main__")
"""What does its work as it is imported."""

AS_ON_WINDOWS = f"""
import importlib, os, pkgutil, select, signal, socket, sys

def modules():
    for package in {PACKAGES!r}:
        yield package
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
            if found.name not in {PROGRAMS_OF_STARTS!r}:
                yield found.name

for name in modules():  # and with them all that is not ours, which knows Windows by itself
    importlib.import_module(name)
names = list(modules())
for name in list(sys.modules):
    if name.partition(".")[0] in {PACKAGES!r} or name in {NO_MODULES!r}:
        del sys.modules[name]

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in {NO_MODULES!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
sys.platform = "win32"
"""

WITHOUT_ATTRIBUTES = f"""
for module, absent in {NO_ATTRIBUTES!r}.items():
    for attribute in absent:
        if hasattr(sys.modules[module], attribute):
            delattr(sys.modules[module], attribute)
"""

IMPORT_ALL = """
failed = []
for name in names:
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed.append(f"{name}: {type(error).__name__}: {error}")
sys.stdout.write("\\n".join(failed))
"""

RUN = """
sys.argv = {words!r}
try:
    importlib.import_module({module!r}).main()
except SystemExit as left:
    sys.stdout.write(str(left.code))
"""


def test_every_module_can_be_imported_without_the_modules_that_only_posix_has() -> None:
    done = _python(AS_ON_WINDOWS + IMPORT_ALL)
    assert done.stdout.splitlines() == []
    assert (done.returncode, done.stderr) == (0, "")


def test_what_a_machine_with_windows_could_be_told_can_be_imported_there() -> None:
    chosen = f"names = [name for name in names if name.partition('.')[0] in {WITHOUT_POSIX!r}]\n"
    done = _python(AS_ON_WINDOWS + WITHOUT_ATTRIBUTES + chosen + IMPORT_ALL)
    assert done.stdout.splitlines() == []
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("ffmesh_agent.start", ["ffmesh-agent", "--config", "agent.toml"]),
        ("ffmesh_coordinator.__main__", ["ffmesh-coordinator", "--config", "coordinator.toml"]),
        ("ffmesh_coordinator.__main__", ["ffmesh-coordinator", "init"]),
    ],
)
def test_a_service_that_does_not_run_on_windows_yet_says_so_and_what_to_do(module: str, words: list[str]) -> None:
    done = _python(AS_ON_WINDOWS + WITHOUT_ATTRIBUTES + RUN.format(module=module, words=words))
    assert done.stdout == "2"
    assert "WSL" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [["up"], ["jobs"], ["join", "x"], ["doctor"]], ids=lambda words: words[0])
def test_a_command_that_does_not_run_on_windows_yet_says_so_and_what_to_do(words: list[str]) -> None:
    code = "sys.stdout.write(str(importlib.import_module('ffmesh_client.command_line').main()))"
    done = _python(f"{AS_ON_WINDOWS}{WITHOUT_ATTRIBUTES}\nsys.argv = ['ffmesh', *{words!r}]\n{code}")
    assert done.stdout == "2"
    assert "WSL" in done.stderr


def _python(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-P", "-c", program],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
