"""Every process picks an activation up: at once by a word through Redis, and at its next use without one."""

import queue
import subprocess
import sys
import threading

import pytest
import redis
from django.conf import settings

from mlregistry import news, registry
from tests import plugin
from tests.factories import NOW
from tests.mlregistry.a_market import a_registered_model

PATIENCE = 60  # s, of a machine that is busy with something else


class Process:
    """A real process of the product, and the lines it writes."""

    def __init__(self):
        command = [sys.executable, "-m", "tests.mlregistry.a_listener"]
        self._child = subprocess.Popen(
            command,
            cwd=plugin.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._child.stdout:
            self._lines.put(line.strip())

    def next_line(self) -> str:
        return self._lines.get(timeout=PATIENCE)

    def asked(self) -> str:
        self._child.stdin.write("?\n")
        self._child.stdin.flush()
        return self.next_line()

    def end(self):
        self._child.kill()
        self._child.wait()


@pytest.fixture
def processes():
    both = [Process(), Process()]
    yield both
    for process in both:
        process.end()


@pytest.mark.django_db(transaction=True)
def test_two_processes_load_what_becomes_active_before_anybody_asks_them(processes):
    first, second = processes
    for process in processes:
        assert process.next_line() == "loaded advisor-baseline 1"  # they listen
    one = a_registered_model(version="1")
    for process in processes:
        assert process.next_line() == "loaded for-tests 1"
    other = a_registered_model(version="2", active=False)
    registry.activate(other, by="a test", now=NOW)
    for process in processes:
        assert process.next_line() == "loaded for-tests 2"
        assert process.asked() == "uses for-tests 2"
    registry.activate(one, by="a test", now=NOW)  # and back
    assert [process.next_line() for process in (first, second)] == ["loaded for-tests 1"] * 2


@pytest.mark.django_db(transaction=True)
def test_a_process_that_missed_the_word_finds_out_at_its_next_use(processes, settings):
    process = processes[0]
    assert process.next_line() == "loaded advisor-baseline 1"
    settings.REDIS_CACHE_URL = "redis://127.0.0.1:1/0"  # away, for whoever activates
    a_registered_model()
    assert process.asked() == "uses for-tests 1"


@pytest.mark.django_db
def test_nothing_is_announced_before_it_stands(django_capture_on_commit_callbacks):
    with redis.Redis.from_url(settings.REDIS_CACHE_URL) as client, client.pubsub() as channel:
        channel.subscribe(news.channel_name())
        channel.get_message(timeout=PATIENCE)
        with django_capture_on_commit_callbacks() as callbacks:
            a_registered_model()
        assert channel.get_message() is None
        for callback in callbacks:
            callback()
        assert channel.get_message(timeout=PATIENCE)["data"] == b"activated"
