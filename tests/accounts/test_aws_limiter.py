"""Nobody spends more than our share of what AWS grants an account."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.aws.errors import Throttled
from accounts.aws.limiter import SLOW_SECONDS, Limiter, published_rate
from tests.accounts.scripted_aws import Clock

CALL = ("111122223333", "eu-west-3", "ec2", "DescribeInstances")


def a_limiter(clock: Clock, longest_wait: float = 60.0) -> Limiter:
    return Limiter(clock=clock.monotonic, sleep=clock.sleep, longest_wait=longest_wait)


def test_a_tenth_of_the_published_burst_goes_at_once_and_then_a_tenth_of_its_rate():
    clock = Clock()
    limiter = a_limiter(clock)
    waits = [limiter.acquire(*CALL, share=0.1) for _ in range(13)]
    assert waits[:10] == [0.0] * 10  # of 100
    assert waits[10:] == pytest.approx([0.5] * 3)  # 20 a second


def test_each_account_region_and_api_has_a_bucket_of_its_own():
    clock = Clock()
    limiter = a_limiter(clock)
    for _ in range(10):
        limiter.acquire(*CALL, share=0.1)
    others = [
        ("444455556666", *CALL[1:]),
        (CALL[0], "us-east-1", *CALL[2:]),
        (*CALL[:3], "DescribeVolumes"),
    ]
    assert [limiter.acquire(*other, share=0.1) for other in others] == [0.0] * 3


def test_a_throttled_account_gets_half_the_rate_for_five_minutes():
    clock = Clock()
    limiter = a_limiter(clock)
    limiter.slow_down(*CALL, share=0.1)
    assert [limiter.acquire(*CALL, share=0.1) for _ in range(2)] == pytest.approx([1.0, 1.0])
    clock.sleep(SLOW_SECONDS)
    for _ in range(10):
        assert limiter.acquire(*CALL, share=0.1) == 0.0
    assert limiter.acquire(*CALL, share=0.1) == pytest.approx(0.5)


def test_too_long_a_queue_is_an_error_and_costs_no_token():
    clock = Clock()
    limiter = a_limiter(clock, longest_wait=0.0)
    for _ in range(10):
        limiter.acquire(*CALL, share=0.1)
    for _ in range(5):
        with pytest.raises(Throttled, match="LocalLimit"):
            limiter.acquire(*CALL, share=0.1)
    clock.sleep(0.5)
    assert limiter.acquire(*CALL, share=0.1) == 0.0


@given(
    st.lists(st.floats(0, 20), min_size=1, max_size=60),
    st.sets(st.integers(0, 59), max_size=3),
)
def test_no_window_ever_sees_more_than_the_burst_and_the_refill(pauses, throttled_at):
    clock = Clock()
    limiter = a_limiter(clock, longest_wait=1e9)
    granted = []
    for number, pause in enumerate(pauses):
        clock.sleep(pause)
        if number in throttled_at:
            limiter.slow_down(*CALL, share=0.1)
        limiter.acquire(*CALL, share=0.1)
        granted.append(clock.monotonic())
    for first in range(len(granted)):
        for last in range(first, len(granted)):
            assert last - first + 1 <= 10 + 2 * (granted[last] - granted[first]) + 1e-6


def test_threads_share_one_bucket():
    waited = []
    limiter = Limiter(clock=lambda: 0.0, sleep=waited.append)
    threads = [threading.Thread(target=limiter.acquire, args=CALL, kwargs={"share": 0.1}) for _ in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waited) == pytest.approx([0.5 * number for number in range(1, 16)])


@pytest.mark.parametrize(
    "service, operation, burst, per_second",
    [
        ("ec2", "DescribeSpotPriceHistory", 100, 20),
        ("ec2", "CreateImage", 50, 5),
        ("ec2", "RunInstances", 5, 2),
        ("ec2", "TerminateInstances", 100, 5),
    ],
)
def test_the_published_rates_are_ec2s_own(service, operation, burst, per_second):
    rate = published_rate(service, operation)
    assert (rate.burst, rate.per_second) == (burst, per_second)
