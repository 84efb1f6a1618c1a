"""The socket of predictions as they are made."""

from __future__ import annotations

from collections.abc import Mapping

from accounts.authentication import Caller
from accounts.feed import Kind
from accounts.live.programs import Programs
from accounts.live.views import Plain, View


class Predictions(Programs):
    def view(self, caller: Caller, asked: Mapping[str, str]) -> View:
        return Plain(caller.organization.pk if caller.organization else None, frozenset({Kind.PREDICTION}))
