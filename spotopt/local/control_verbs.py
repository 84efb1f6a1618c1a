"""What do the words of the control command do?"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import fields

from spotopt.local import happenings
from spotopt.local.control_words import FORMS, Words
from spotopt.local.faults import AdvisorMode, Fault, FaultKind, PricesMode, Switches
from spotopt.local.identity import Identities
from spotopt.local.provider import Provider
from spotopt.local.world import Pace, World
from spotopt.local.zones import COMMERCIAL_REGIONS


class Verbs:
    """Each takes its words from a form, from JSON, or from a test."""

    def __init__(self, provider: Provider, identities: Identities, switches: Switches) -> None:
        self._provider = provider
        self._identities = identities
        self._switches = switches
        self._own: dict[str, Callable[[Words], None]] = {
            "throttle": lambda words: self._add(words, FaultKind.REFUSE, ""),
            "fail": self._fail,
            "lose-answer": lambda words: self._add(words, lost_or_not(words, "lose", default="with")),
            "hang": lambda words: self._add(words, lost_or_not(words, "hang", default="without")),
            "kill": self._kill,
            "when": self._when,
            "latency": self._delay,
            "expire-credentials": lambda words: identities.expire_sessions(),
            "advisor": self._change_advisor,
            "prices": self._change_prices,
            "disable-region": lambda words: switches.disabled_regions.add(region_in(words)),
            "enable-region": lambda words: switches.disabled_regions.discard(region_in(words)),
            "capacity": self._dry_up,
            "quota": self._limit,
            "addresses": self._take_addresses,
            "sick": self._make_sick,
            "pace": change_pace,
            "advance": lambda words: provider.advance(float(word(words, "seconds"))),
            "heal": self._heal,
            "reset": self._reset,
        }
        self.known = frozenset([*self._own, *happenings.VERBS])

    def carry_out(self, verb: str, words: Words) -> None:
        """Raises ValueError or KeyError for words that are missing or wrong, Refusal for what is not there."""
        if verb in self._own:
            self._own[verb](words)
        else:
            for name in FORMS.get(verb, ())[:1]:
                word(words, name)
            self._provider.happen(verb, words)

    def _add(self, words: Words, kind: FaultKind, code: str = "", deed: Callable[[], None] | None = None) -> None:
        count, skip = int(words.get("count") or 1), int(words.get("skip") or 0)
        self._switches.add(Fault(kind, word(words, "action"), count, code, skip, deed))

    def _fail(self, words: Words) -> None:
        kind = FaultKind.REFUSE_AFTER if words.get("effect") == "with" else FaultKind.REFUSE
        self._add(words, kind, word(words, "code"))

    def _kill(self, words: Words) -> None:
        """End the calling process in the middle of its call; one of those that were started beside this cloud."""
        process_id = int(word(words, "pid"))
        refuse_foreign(process_id)
        self._add(words, lost_or_not(words, "kill", default="with"), deed=lambda: os.kill(process_id, signal.SIGKILL))

    def _when(self, words: Words) -> None:
        """Carry out another verb just before (or after) a call: the world moves between look and act."""
        verb = word(words, "do")
        if verb not in self.known:
            raise ValueError(f"no verb {verb!r}")
        inner = dict(words.get("words") or {name: words[name] for name in FORMS[verb] if name in words})
        kind = FaultKind.DO_AFTER if words.get("effect") == "with" else FaultKind.DO
        self._add(words, kind, deed=lambda: self.carry_out(verb, inner))

    def _delay(self, words: Words) -> None:
        self._switches.latency_ms = int(word(words, "ms"))

    def _change_advisor(self, words: Words) -> None:
        self._switches.advisor = AdvisorMode(word(words, "mode"))

    def _change_prices(self, words: Words) -> None:
        self._switches.prices = PricesMode(word(words, "mode"))

    def _dry_up(self, words: Words) -> None:
        """`off` brings all capacity back; no market means both."""
        if words.get("instance_type") == "off":
            self._switches.dry_pools.clear()
            return
        market = str(words.get("market") or "")
        if market not in ("", "spot", "on-demand"):
            raise ValueError(f"market is spot or on-demand, not {market!r}")
        kind = "" if word(words, "instance_type") == "*" else word(words, "instance_type")
        zone = "" if word(words, "zone") == "*" else word(words, "zone")
        self._switches.dry_pools.add((kind, zone, market))

    def _limit(self, words: Words) -> None:
        """Running vCPUs that an account may have; `off` lifts the limit."""
        key = (word(words, "account_id"), word(words, "market"))
        if word(words, "vcpus") == "off":
            self._switches.quotas.pop(key, None)
        else:
            self._switches.quotas[key] = int(words["vcpus"])

    def _take_addresses(self, words: Words) -> None:
        self._switches.free_addresses[word(words, "subnet_id")] = int(word(words, "free"))

    def _make_sick(self, words: Words) -> None:
        self._switches.sick = int(word(words, "count"))

    def _heal(self, words: Words) -> None:
        self._switches.heal()
        World.pace = Pace()

    def _reset(self, words: Words) -> None:
        self._heal(words)
        self._identities.ended_at = None
        self._provider.reset()


def word(words: Words, name: str) -> str:
    if words.get(name) in (None, ""):
        raise ValueError(f"{name} is missing")
    return str(words[name])


def region_in(words: Words) -> str:
    if word(words, "region") not in COMMERCIAL_REGIONS:
        raise ValueError(f"no region {words['region']!r}")
    return str(words["region"])


def lost_or_not(words: Words, kind: str, *, default: str) -> FaultKind:
    """`effect` says whether it was done all the same."""
    ends = {"with": "after", "without": "before"}
    return FaultKind(f"{kind}-{ends[str(words.get('effect') or default)]}")


def change_pace(words: Words) -> None:
    names = [one.name for one in fields(Pace)]
    if word(words, "of") not in names:
        raise ValueError(f"pace is of {', '.join(names)}")
    setattr(World.pace, word(words, "of"), float(word(words, "seconds")))


def refuse_foreign(process_id: int) -> None:
    """Only what the starter of this cloud started too, at whatever depth, may be ended from here."""
    ours = os.environ.get("SPOTOPT_PARENT_PID")
    line = process_id
    while ours and line > 1:
        told = subprocess.run(["ps", "-o", "ppid=", "-p", str(line)], capture_output=True, text=True, check=False)
        line = int(told.stdout.strip() or 0)
        if line == int(ours):
            return
    raise ValueError(f"process {process_id} was not started beside this cloud")
