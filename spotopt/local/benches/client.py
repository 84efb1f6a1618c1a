"""How long does each answer take, seen from another process over one connection that stays open?

Reads what to ask as JSON on stdin, and writes as JSON what it saw.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from typing import Any

PATIENCE = 30  # s


def ask(port: int, key: str, calls: dict[str, dict[str, Any]], *, rounds: int, batch: int) -> dict[str, Any]:
    """Milliseconds of every request but the first `batch` of each call, and its last answer; the calls take turns.

    Raises RuntimeError for an answer other than 200.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    headers = {"Authorization": f"Api-Key {key}", "Content-Type": "application/json"}
    seen: dict[str, dict[str, Any]] = {name: {"ms": [], "answer": None} for name in calls}
    bodies = {name: json.dumps(call["body"]).encode() for name, call in calls.items()}
    for turn in range(rounds + 1):  # the first is to warm up
        for name, call in calls.items():
            for _ in range(batch):
                began = time.perf_counter()
                connection.request("POST", call["path"], bodies[name], headers)
                answer = connection.getresponse()
                content = answer.read()
                took = time.perf_counter() - began
                if answer.status != 200:
                    raise RuntimeError(f"{call['path']}: {answer.status} {content[:500]!r}")
                if turn:
                    seen[name]["ms"].append(took * 1000)
            seen[name]["answer"] = json.loads(content)
    connection.close()
    return seen


if __name__ == "__main__":
    print(json.dumps(ask(**json.load(sys.stdin))))
