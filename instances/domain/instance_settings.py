"""May this be said about an instance? What stands in the way, field by field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# what a person signs; an entry of the audit log holds it as it read then
STATEMENT = (
    "This instance holds no state: nothing is lost when a copy of its image starts beside it, runs its start-up, "
    "its scheduled jobs and its queue consumers for a while at the same time, and it is then ended."
)
PATH = re.compile(r"/[!-\"$-~]{0,199}")  # what a request line takes; a fragment never reaches a server


def faults(wanted: Mapping[str, Any], *, has_group: bool) -> dict[str, str]:
    """What is wrong with these settings, which are all that will hold: {field: what to change}; empty = nothing."""
    found = {}
    if wanted["pipeline_mode"] == "CLUSTER" and not has_group:
        found["pipeline_mode"] = "It is in no Auto Scaling group: choose LINEAR, or KUBERNETES for a node."
    port, path = wanted["health_port"], wanted["health_path"]
    if port is not None and not 1 <= port <= 65535:
        found["health_port"] = f"{port} is no port: give a number from 1 to 65535."
    if path and not PATH.fullmatch(path):
        found["health_path"] = "A path begins with / and has at most 200 visible ASCII characters, no space and no #."
    if path and port is None:
        found["health_port"] = "A path needs a port: say on which one it answers, or take the path away."
    if port is not None and not path:
        found["health_path"] = "A port needs a path: say which one answers 200 when all is well, such as /health."
    return found
