"""How is a queue asked without holding up the rest of the cloud? SQS guide, "Short and long polling"."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace

from spotopt.local.identity import Caller
from spotopt.local.provider import Provider
from spotopt.local.wire import Answer, Call

PATH = re.compile(r"/\d{12}/[\w-]{1,80}$")  # the queue's URL, to which older clients post
LOOK = 0.2  # seconds between two looks


def is_queue_path(path: str) -> bool:
    return PATH.match(path) is not None


def queue_answer(provider: Provider, call: Call, caller: Caller) -> Answer:
    """A long poll waits outside the cloud's lock; on a clock that stands still it does not wait at all."""
    if call.action != "ReceiveMessage":
        return provider.answer(call, caller)
    wait = float(call.params.get("WaitTimeSeconds") or 0) if not provider.clock.is_still else 0
    asked = dict(call.params) | {"WaitTimeSeconds": 0}
    short = replace(call, params=asked, body=json.dumps(asked).encode())
    gives_up_at = time.monotonic() + wait
    while True:
        answer = provider.answer(short, caller)
        if b'"Messages"' in answer.body or answer.status >= 400 or time.monotonic() >= gives_up_at:
            return answer
        time.sleep(LOOK)
