"""How does a file that somebody sends become a model of the registry?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings

from accounts.authentication import Caller
from mlregistry import artifacts, registry
from mlregistry.adapters.metadata import ModelRefused
from mlregistry.artifacts import ModelTooLarge
from mlregistry.models import ModelType, ModelVersion
from mlregistry.registry import MIB

METADATA_LIMIT_MIB = 4


@dataclass(frozen=True, slots=True)
class Offered:
    """What was said about the file beside it."""

    name: str
    version: str
    model_type: ModelType
    trained_until: date
    metadata: Mapping[str, Any]

    def whole(self) -> dict[str, Any]:
        """The metadata with what was said beside them. Raises ModelRefused where the two contradict."""
        said = {
            "name": self.name,
            "version": self.version,
            "model_type": self.model_type.value,
            "trained_until": self.trained_until.isoformat(),
        }
        for key, value in said.items():
            if str(self.metadata.get(key, value)) != value:
                raise ModelRefused(f"its metadata say {key} {self.metadata[key]!r}, and beside it stands {value!r}")
        return {**self.metadata, **said}


def limit_bytes() -> int:
    return int(settings.MODEL_UPLOAD_LIMIT_MIB) * MIB


def receive(content: bytes, offered: Offered, *, by: Caller) -> ModelVersion:
    """Store it, in testing, in the spelling that the sandboxed child wrote; the bytes that were sent are not kept.

    Raises ModelTooLarge, ModelRefused, AlreadyRegistered, and SandboxOff where foreign bytes cannot be read safely.
    """
    if len(content) > limit_bytes():
        raise ModelTooLarge(f"it has {len(content)} bytes, at most {limit_bytes()} are taken")
    metadata = offered.whole()
    if len(artifacts.canonical_json(metadata)) > METADATA_LIMIT_MIB * MIB:
        raise ModelTooLarge(f"its metadata have more than {METADATA_LIMIT_MIB} MiB")
    registry.refuse_taken(offered.name, offered.version)  # before the work, and once more with the row
    received = hashlib.sha256(content).hexdigest()
    return registry.store(artifacts.canonical(content, metadata), metadata, by=by, received_sha256=received)
