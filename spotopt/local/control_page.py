"""What can somebody break or mend here, by page or by JSON?"""

from __future__ import annotations

import json
from dataclasses import asdict
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from spotopt.local import census
from spotopt.local.control_verbs import Verbs
from spotopt.local.control_words import FORMS, READS, Words
from spotopt.local.faults import Switches
from spotopt.local.identity import Identities
from spotopt.local.provider import Provider
from spotopt.local.wire import READ_PREFIXES, Answer, Refusal
from spotopt.local.world import World

HOSTS = frozenset({"127.0.0.1", "localhost"})
STYLE = (
    "body{font:15px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "form{margin:.4rem 0}input,select,button{font:inherit;margin-right:.4rem}pre{background:#8882;padding:1rem}"
)


class ControlPage:
    """Every verb of the control command, and `status` and `calls` to read."""

    def __init__(self, provider: Provider, identities: Identities, switches: Switches) -> None:
        self._provider = provider
        self._switches = switches
        self._verbs = Verbs(provider, identities, switches)

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
        if environ["REQUEST_METHOD"] == "GET" and verb in READS:
            return _json(200, self.read(verb))
        if environ["REQUEST_METHOD"] != "POST" or verb not in self._verbs.known:
            return _json(404, {"error": f"no verb {verb!r}", "verbs": sorted(self._verbs.known)})
        try:
            words = dict(parse_qsl(body.decode())) if is_form else json.loads(body or b"{}")
            self._verbs.carry_out(verb, words)
        except (ValueError, KeyError, Refusal) as error:
            return _json(400, {"error": str(error)})
        if is_form:
            return Answer(303, b"", "text/html", (("Location", "/_control/"),))
        return _json(200, self.status())

    def tell(self, verb: str, words: Words) -> dict[str, Any]:
        """As the command does over the wire: what is read, or the status after it was done. Raises ValueError."""
        if verb in READS:
            return self.read(verb)
        if verb not in self._verbs.known:
            raise ValueError(f"no verb {verb!r}")
        try:
            self._verbs.carry_out(verb, words)
        except (KeyError, Refusal) as error:
            raise ValueError(str(error)) from error
        return self.status()

    def read(self, verb: str) -> dict[str, Any]:
        if verb == "changes":
            with self._provider.lock:
                return {"changes": [one.plain() for one in self._provider.ledger.changes]}
        if verb == "census":
            with self._provider.lock:
                self._provider.let_time_pass()
                return census.take().plain()
        return self.status() if verb == "status" else self.calls()

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
            "pace": asdict(World.pace),
            "quotas": {"/".join(key): limit for key, limit in sorted(switches.quotas.items())},
            "free_addresses": dict(switches.free_addresses),
            "sick": switches.sick,
            "next_at": at.isoformat() if (at := World.agenda.next_at()) else None,
            "without_capacity": sorted(map(list, switches.dry_pools)),
            "faults": [
                {"kind": one.kind, "action": one.pattern, "code": one.code, "skip": one.skip, "left": one.left}
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


def _is_mutating(name: str) -> bool:
    return not name.partition(":")[2].startswith(READ_PREFIXES)


def _json(status: int, content: Any) -> Answer:
    return Answer(status, json.dumps(content).encode(), "application/json")
