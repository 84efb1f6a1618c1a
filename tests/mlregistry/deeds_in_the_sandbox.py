"""What a stranger's bytes might do if reading them went wrong; run inside the sandbox by test_sandbox.py."""

import ctypes
import json
import mmap
import os
import socket
import sys
import time
from typing import Any

Answer = tuple[dict[str, Any], bytes]


def reverse(told: dict[str, Any], content: bytes) -> Answer:
    return {"said": told["word"], "environment": dict(os.environ)}, content[::-1]


def read_a_file(told: dict[str, Any], content: bytes) -> Answer:
    try:
        with open(told["path"]) as file:
            return {"read": file.read(10)}, b""
    except OSError as error:
        return {"errno": error.errno}, b""


def look_around(told: dict[str, Any], content: bytes) -> Answer:
    return {"seen": os.path.exists("/etc/passwd")}, b""


def write_a_file(told: dict[str, Any], content: bytes) -> Answer:
    fd = os.open(told["path"], os.O_WRONLY | os.O_CREAT)
    return {"fd": fd}, b""


def delete_a_file(told: dict[str, Any], content: bytes) -> Answer:
    os.unlink(told["path"])
    return {}, b""


def call_home(told: dict[str, Any], content: bytes) -> Answer:
    socket.socket().connect(("127.0.0.1", told["port"]))
    return {}, b""


def fork(told: dict[str, Any], content: bytes) -> Answer:
    return {"child": os.fork()}, b""


def run_a_program(told: dict[str, Any], content: bytes) -> Answer:
    os.execv("/bin/true", ["true"])


def kill_its_parent(told: dict[str, Any], content: bytes) -> Answer:
    os.kill(os.getppid(), 9)
    return {}, b""


def run_code_it_wrote(told: dict[str, Any], content: bytes) -> Answer:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    return {}, b""


def think_for_ever(told: dict[str, Any], content: bytes) -> Answer:
    while True:
        pass


def sleep_for_ever(told: dict[str, Any], content: bytes) -> Answer:
    time.sleep(1_000)
    return {}, b""


def take_all_memory(told: dict[str, Any], content: bytes) -> Answer:
    return {}, bytes(4 * 2**30)


def talk_without_end(told: dict[str, Any], content: bytes) -> Answer:
    while True:
        sys.stdout.buffer.write(bytes(2**20))


def crash(told: dict[str, Any], content: bytes) -> Answer:
    ctypes.string_at(0)
    return {}, b""


def babble(told: dict[str, Any], content: bytes) -> Answer:
    sys.stdout.buffer.write(b"this is no JSON\n")
    sys.stdout.buffer.flush()
    os._exit(0)


def answer_a_list(told: dict[str, Any], content: bytes) -> Answer:
    sys.stdout.buffer.write(json.dumps([1]).encode() + b"\n")
    sys.stdout.buffer.flush()
    os._exit(0)
