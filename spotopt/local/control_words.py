"""Which verbs does the control page know, and which words does each take?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Words = Mapping[str, Any]
READS = ("status", "calls", "changes", "census")
# verb → the fields of its form, in order
FORMS: Mapping[str, tuple[str, ...]] = {
    "throttle": ("action", "count", "skip"),
    "fail": ("action", "code", "count", "skip", "effect"),
    "lose-answer": ("action", "count", "skip", "effect"),
    "hang": ("action", "count", "skip", "effect"),
    "kill": ("action", "pid", "skip", "effect"),
    "when": ("action", "do", "skip", "effect"),
    "latency": ("ms",),
    "expire-credentials": (),
    "advisor": ("mode",),
    "prices": ("mode",),
    "disable-region": ("region",),
    "enable-region": ("region",),
    "capacity": ("instance_type", "zone", "market"),
    "quota": ("account_id", "market", "vcpus"),
    "addresses": ("subnet_id", "free"),
    "sick": ("count",),
    "pace": ("of", "seconds"),
    "advance": ("seconds",),
    "interrupt": ("instance_id", "now", "recommended", "unannounced", "copies", "late"),
    "recommend": ("instance_id", "copies", "late"),
    "post": ("region", "body"),
    "sicken": ("instance_id", "checks", "well"),
    "crash": ("instance_id",),
    "change-tag": ("instance_id", "key", "value"),
    "protect": ("instance_id", "off"),
    "scale": ("group", "by"),
    "resize": ("group", "minimum", "maximum"),
    "balance": ("group",),
    "new-template-version": ("group", "instance_type"),
    "heal": (),
    "reset": (),
}
