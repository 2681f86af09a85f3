"""What the decoder process gives up before it reads its first byte of an untrusted video.

Run by the child on itself, first thing and before any library is loaded. Two independent walls keep it off
the
network: its own empty network namespace where the machine allows one, and a seccomp filter under which asking
for an internet socket kills the process. The filter needs no privilege; the namespace needs root or user
namespaces. What could be put up is reported, and the parent says so out loud when there is no wall at all.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import sys
from dataclasses import dataclass

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_REFUSE = 0x00050000
_EPERM, _EACCES = 1, 13
_AF_UNIX = 1


@dataclass(frozen=True)
class _Machine:
    """Numbers of the Linux system call interface that differ between processors."""

    audit_arch: int
    socket: int
    execve: int
    execveat: int
    foreign_calls_from: int


_MACHINES = {
    "x86_64": _Machine(0xC000003E, socket=41, execve=59, execveat=322, foreign_calls_from=0x40000000),
    "aarch64": _Machine(0xC00000B7, socket=198, execve=221, execveat=281, foreign_calls_from=0x40000000),
}
_IO_URING_SETUP = 425


@dataclass(frozen=True)
class Confinement:
    """The walls that stand: an own network namespace, and the filter against sockets."""

    namespace: bool
    socket_filter: bool

    @property
    def offline(self) -> bool:
        """Whether at least one wall keeps the process off the network."""
        return self.namespace or self.socket_filter


def confine(*, parent: int, memory_bytes: int, cpu_s: int) -> Confinement:
    """Confines the calling process, for good.

    It dies with its parent, writes no file, dumps no core, starts no program, and is bounded in memory and
    CPU.

    Args:
        parent: Process id of the parent that must still be alive.
        memory_bytes: Limit on the address space.
        cpu_s: Limit on processor time, seconds.
    """
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 128,
    }
    for limit, value in limits.items():
        # macOS refuses some of these; the wall clock of the parent still ends a runaway.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (value, value))
    if not sys.platform.startswith("linux"):
        return Confinement(namespace=False, socket_filter=False)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent is gone")
    namespace = libc.unshare(_CLONE_NEWNET) == 0 or libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0
    return Confinement(namespace=namespace, socket_filter=_forbid_sockets(libc))


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("operand", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def _forbid_sockets(libc: ctypes.CDLL) -> bool:
    """Installs the filter; False where the kernel or the processor does not support it.

    Local sockets are refused politely, because the C library asks for one to look up user names; any other
    kind of socket ends the process with SIGSYS, so that a library that reports home is noticed at once.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    number, architecture, first_argument = 0, 4, 16
    # Each row: code, rows to skip when true and when false, operand. The last four rows are the verdicts.
    steps = [
        (_LOAD, 0, 0, architecture),
        (_EQUAL, 0, 8, machine.audit_arch),
        (_LOAD, 0, 0, number),
        (_AT_LEAST, 6, 0, machine.foreign_calls_from),
        (_EQUAL, 3, 0, machine.socket),
        (_EQUAL, 6, 0, machine.execve),
        (_EQUAL, 5, 0, machine.execveat),
        (_EQUAL, 4, 5, _IO_URING_SETUP),
        (_LOAD, 0, 0, first_argument),
        (_EQUAL, 1, 0, _AF_UNIX),
        (_RETURN, 0, 0, _KILL),
        (_RETURN, 0, 0, _REFUSE | _EACCES),
        (_RETURN, 0, 0, _REFUSE | _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    instructions = (_Instruction * len(steps))(*(_Instruction(*step) for step in steps))
    program = _Program(len(steps), instructions)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0
