"""The socket of our own pages: one for each open page, with everything on it that lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.http import Http404
from django.template.loader import render_to_string

from accounts.authentication import Caller
from accounts.live.socket import Socket
from accounts.live.views import View, number

Part = Callable[[Caller, Mapping[str, str]], View]  # raises Refused, or Http404 for what is not theirs or not there


class Pages(Socket):
    """Each frame is a form of the page: which part, its filters, the last number it has, and whether it is paused.

    Answers are fragments that htmx puts in their place. Messages for the person are shown on every page.
    """

    is_for_people_alone: ClassVar[bool] = True

    def __init__(self, parts: Mapping[str, Part]) -> None:
        super().__init__()
        self._parts = parts

    async def asked(self, body: dict[str, Any]) -> None:
        said = {name: value for name, value in body.items() if isinstance(value, str)}
        name = said.pop("part", "")
        if name not in self._parts:
            raise Http404
        last, is_paused = number(said.pop("last", None)), said.pop("paused", "") != ""
        view = await self.looked_up(self._parts[name], self.guest.caller, said)
        if is_paused:
            self.unhear(name)  # the page keeps its last number, and catches up from there
        elif self.heard(name) != view:
            await self.hear(name, view, last)

    async def live_toast(self, message: dict[str, Any]) -> None:
        organization = self.guest.caller.organization
        if organization and message["organization"] == str(organization.pk):
            self.deliver(render_to_string("live/toast.html", {"toast": message}))
