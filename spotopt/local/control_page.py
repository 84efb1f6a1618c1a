"""What can somebody break or mend here, by page or by JSON?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from spotopt.local.faults import AdvisorMode, Fault, FaultKind, PricesMode, Switches
from spotopt.local.identity import Identities
from spotopt.local.provider import Provider
from spotopt.local.wire import READ_PREFIXES, Answer, Refusal
from spotopt.local.zones import COMMERCIAL_REGIONS

Words = Mapping[str, Any]
HOSTS = frozenset({"127.0.0.1", "localhost"})
STYLE = (
    "body{font:15px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "form{margin:.4rem 0}input,select,button{font:inherit;margin-right:.4rem}pre{background:#8882;padding:1rem}"
)
# verb → the fields of its form, in order
FORMS: Mapping[str, tuple[str, ...]] = {
    "throttle": ("action", "count"),
    "fail": ("action", "code", "count"),
    "lose-answer": ("action", "count", "effect"),
    "latency": ("ms",),
    "expire-credentials": (),
    "advisor": ("mode",),
    "prices": ("mode",),
    "disable-region": ("region",),
    "enable-region": ("region",),
    "capacity": ("instance_type", "zone"),
    "interrupt": ("instance_id", "now"),
    "heal": (),
    "reset": (),
}


class ControlPage:
    """Every verb of the control command, and `status` and `calls` to read."""

    def __init__(self, provider: Provider, identities: Identities, switches: Switches) -> None:
        self._provider = provider
        self._identities = identities
        self._switches = switches
        self._verbs: dict[str, Callable[[Words], None]] = {
            "throttle": lambda words: self._refuse(words, ""),
            "fail": lambda words: self._refuse(words, _word(words, "code")),
            "lose-answer": self._lose,
            "latency": self._delay,
            "expire-credentials": lambda words: identities.expire_sessions(),
            "advisor": self._change_advisor,
            "prices": self._change_prices,
            "disable-region": lambda words: switches.disabled_regions.add(_region(words)),
            "enable-region": lambda words: switches.disabled_regions.discard(_region(words)),
            "capacity": self._dry_up,
            "interrupt": self._interrupt,
            "heal": lambda words: switches.heal(),
            "reset": self._reset,
        }

    def __call__(self, environ: dict[str, Any], body: bytes) -> Answer:
        """Only for this machine's own pages and commands: a foreign page may not post here."""
        host = environ.get("HTTP_HOST", "").partition(":")[0]
        origin = environ.get("HTTP_ORIGIN", "")
        if host not in HOSTS or (origin and urlsplit(origin).hostname not in HOSTS):
            return _json(403, {"error": "only from this machine"})
        path = environ["PATH_INFO"].removeprefix("/_control/")
        if path == "":
            return self._page()
        return self._api(environ, path.removeprefix("api/"), body)

    def _api(self, environ: dict[str, Any], verb: str, body: bytes) -> Answer:
        is_form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
        if environ["REQUEST_METHOD"] == "GET" and verb in ("status", "calls"):
            return _json(200, self.status() if verb == "status" else self.calls())
        if environ["REQUEST_METHOD"] != "POST" or verb not in self._verbs:
            return _json(404, {"error": f"no verb {verb!r}", "verbs": sorted(self._verbs)})
        try:
            words = dict(parse_qsl(body.decode())) if is_form else json.loads(body or b"{}")
            self._verbs[verb](words)
        except (ValueError, KeyError, Refusal) as error:
            return _json(400, {"error": str(error)})
        if is_form:
            return Answer(303, b"", "text/html", (("Location", "/_control/"),))
        return _json(200, self.status())

    def status(self) -> dict[str, Any]:
        switches = self._switches
        return {
            "now": self._provider.clock.now().isoformat(),
            "estate_began_at": self._provider.began_at.isoformat(),
            "changes_replayed_at_start": self._provider.replayed,
            "prices_shifted_by_days": {
                name: round(by / 86_400, 2) for name, by in self._provider.market.shifts.items()
            },
            "notes": self._provider.market.notes,
            "latency_ms": switches.latency_ms,
            "advisor": switches.advisor,
            "prices": switches.prices,
            "disabled_regions": sorted(switches.disabled_regions),
            "without_capacity": sorted(map(list, switches.dry_pools)),
            "faults": [
                {"kind": one.kind, "action": one.pattern, "code": one.code, "left": one.left}
                for one in switches.faults
                if one.left > 0
            ],
        }

    def calls(self) -> dict[str, Any]:
        """Calls seen since the last heal or reset, and how many of them could change something."""
        with self._switches.lock:
            seen = sorted(self._switches.calls.items())
        rows = [
            {"account": account, "call": name, "outcome": outcome, "count": count, "mutating": _is_mutating(name)}
            for (account, name, outcome), count in seen
        ]
        return {"calls": rows, "mutating": sum(row["count"] for row in rows if row["mutating"])}

    def _refuse(self, words: Words, code: str) -> None:
        self._switches.add(Fault(FaultKind.REFUSE, _word(words, "action"), _count(words), code))

    def _lose(self, words: Words) -> None:
        kinds = {"with": FaultKind.LOSE_AFTER, "without": FaultKind.LOSE_BEFORE}
        kind = kinds[str(words.get("effect") or "with")]
        self._switches.add(Fault(kind, _word(words, "action"), _count(words)))

    def _delay(self, words: Words) -> None:
        self._switches.latency_ms = int(_word(words, "ms"))

    def _change_advisor(self, words: Words) -> None:
        self._switches.advisor = AdvisorMode(_word(words, "mode"))

    def _change_prices(self, words: Words) -> None:
        self._switches.prices = PricesMode(_word(words, "mode"))

    def _dry_up(self, words: Words) -> None:
        """`off` brings all capacity back."""
        if words.get("instance_type") == "off":
            self._switches.dry_pools.clear()
        else:
            self._switches.dry_pools.add((_word(words, "instance_type"), _word(words, "zone")))

    def _interrupt(self, words: Words) -> None:
        at_once = str(words.get("now", "")).lower() in ("1", "true", "yes", "on")
        self._provider.interrupt(_word(words, "instance_id"), at_once=at_once)

    def _reset(self, words: Words) -> None:
        self._switches.heal()
        self._identities.ended_at = None
        self._provider.reset()

    def _page(self) -> Answer:
        forms = "".join(_form(verb, fields) for verb, fields in FORMS.items())
        shown = escape(json.dumps(self.status(), indent=2))
        seen = escape(json.dumps(self.calls(), indent=2))
        html = (
            f"<!doctype html><html lang=en><meta charset=utf-8><title>Local cloud</title><style>{STYLE}</style>"
            f"<h1>Local cloud: what to break</h1>{forms}<h2>Status</h2><pre>{shown}</pre>"
            f"<h2>Calls seen</h2><pre>{seen}</pre></html>"
        )
        return Answer(200, html.encode(), "text/html; charset=utf-8")


def _form(verb: str, fields: tuple[str, ...]) -> str:
    inputs = "".join(f'<label>{name} <input name="{name}" size="18"></label>' for name in fields)
    return f'<form method="post" action="/_control/api/{verb}">{inputs}<button>{verb}</button></form>'


def _word(words: Words, name: str) -> str:
    if words.get(name) in (None, ""):
        raise ValueError(f"{name} is missing")
    return str(words[name])


def _count(words: Words) -> int:
    return int(words.get("count") or 1)


def _region(words: Words) -> str:
    if _word(words, "region") not in COMMERCIAL_REGIONS:
        raise ValueError(f"no region {words['region']!r}")
    return str(words["region"])


def _is_mutating(name: str) -> bool:
    return not name.partition(":")[2].startswith(READ_PREFIXES)


def _json(status: int, content: Any) -> Answer:
    return Answer(status, json.dumps(content).encode(), "application/json")
