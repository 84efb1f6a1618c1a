"""What is common to the sockets that programs open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import Http404

from accounts.authentication import Caller
from accounts.live.socket import Socket
from accounts.live.views import Refused, View, number


class Programs(Socket):
    """JSON rows, asked for by the address, and anew by each frame, in the same words: `last`, `customer_id`, filters.

    Like the API: what is not known is refused, and whose it is stands in the session or the ticket.
    """

    asks: ClassVar[frozenset[str]] = frozenset()  # the filters' names

    def view(self, caller: Caller, asked: Mapping[str, str]) -> View:
        """What they hear. Raises Refused."""
        raise NotImplementedError

    async def entered(self) -> None:
        await self._hear(self.query)

    async def asked(self, body: dict[str, Any]) -> None:
        await self._hear({name: str(value) for name, value in body.items()})

    async def _hear(self, said: dict[str, str]) -> None:
        if unknown := said.keys() - self.asks - {"last", "customer_id"}:
            raise Refused(f"{min(unknown)} is not known here.")
        caller = self.guest.caller
        ours = str(caller.organization.pk) if caller.organization else None
        if said.get("customer_id", ours) not in (ours, None):
            raise Http404
        view = await self.looked_up(self.view, caller, {n: v for n, v in said.items() if n in self.asks})
        await self.hear("", view, number(said.get("last")))
