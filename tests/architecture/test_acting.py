"""What must hold of acting wherever the code is: one clock, one choice of shadow, nothing begun by itself."""

from __future__ import annotations

import re
from pathlib import Path

from governance.domain.policy import Acting, Policy
from pipelines.models import Operation

ROOT = Path(__file__).parents[2]
APPS = ("accounts", "instances", "mlregistry", "governance", "pipelines", "spotopt")


def files_with(pattern: str) -> set[str]:
    found = (path for app in APPS for path in (ROOT / app).rglob("*.py") if re.search(pattern, path.read_text()))
    return {path.relative_to(ROOT).as_posix() for path in found}


def test_only_tests_move_the_clock():
    assert files_with(r"(?m)^_offset\b|clock\._offset") == {"pipelines/actuator/clock.py"}
    assert (ROOT / "pipelines/actuator/clock.py").read_text().count("_offset") == 2


def test_shadow_is_chosen_in_one_place():
    assert files_with(r"\b(CloudHands|ShadowHands)\(") == {"pipelines/actuator/hands.py"}


def test_acting_is_off_until_somebody_says_otherwise():
    assert Policy().acting is Acting.SHADOW
    assert Operation._meta.get_field("is_shadow").default is True


def test_nothing_in_the_product_opens_an_operation_yet():
    """Switches are opened by the readiness page's step alone, which is not there: only what gives back is opened."""
    assert files_with(r"\bopen_operation\(") == {"pipelines/actuator/journal.py", "pipelines/actuator/reconciler.py"}
    assert files_with(r"\blinear_switch\(") == {"pipelines/domain/switching.py"}
