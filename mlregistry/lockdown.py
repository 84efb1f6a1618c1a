"""What may this process still do once it reads a stranger's bytes? Compute, read and write what it holds open, and end.

Called by the sandboxed child on itself, before the first foreign byte; nothing can be taken back. Standard library
alone, by ctypes: the bindings of libseccomp and Landlock in Python have not been released for years (decision 0024).
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

# linux/prctl.h, linux/seccomp.h, linux/landlock.h; syscall numbers of Landlock are the same on every architecture
PR_SET_DUMPABLE, PR_GET_SECCOMP, PR_SET_NO_NEW_PRIVS = 4, 21, 38
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC = 1, 1
LANDLOCK_CREATE_RULESET, LANDLOCK_RESTRICT_SELF, LANDLOCK_VERSION = 444, 446, 1
KILL, ALLOW, REFUSE = 0x80000000, 0x7FFF0000, 0x00050000 | 13  # the last one answers EACCES
LOAD, IS_EQUAL, HAS_BIT, RETURN = 0x20, 0x15, 0x45, 0x06  # linux/bpf_common.h
PROT_EXEC = 4
NOBODY = 65534


class CannotLock(RuntimeError):
    """The kernel did not take one of the locks: nothing foreign may be read."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the child may use up. `wall_seconds` is the parent's clock; the kernel counts the others."""

    wall_seconds: float = 20
    cpu_seconds: int = 15
    memory_mib: int = 512  # beyond what the libraries take
    answer_mib: int = 64


@dataclass(frozen=True, slots=True)
class Machine:
    """One processor family: its name for seccomp, its number of seccomp(2), and which calls have which numbers."""

    audit: int
    seccomp: int
    allowed: tuple[int, ...]
    mapping: tuple[int, int]  # mmap, mprotect: allowed, but never executable
    refused: tuple[int, ...]  # what libraries do to look for files: told no, where all else is killed


# read write close fstat lseek munmap brk rt_sigaction rt_sigprocmask rt_sigreturn pread64 readv writev mremap madvise
# sched_yield nanosleep getpid exit futex sched_getaffinity clock_gettime clock_getres clock_nanosleep exit_group
# getrandom sigaltstack gettid getrusage sysinfo
_X86_64 = (0, 1, 3, 5, 8, 11, 12, 13, 14, 15, 17, 19, 20, 25, 28, 24, 35, 39, 60, 202, 204, 228, 229, 230, 231)
_ARM64 = (63, 64, 57, 80, 62, 215, 214, 134, 135, 139, 67, 65, 66, 216, 233, 124, 101, 172, 93, 98, 123, 113, 114)
MACHINES = {
    "x86_64": Machine(
        0xC000003E,
        317,
        (*_X86_64, 318, 131, 186, 98, 99),
        (9, 10),
        # open stat lstat access readlink getcwd uname statfs openat newfstatat readlinkat faccessat statx faccessat2
        (2, 4, 6, 21, 89, 79, 63, 137, 257, 262, 267, 269, 332, 439),
    ),
    "aarch64": Machine(
        0xC00000B7,
        277,
        (*_ARM64, 115, 94, 278, 132, 178, 165, 179),
        (222, 226),
        # getcwd uname statfs openat newfstatat readlinkat faccessat statx faccessat2
        (17, 160, 43, 56, 79, 78, 48, 291, 439),
    ),
}


def missing() -> str:
    """Which lock this system lacks, in words; empty where all are there."""
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return f"only Linux on x86-64 and arm64 has the locks it needs, not {sys.platform} on {platform.machine()}"
    if landlock_version() < 1:
        return "this kernel has no Landlock, or it is not switched on (Linux 5.13 or later, lsm=landlock)"
    if _libc().prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0:
        return "this kernel has no seccomp"
    return ""


def landlock_version() -> int:
    """The kernel's ABI, from 1; 0 without Landlock."""
    answered: int = _libc().syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_VERSION)
    return max(0, answered)


def lock(limits: Limits) -> None:
    """Give up everything but computing. Raises CannotLock; then this process must end."""
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:  # Landlock binds the thread that asks for it
        raise CannotLock(f"{threads} threads run, and only one would be locked in")
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _become_nobody()
    _called("no_new_privs", _libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _called("dumpable", _libc().prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
    _no_files()
    _limit(limits, held)
    _no_calls(MACHINES[platform.machine()])


def _limit(limits: Limits, held: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    wanted = {
        resource.RLIMIT_AS: held + limits.memory_mib * 2**20,
        resource.RLIMIT_CPU: limits.cpu_seconds + int(used.ru_utime + used.ru_stime) + 1,
        resource.RLIMIT_FSIZE: limits.answer_mib * 2**20,
        resource.RLIMIT_NOFILE: 0,  # what is open stays open, and nothing else is opened
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
    }
    for name, most in wanted.items():
        resource.setrlimit(name, (most, most))


def _become_nobody() -> None:
    """As root, give up being root too."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def _no_files() -> None:
    """A Landlock ruleset that handles every right the kernel knows, and grants none."""
    version = landlock_version()
    rights_on_files = {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)  # as many lowest bits as the ABI has
    rights_on_net = 0b11 if version >= 4 else 0
    scopes = 0b11 if version >= 6 else 0
    wanted = struct.pack("=QQQ", (1 << rights_on_files) - 1, rights_on_net, scopes)
    size = 8 if version < 4 else 16 if version < 6 else 24  # struct landlock_ruleset_attr grew with the ABI
    attributes = ctypes.create_string_buffer(wanted, 24)
    ruleset = _libc().syscall(LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    _called("a Landlock ruleset", ruleset)
    _called("Landlock", _libc().syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _no_calls(machine: Machine) -> None:
    program = _program(machine)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    # struct sock_fprog: a count and a pointer, padded
    wanted = struct.pack("@HP", len(program), ctypes.addressof(code))
    flags = SECCOMP_FILTER_FLAG_TSYNC
    _called("seccomp", _libc().syscall(machine.seccomp, SECCOMP_SET_MODE_FILTER, flags, ctypes.c_char_p(wanted)))


def _program(machine: Machine) -> list[tuple[int, int, int, int]]:
    """Lines of classic BPF over struct seccomp_data: number at 0, architecture at 4, third argument at 32."""
    lines = [(LOAD, 0, 0, 4), (IS_EQUAL, 1, 0, machine.audit), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    for number in machine.allowed:
        lines += [(IS_EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    for number in machine.refused:
        lines += [(IS_EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE)]
    for number in machine.mapping:
        lines += [
            *((IS_EQUAL, 0, 4, number), (LOAD, 0, 0, 32), (HAS_BIT, 0, 1, PROT_EXEC)),
            *((RETURN, 0, 0, KILL), (RETURN, 0, 0, ALLOW)),
        ]
    return [*lines, (RETURN, 0, 0, KILL)]


def _called(what: str, answered: int) -> None:
    if answered < 0:
        raise CannotLock(f"{what}: {os.strerror(ctypes.get_errno())}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
