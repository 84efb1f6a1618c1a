"""How much memory does a process need at most to take that many price changes? Prints MiB."""

from __future__ import annotations

import resource
import sys

import django


def peak_mib() -> float:
    """Of this process so far; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    django.setup()
    from spotopt.local.benches import ingest

    ingest.take(ingest.pages(int(sys.argv[1])))
    print(peak_mib())
