"""The process `web` of production with the benches' addresses added."""

from __future__ import annotations

from django.conf import settings

from spotopt.wsgi import application

settings.ROOT_URLCONF = "spotopt.local.benches.urls"

__all__ = ["application"]
