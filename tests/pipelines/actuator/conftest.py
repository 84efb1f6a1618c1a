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
def stage(db: Any, inner_cloud: Any) -> Stage:
    OptimizationPolicy.objects.create(organization=northwind(), overrides={"acting": "auto"})
    return Stage(inner_cloud)


@pytest.fixture
def busy_stage(db: Any, inner_cloud: Any) -> Stage:
    """One with a balancer and an Elastic IP: every kind of changing step comes to pass."""
    OptimizationPolicy.objects.create(organization=northwind(), overrides={"acting": "auto"})
    return Stage(inner_cloud, has_traffic=True)
