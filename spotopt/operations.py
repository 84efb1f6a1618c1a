"""What does the schema say of an operation that its view alone knows? That it is safe to repeat.

Apart from `schema`: drf-spectacular's own views need this module before that one is read.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema

from accounts.idempotency import HEADER, Repeatable
from spotopt.problems import MEDIA_TYPE

REPEATED = {
    "in": "header",
    "name": HEADER,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    "description": "Makes the call safe to repeat for 24 hours: the same key and request get the first answer again, "
    "with `Idempotent-Replayed: true`; another request, or the same while the first is worked on, gets 409. After a "
    "crash nobody knows whether it was done: 409 with the state `unknown`. An answer that held a secret is not kept: "
    "409 with the state `done`, which says where to look. 401, 403, 404, 429 and 503 leave the key free.",
}
CONFLICT = "A state stands in the way, which `state` names; also that of an `Idempotency-Key`."


class Operations(AutoSchema):
    """Says of each POST that it is safe to repeat, where it is."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None and self.method == "POST" and isinstance(self.view, Repeatable):
            operation.setdefault("parameters", []).append(REPEATED)
            content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
            operation["responses"].setdefault("409", {"description": CONFLICT})["content"] = content
        return operation
