"""What does an instance's own page say, asked through the egress proxy? Every program on every port answers alike."""

from __future__ import annotations

from urllib.parse import urlsplit

from spotopt.local.census import InstanceFacts, take
from spotopt.local.provider import Provider
from spotopt.local.wire import Answer


def instance_at(provider: Provider, address: str) -> InstanceFacts | None:
    """Who has this private or public address now?"""
    with provider.lock:
        provider.let_time_pass()
        found = take().instances.values()
    return next((one for one in found if address in (one.private_ip, one.public_ip)), None)


def health_page(provider: Provider, url: str) -> Answer:
    """200 once it is up; 503 while it boots or is sick; 502, the proxy's own, where no machine runs."""
    address = urlsplit(url).hostname or ""
    found = instance_at(provider, address) if address else None
    if found is None or found.state != "running":
        return Answer(502, b"no route to host\n", "text/plain")
    if not found.is_up:
        return Answer(503, b"starting or sick\n", "text/plain")
    return Answer(200, f"ok {found.id}\n".encode(), "text/plain")
