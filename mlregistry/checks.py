"""Can models be taken here? Said when an installation is checked for deployment, not when the first upload fails."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register

from mlregistry import sandbox


@register(Tags.security, deploy=True)
def models_can_be_read_safely(app_configs: Any, **_: Any) -> list[CheckMessage]:
    reason = sandbox.off()
    if not reason:
        return []
    hint = "Run on Linux 5.13 or later with Landlock; until then uploads answer 503."
    return [Warning(f"Models cannot be uploaded: {reason}.", hint=hint, id="mlregistry.W001")]
