"""./run bench: what is fast, and how far is each from its floor, measured in the same run?

0 also when a goal is missed: a bench reports. 1 when one could not be run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module

from spotopt.local.benches import ground
from spotopt.local.benches.ground import Ground
from spotopt.local.benches.measure import Row, rounded
from spotopt.local.postgres import CannotStart


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that belong together: `spotopt.local.benches.<name>.rows(ground)` measures them."""

    name: str
    says: str
    has_services: bool = True


GROUPS = (
    Group("parsing", "a page of 1000 Spot prices, against botocore as it comes", has_services=False),
    Group("features", "features and safety of 60,000 pools, against one read of their arrays", has_services=False),
    Group("inference", "one row and 60,000 rows, against LightGBM alone", has_services=False),
    Group("ingest", "price changes into the table, against COPY and upsert on a plain schema"),
    Group("refresh", "scores of 60,000 pools from table to table, against reading alone"),
    Group("http", "predict and spot-optimize, against an empty view of the same stack"),
    Group("pages", "every page for 20 people at 10,000 instances and a million prices, against an empty page"),
    Group("stream", "a row of the feed to 1,000 sockets, against Redis and against group_send"),
)
WIDTHS = (52, 11, 7, 11, 9, 9, 4)


def parse(words: list[str]) -> argparse.Namespace:
    listed = "\n".join(f"  {group.name:<10} {group.says}" for group in GROUPS)
    parser = argparse.ArgumentParser(
        prog="./run bench",
        description=__doc__,
        epilog=f"names:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="name", help="which groups; all of them unless said")
    parser.add_argument("--json", action="store_true", help="the rows as a list")
    parser.add_argument("--full", action="store_true", help="also what takes minutes: a table of 15 million rows")
    parser.add_argument("--scale", type=float, default=1.0, help="of every size, for a trial: 0.01 shows no speed")
    arguments = parser.parse_args(words)
    known = {group.name for group in GROUPS}
    if unknown := [name for name in arguments.names if name not in known]:
        parser.error(f"there is no bench {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    if not 0 < arguments.scale <= 1:
        parser.error("--scale is above 0, and at most 1")
    return arguments


def machine(on: Ground) -> Row:
    """What the figures were measured on; only ratios can be compared with another machine's."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    facts = [f"Python {platform.python_version()}", f"{platform.system()} {platform.machine()}"]
    if on.running:
        facts.append(f"{on.database_facts()}, Redis append-only")
    if on.scale != 1:
        facts.append(f"sizes × {on.scale:g}: these figures mean nothing")
    return Row("machine", cores, "cores", note="; ".join(facts))


def measure(groups: Iterable[Group], on: Ground) -> tuple[list[Row], list[str]]:
    """The rows of all groups, and the names of those that could not be run."""
    rows, failed = [machine(on)], []
    for group in groups:
        began = time.monotonic()
        print(f"{group.name} … ", end="", file=sys.stderr, flush=True)
        try:
            rows += import_module(f"spotopt.local.benches.{group.name}").rows(on)
        except Exception:
            failed.append(group.name)
            print("FAILED", file=sys.stderr)
            traceback.print_exc()
        else:
            print(f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return rows, failed


def table(rows: Iterable[Row]) -> str:
    lines = [_line(("name", "figure", "unit", "floor", "ratio", "goal", "ok"))]
    for row in rows:
        said = {True: "yes", False: "NO", None: ""}[row.is_ok]
        numbers = (_shown(row.figure), row.unit, _shown(row.floor), _shown(row.ratio), row.wanted or "", said)
        lines.append(_line((row.name, *numbers)) + (f"  {row.note}" if row.note else ""))
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    name, *rest = (
        f"{cell:<{width}}" if at in {0, 2} else f"{cell:>{width}}"
        for at, (cell, width) in enumerate(zip(cells, WIDTHS, strict=True))
    )
    return " ".join([name, *rest]).rstrip()


def _shown(value: float | None) -> str:
    return "" if value is None else f"{rounded(value):,g}"


def main(words: list[str]) -> int:
    arguments = parse(words)
    groups = [group for group in GROUPS if not arguments.names or group.name in arguments.names]
    with ground.standing(
        scale=arguments.scale, is_full=arguments.full, has_services=any(group.has_services for group in groups)
    ) as on:
        rows, failed = measure(groups, on)
    print(json.dumps([row.as_json() for row in rows], ensure_ascii=False, indent=1) if arguments.json else table(rows))
    if failed:
        print(f"could not be run: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
    except (CannotStart, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"The benches cannot start: {error}")
