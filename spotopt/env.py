"""How is a setting read from the environment, and what is said when some are wrong?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")


def socket_sources(hosts: Iterable[str], *, is_https: bool) -> list[str]:
    """Where a page may open a socket, as a CSP says it: to each host that we answer as, and nowhere else.

    Without https it is a machine of one's own, on any port: 'self' says that better than a wildcard.
    """
    named = (f"*{host}" if host.startswith(".") else host for host in hosts if host != "*")
    return [f"wss://{host}" for host in named] if is_https else []


class Environment:
    """Typed readers that collect what is wrong, so that one start tells everything."""

    def __init__(self, values: Mapping[str, str] = os.environ) -> None:
        self._values = values
        self.problems: list[str] = []

    def read(self, name: str, default: T, parse: Callable[[str], T], *, expects: str) -> T:
        """The parsed value, or `default` where the variable is unset or empty; a bad value is noted, not raised."""
        raw = self._values.get(name, "").strip()
        if not raw:
            return default
        try:
            return parse(raw)
        except (ValueError, KeyError):
            shown = "…" if "KEY" in name or "URL" in name or "PASSWORD" in name or "TOKEN" in name else repr(raw)
            self.problems.append(f"{name}={shown}: expected {expects}")
            return default

    def text(self, name: str, default: str = "") -> str:
        return self.read(name, default, str, expects="text")

    def flag(self, name: str, default: bool = False) -> bool:
        words = {
            "1": True,
            "true": True,
            "yes": True,
            "on": True,
            "0": False,
            "false": False,
            "no": False,
            "off": False,
        }
        return self.read(name, default, lambda raw: words[raw.lower()], expects="true or false")

    def whole(self, name: str, default: int, *, least: int = 0) -> int:
        def parse(raw: str) -> int:
            value = int(raw)
            if value < least:
                raise ValueError(raw)
            return value

        return self.read(name, default, parse, expects=f"a whole number, at least {least}")

    def words(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        return list(
            self.read(name, default, lambda raw: tuple(w.strip() for w in raw.split(",") if w.strip()), expects="a,b")
        )

    def networks(self, name: str) -> tuple[IPv4Network | IPv6Network, ...]:
        return self.read(
            name,
            (),
            lambda raw: tuple(ip_network(word.strip()) for word in raw.split(",") if word.strip()),
            expects="networks like 10.0.0.0/8,2001:db8::/32",
        )

    def one_of(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        def parse(raw: str) -> str:
            if raw not in choices:
                raise ValueError(raw)
            return raw

        return self.read(name, default, parse, expects=" or ".join(choices))

    def path(self, name: str, default: Path | None = None) -> Path | None:
        return self.read(name, default, Path, expects="a path")

    def required(self, name: str, *, why: str) -> str:
        value = self.text(name)
        if not value:
            self.problems.append(f"{name} is not set: {why}")
        return value

    def database(self, name: str, *, why: str) -> dict[str, object]:
        """A DATABASES entry of `postgresql://user:password@host:port/name?host=/socket/dir`."""
        raw = self.required(name, why=why)
        parts = urlsplit(raw)
        if raw and (parts.scheme not in {"postgresql", "postgres"} or len(parts.path) < 2):
            self.problems.append(f"{name}: expected postgresql://user:password@host:port/name")
        query = parse_qs(parts.query)
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path[1:]),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": query.get("host", [parts.hostname or ""])[0],
            "PORT": str(parts.port or ""),
        }

    def settle(self) -> None:
        """Raise one ImproperlyConfigured that names everything that is wrong."""
        if self.problems:
            raise ImproperlyConfigured("Settings in the environment:\n- " + "\n- ".join(self.problems))
