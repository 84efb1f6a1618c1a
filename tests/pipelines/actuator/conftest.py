"""A stage with one machine to replace; the tests' clock is put back afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from governance.models import OptimizationPolicy
from pipelines.actuator import clock
from tests.factories import northwind
from tests.pipelines.actuator.switches import Stage


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_offset", timedelta())


@pytest.fixture
def stage(db: Any, inner_cloud: Any, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return _staged(inner_cloud, monkeypatch)


@pytest.fixture
def busy_stage(db: Any, inner_cloud: Any, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """One with a balancer and an Elastic IP: every kind of changing step comes to pass."""
    return _staged(inner_cloud, monkeypatch, has_traffic=True)


def _staged(cloud: Any, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> Stage:
    """Leases and due times by the cloud's still clock: how fast this machine is changes nothing."""
    monkeypatch.setattr(clock, "now", cloud.clock.now)
    OptimizationPolicy.objects.create(organization=northwind(), overrides={"acting": "auto"})
    return Stage(cloud, **fields)
