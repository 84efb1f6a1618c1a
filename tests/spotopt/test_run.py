"""What ./run says before Python starts. The checkout here is a copy whose .venv only tells what it was asked."""

import hashlib
import os
import shutil
import subprocess
import sys

import pytest

from tests.plugin import ROOT

VERBS = ("demo", "test", "check", "bench", "manage", "cloud", "help")
STUB = """#!/bin/sh
case "$*" in *libgomp*) exit {libgomp} ;; esac
echo "asked: $*"
case "$*" in *"{fails}"*) echo "the tool's own words"; exit 1 ;; esac
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a finished environment, in a folder with spaces."""
    root = tmp_path / "a folder with spaces"
    (root / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "run", root)
    (root / "requirements.lock").write_text("nothing==1 --hash=sha256:0\n")
    python_is(root)
    lock = hashlib.sha256((root / "requirements.lock").read_bytes()).hexdigest()
    version = ".".join(map(str, sys.version_info[:3]))
    (root / ".venv" / "complete").write_text(f"{lock} {version} {sys.base_prefix}\n")
    return root


def python_is(root, *, libgomp=0, fails="nothing at all"):
    stub = root / ".venv" / "bin" / "python"
    stub.write_text(STUB.format(libgomp=libgomp, fails=fails))
    stub.chmod(0o755)


def program(folder, name, script):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    return folder


def run(root, *words, first_on_path=None, **env):
    """./run called from another folder, with this Python as the machine's."""
    path = os.environ["PATH"] if first_on_path is None else f"{first_on_path}{os.pathsep}{os.environ['PATH']}"
    everything = {**os.environ, "SPOTOPT_PYTHON": sys.executable, "PATH": path, "CI": "", **env}
    return subprocess.run([root / "run", *words], cwd="/", env=everything, capture_output=True, text=True, timeout=60)


def test_help_names_every_verb_and_nothing_is_installed_for_it(checkout):
    shutil.rmtree(checkout / ".venv")
    for words in ([], ["help"], ["--help"]):
        told = run(checkout, *words)
        assert told.returncode == 0
        assert all(f"./run {verb}" in told.stdout for verb in VERBS)
    assert not (checkout / ".venv").exists()


def test_an_unknown_verb_is_refused(checkout):
    told = run(checkout, "fly")
    assert told.returncode == 1
    assert "There is no ./run fly." in told.stderr


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["demo", "--once"], "-m spotopt.local.demo --once"),
        (["manage", "replay", "7 8"], "-m spotopt.local.manage replay 7 8"),
        (["bench", "--json"], "-m spotopt.local.bench --json"),
        (["cloud", "throttle"], "-m spotopt.local.control throttle"),
    ],
)
def test_each_verb_starts_its_program_from_any_folder(checkout, words, asked):
    told = run(checkout, *words)
    assert told.stdout == f"asked: {asked}\n", told.stderr
    assert told.returncode == 0


@pytest.mark.parametrize("version", ["3.9.18", "3.14.0"])
def test_a_wrong_python_is_named(checkout, tmp_path, version):
    other = program(tmp_path / "bin", "other", f'case "$2" in *version_info*) exit 1 ;; esac; echo {version}')
    told = run(checkout, "demo", SPOTOPT_PYTHON=str(other / "other"))
    assert told.returncode == 1
    assert told.stderr == (
        f"Python 3.11, 3.12 or 3.13 is needed (found: {version}); install one, or name it in SPOTOPT_PYTHON.\n"
    )


def test_a_full_disk_is_said_before_anything_starts(checkout, tmp_path):
    bin_dir = program(tmp_path / "bin", "df", "echo head; echo disk 9 9 102400 99% /")
    told = run(checkout, "demo", first_on_path=bin_dir)
    assert told.returncode == 1
    assert told.stderr.startswith("The disk is nearly full: 100 MiB free in ")
    assert told.stdout == ""


@pytest.mark.skipif(sys.platform != "linux", reason="libgomp is Linux's")
@pytest.mark.parametrize("verb", ["demo", "test", "bench", "manage"])
def test_a_missing_libgomp_is_said_with_the_command_that_brings_it(checkout, verb):
    python_is(checkout, libgomp=1)
    told = run(checkout, verb)
    assert told.returncode == 1
    assert "libgomp.so.1" in told.stderr
    assert "apt-get install -y libgomp1" in told.stderr
    assert told.stdout == ""


def only_tools(tmp_path):
    """A PATH with what ./run itself needs, and no browser."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("bash", "env", "dirname", "uname", "id", "df", "awk", "cut", "tail", "rm", "cat", "sh"):
        (folder / name).symlink_to(shutil.which(name))
    return str(folder)


def test_without_a_browser_ci_stops_and_a_person_is_told(checkout, tmp_path):
    tools = only_tools(tmp_path)
    in_ci = run(checkout, "test", PATH=tools, CI="1")
    assert in_ci.returncode == 1
    assert "no chromium for browser tests" in in_ci.stderr
    at_home = run(checkout, "test", PATH=tools)
    assert at_home.returncode == 0
    assert "apt-get install -y chromium" in at_home.stderr


def test_tests_come_after_the_check_and_on_two_cores(checkout):
    told = run(checkout, "test", "-k", "a or b", CI="")
    assert told.returncode == 0, told.stderr
    asked = told.stdout.splitlines()[-1]
    assert asked == "asked: -m pytest --durations 10 -n 2 -k a or b"
    said = [line.split(" ok")[0] for line in told.stderr.splitlines() if " ok " in line]
    assert said == ["ruff", "format", "mypy", "import contracts", "migrations", "django"]


@pytest.mark.parametrize("words", [["-n", "4"], ["-n0"], ["--numprocesses=3"], ["-p", "no:xdist"]])
def test_who_says_how_many_processes_gets_them(checkout, words):
    assert "-n 2" not in run(checkout, "test", *words).stdout.replace(" ".join(words), "")


def test_a_failed_check_shows_the_tools_words_goes_on_and_runs_no_test(checkout):
    python_is(checkout, fails="-m mypy")
    told = run(checkout, "test")
    assert told.returncode == 1
    assert "the tool's own words" in told.stderr
    assert "django ok" in told.stderr
    assert told.stderr.endswith("check failed: mypy\n")
    assert "pytest" not in told.stdout


def test_an_environment_of_another_lock_is_made_again(checkout, tmp_path):
    bin_dir = program(tmp_path / "bin", "df", "echo head; echo disk 9 9 102400 99% /")
    (checkout / "requirements.lock").write_text("something==2 --hash=sha256:0\n")
    told = run(checkout, "check", first_on_path=bin_dir)
    assert told.returncode == 1
    assert "The disk is nearly full" in told.stderr


def test_an_installation_that_fails_is_not_taken_for_complete(checkout):
    python_is(checkout, fails="pip")
    (checkout / "requirements.lock").write_text("something==2 --hash=sha256:0\n")
    version = ".".join(map(str, sys.version_info[:3]))
    stub = checkout / ".venv" / "bin" / "python"
    stub.write_text(f'#!/bin/sh\ncase "$*" in *platform*) echo {version} ;; *pip*) echo no network; exit 1 ;; esac\n')
    told = run(checkout, "check")
    assert told.returncode == 1
    assert "no network" in told.stderr
    assert "Installing failed" in told.stderr
    assert not (checkout / ".venv" / "complete").exists()
