"""A stranger's bytes are read by a process that can compute and nothing else."""

import os
import platform
import signal
import subprocess
import sys

import pytest

from mlregistry import lockdown, sandbox
from mlregistry.checks import models_can_be_read_safely
from mlregistry.lockdown import Limits
from mlregistry.sandbox import SandboxFailed, SandboxOff
from tests import plugin

HERE = "tests.mlregistry.deeds_in_the_sandbox"
EACCES = 13
QUICK = Limits(wall_seconds=10, cpu_seconds=1, memory_mib=128, answer_mib=1)


def run(deed: str, content: bytes = b"", **told):
    return sandbox.run(f"{HERE}:{deed}", told, content, limits=QUICK)


@pytest.fixture(autouse=True)
def _has_locks():
    """In CI a kernel without Landlock is a failure: the feature would be shipped untried."""
    if sandbox.off():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(sandbox.off())


def test_it_answers_for_what_it_is_given_and_knows_nothing_of_our_environment(monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "canary")
    answer = run("reverse", b"stressed", word="yes")
    assert answer.content == b"desserts"
    assert answer.told["said"] == "yes"
    assert set(answer.told["environment"].values()) <= {"1", "C.UTF-8"}


@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ", "/proc/1/cmdline", __file__])
def test_no_file_can_be_read(path):
    assert run("read_a_file", path=path).told == {"errno": EACCES}


def test_it_cannot_even_tell_which_files_there_are():
    assert run("look_around").told == {"seen": False}


def test_no_file_can_be_written(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(SandboxFailed):
        run("write_a_file", path=str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_no_file_can_be_deleted(tmp_path):
    tmp_path.chmod(0o777)
    (tmp_path / "old").touch()
    with pytest.raises(SandboxFailed, match="was killed"):
        run("delete_a_file", path=str(tmp_path / "old"))
    assert (tmp_path / "old").exists()


@pytest.mark.parametrize("deed", ["fork", "run_a_program", "kill_its_parent", "run_code_it_wrote"])
def test_what_reading_a_file_does_not_need_kills_it(deed):
    with pytest.raises(SandboxFailed, match="tried something that reading a file does not need, and was killed"):
        run(deed)


def test_it_cannot_open_a_connection():
    with pytest.raises(SandboxFailed, match="was killed"):
        run("call_home", port=1)


def test_it_is_stopped_when_it_computes_too_long():
    with pytest.raises(SandboxFailed, match="too much time"):
        run("think_for_ever")


def test_our_own_clock_ends_it_when_it_does_nothing():
    impatient = Limits(wall_seconds=0.3)
    with pytest.raises(SandboxFailed, match=r"longer than 0\.3 s"):
        sandbox.run(f"{HERE}:sleep_for_ever", {}, b"", limits=impatient)


def test_it_cannot_take_our_memory():
    with pytest.raises(SandboxFailed, match="too much memory"):
        run("take_all_memory")


def test_it_cannot_talk_without_end():
    with pytest.raises(SandboxFailed, match="answer was too long"):
        run("talk_without_end")


def test_its_crash_is_not_ours():
    with pytest.raises(SandboxFailed, match="it crashed"):
        run("crash")


@pytest.mark.parametrize("deed", ["babble", "answer_a_list"])
def test_an_answer_of_another_form_is_none(deed):
    with pytest.raises(SandboxFailed, match="cannot be read"):
        run(deed)


def test_it_works_for_a_plain_user_too():
    """Root may become nobody; whoever is nobody already is locked in all the same."""
    if os.geteuid() != 0:
        pytest.skip("this is the plain user: every test here shows it")
    program = (
        "import os; from mlregistry import lockdown;"
        "os.setgroups([]); os.setresgid(*[65534] * 3); os.setresuid(*[65534] * 3);"
        "lockdown.lock(lockdown.Limits());"
        "print('locked', flush=True); open('/etc/passwd')"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=plugin.ROOT, capture_output=True, text=True)
    assert ended.stdout == "locked\n"
    assert "PermissionError" in ended.stderr
    assert ended.returncode in (1, -signal.SIGSYS)


def test_where_a_lock_is_missing_nothing_is_run_and_it_says_so(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "not linux on riscv64" in sandbox.off()
    with pytest.raises(SandboxOff, match="riscv64"):
        run("reverse", word="no")


def test_a_second_thread_keeps_the_door_open_so_it_is_refused():
    program = (
        "import threading; from mlregistry import lockdown;"
        "threading.Thread(target=threading.Event().wait, daemon=True).start();"
        "lockdown.lock(lockdown.Limits())"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=plugin.ROOT, capture_output=True, text=True)
    assert "CannotLock" in ended.stderr
    assert "2 threads run" in ended.stderr


@pytest.mark.parametrize("machine", lockdown.MACHINES.values(), ids=lockdown.MACHINES)
def test_no_call_is_both_allowed_and_refused(machine):
    numbers = [*machine.allowed, *machine.mapping, *machine.refused]
    assert len(numbers) == len(set(numbers))


def test_a_deployment_check_says_when_models_cannot_be_taken(monkeypatch):
    assert models_can_be_read_safely(None) == []
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    (warning,) = models_can_be_read_safely(None)
    assert "riscv64" in warning.msg
    assert "503" in warning.hint
