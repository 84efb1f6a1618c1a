"""The control command: tell a running local cloud what to break, what to interrupt, and ask what it saw."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from spotopt.local.control_words import FORMS, READS
from spotopt.local.faults import AdvisorMode, PricesMode


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m spotopt.local.control", description=__doc__)
    top.add_argument("--endpoint", default=os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"))
    verbs = top.add_subparsers(dest="verb", required=True)
    for plain in READS:
        verbs.add_parser(plain)
    throttle = verbs.add_parser("throttle", help="refuse the next calls of an action as too many")
    fail = verbs.add_parser("fail", help="refuse the next calls of an action with a code")
    lose = verbs.add_parser("lose-answer", help="break the connection instead of answering")
    for verb in (throttle, fail, lose):
        verb.add_argument("action", help="DescribeInstances, ec2:*, …")
    fail.add_argument("code")
    lose.add_argument("--effect", choices=("with", "without"), default="with", help="was it done all the same?")
    for verb in (throttle, fail, lose):
        verb.add_argument("count", type=int, nargs="?", default=1)
    verbs.add_parser("latency").add_argument("ms", type=int)
    verbs.add_parser("advisor").add_argument("mode", choices=[mode.value for mode in AdvisorMode])
    verbs.add_parser("prices").add_argument("mode", choices=[mode.value for mode in PricesMode])
    verbs.add_parser("disable-region").add_argument("region")
    verbs.add_parser("enable-region").add_argument("region")
    capacity = verbs.add_parser("capacity", help="a pool that has none left; `capacity off` brings all back")
    capacity.add_argument("instance_type")
    capacity.add_argument("zone", nargs="?", default="")
    interrupt = verbs.add_parser("interrupt", help="take a Spot instance back after two minutes")
    interrupt.add_argument("instance_id")
    interrupt.add_argument("--now", action="store_true")
    for name, words in FORMS.items():
        known = verbs.choices.get(name) or verbs.add_parser(name)
        for word in set(words) - {action.dest for action in known._actions}:
            known.add_argument(f"--{word.replace('_', '-')}", dest=word)
    return top


def tell(endpoint: str, verb: str, **words: Any) -> dict[str, Any]:
    """Send one verb; return the cloud's status (or the calls seen). Raises ValueError with the cloud's own words."""
    url = f"{endpoint}/_control/api/{verb}"
    if verb in READS:
        request = Request(url)
    else:
        request = Request(url, json.dumps(words).encode(), {"Content-Type": "application/json"}, method="POST")
    try:
        with urlopen(request, timeout=60) as answer:
            return dict(json.load(answer))
    except HTTPError as error:
        raise ValueError(json.load(error).get("error", str(error))) from error


def main() -> int:
    options = {name: value for name, value in vars(parser().parse_args()).items() if value is not None}
    endpoint, verb = options.pop("endpoint"), options.pop("verb")
    try:
        print(json.dumps(tell(endpoint, verb, **options), indent=2))
    except ValueError as error:
        sys.stderr.write(f"{verb}: {error}\n")
        return 1
    except URLError as error:
        sys.stderr.write(f"no local cloud at {endpoint}: {error.reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
