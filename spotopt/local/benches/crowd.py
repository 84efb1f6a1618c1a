"""How long does each page take while many people open pages at once, each with a connection and session of their own?

Reads what to ask as JSON on stdin, and writes as JSON what it saw.
"""

from __future__ import annotations

import http.client
import json
import random
import sys
import threading
import time
from collections.abc import Mapping, Sequence

PATIENCE = 60  # s

Seen = dict[str, list[float]]


def walk(port: int, session: str, pages: Mapping[str, str], *, seconds: float, pause: float, seed: int) -> Seen:
    """One person: all pages in turn, in an order of their own, `pause` seconds between an answer and the next page.

    Milliseconds of each page, each once at least. Raises RuntimeError for an answer other than 200.
    """
    chance = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    seen: Seen = {name: [] for name in pages}
    ends = time.perf_counter() + seconds
    time.sleep(chance.uniform(0, pause))
    is_round_whole = False
    while not is_round_whole or time.perf_counter() < ends:
        for name in chance.sample(list(pages), len(pages)):
            began = time.perf_counter()
            if is_round_whole and began >= ends:
                break
            connection.request("GET", pages[name], headers={"Cookie": f"sessionid={session}"})
            answer = connection.getresponse()
            content = answer.read()
            seen[name].append((time.perf_counter() - began) * 1000)
            if answer.status != 200:
                raise RuntimeError(f"{pages[name]}: {answer.status} {content[:300]!r}")
            time.sleep(pause * chance.uniform(0.5, 1.5))
        is_round_whole = True
    connection.close()
    return seen


def ask(
    port: int, sessions: Sequence[str], pages: Mapping[str, str], *, seconds: float, pause: float
) -> dict[str, list[float]]:
    """What everybody saw together."""
    together: Seen = {name: [] for name in pages}
    wrong: list[BaseException] = []

    def one(session: str, seed: int) -> None:
        try:
            for name, took in walk(port, session, pages, seconds=seconds, pause=pause, seed=seed).items():
                together[name] += took
        except BaseException as error:  # a thread's error is lost otherwise
            wrong.append(error)

    people = [threading.Thread(target=one, args=(session, seed)) for seed, session in enumerate(sessions)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    if wrong:
        raise wrong[0]
    return together


if __name__ == "__main__":
    print(json.dumps(ask(**json.load(sys.stdin))))
