"""The demo's one process with the benches' two addresses added."""

from __future__ import annotations

from django.conf import settings

from spotopt.asgi import application

settings.ROOT_URLCONF = "spotopt.local.benches.urls"

__all__ = ["application"]
