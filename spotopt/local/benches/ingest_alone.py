"""How much memory does a process need at most to take that many price changes? Prints MiB."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import django


def peak_mib() -> float:
    """Of this process since it began. Not getrusage where /proc is: that remembers the parent's peak across exec."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts in bytes


if __name__ == "__main__":
    django.setup()
    from spotopt.local.benches import ingest

    ingest.take(ingest.pages(int(sys.argv[1])))
    print(peak_mib())
