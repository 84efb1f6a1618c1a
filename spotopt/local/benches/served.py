"""The demo's one process with the benches' addresses added: two of HTTP, and a socket that hears by group_send."""

from __future__ import annotations

from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path, re_path

from spotopt import asgi, sockets

settings.ROOT_URLCONF = "spotopt.local.benches.urls"


class Group(AsyncWebsocketConsumer):
    """As Channels' own guide has it."""

    groups = ["bench"]

    async def bench_message(self, message: dict[str, Any]) -> None:
        await self.send(text_data=message["text"])


application = ProtocolTypeRouter(
    {
        "http": asgi.http,
        "websocket": URLRouter([path("bench/group", Group.as_asgi()), re_path("", sockets.sockets)]),
    }
)
