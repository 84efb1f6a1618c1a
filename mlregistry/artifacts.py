"""Under which digest does a model lie, is it small enough to be looked at, and what is it in its one spelling?

Whether the bytes are a model is asked of the adapter of their format; a pickle is known by its first byte, not opened.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlregistry import sandbox
from mlregistry.adapters.lightgbm_text import otherwise
from mlregistry.adapters.metadata import ModelRefused
from mlregistry.sandbox import SandboxFailed

logger = logging.getLogger(__name__)

LONGEST_REASON = 400  # of the child's words: they are a stranger's
ADMISSION = "mlregistry.adapters.admission:admit"
TAKEN = "LightGBM's text form is taken, as Booster.save_model writes it"


class ModelTooLarge(ModelRefused):
    """The file is larger than the setting allows."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model's file and metadata as they are stored, each with its digest."""

    content: bytes
    sha256: str
    metadata: Mapping[str, Any]
    metadata_sha256: str

    @property
    def key(self) -> tuple[str, str]:
        return self.sha256, self.metadata_sha256


def received(content: bytes, metadata: Mapping[str, Any], *, limit_bytes: int) -> Artifact:
    """Both with their digests. Raises ModelTooLarge; ModelRefused for metadata that are no JSON."""
    if len(content) > limit_bytes:
        raise ModelTooLarge(f"it has {len(content)} bytes, at most {limit_bytes} are taken")
    return Artifact(content, digest(content), metadata, digest(canonical_json(metadata)))


def canonical(content: bytes, metadata: Mapping[str, Any]) -> bytes:
    """A stranger's model as LightGBM writes what it read of it, after it answered its own sample.

    Read in the sandbox, where nothing of ours is in reach; what comes back is still a stranger's and is checked as any
    file is before it is loaded. Raises ModelRefused, SandboxOff.
    """
    if words := otherwise(content[:8]):
        raise ModelRefused(f"{words}; {TAKEN}")
    canonical_json(metadata)  # what is no JSON is refused here, not in the child
    try:
        answer = sandbox.run(ADMISSION, metadata, content)
    except SandboxFailed as failed:
        logger.warning("a model could not be read", extra={"how": str(failed), "told": failed.told})
        raise ModelRefused(f"reading it failed: {failed}") from failed
    if refused := answer.told.get("refused"):
        raise ModelRefused(str(refused)[:LONGEST_REASON])
    return answer.content


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """One spelling for equal JSON, the same before and after PostgreSQL's jsonb kept it.

    jsonb keeps 1e22 as digits and forgets the sign of zero, so whole floats are spelt as integers on both sides.
    Raises ModelRefused for NaN and infinity, which are no JSON.
    """
    try:
        plain = _plain(value)
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelRefused(f"its metadata are no JSON: {error}") from error
    if b"\\u0000" in text:
        raise ModelRefused("its metadata hold the character NUL, which PostgreSQL does not keep")
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
