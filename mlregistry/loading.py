"""Which model counts now, and is it in memory? Version → adapter, cached per process by digest."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mlregistry.adapters import baseline
from mlregistry.adapters.base import ModelAdapter
from mlregistry.adapters.lightgbm import load as load_lightgbm
from mlregistry.adapters.metadata import ModelRefused
from mlregistry.artifacts import canonical_json, digest
from mlregistry.models import ModelFile, ModelType, ModelVersion

LIGHTGBM_TEXT = "lightgbm-text"
LOADERS = {LIGHTGBM_TEXT: load_lightgbm}
KEPT = 8  # adapters a process keeps: the active one, one in shadow, the last few that were active

Key = tuple[str, str]  # SHA-256 of the file, SHA-256 of the metadata


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory with the names that receipts and answers give it; no adapter = the baseline of day zero."""

    id: int | None
    name: str
    version: str
    file_sha256: str | None
    metadata_sha256: str | None
    horizon: timedelta
    adapter: ModelAdapter | None

    @property
    def is_baseline(self) -> bool:
        return self.adapter is None

    def as_json(self) -> dict[str, Any]:
        """Identity for a receipt or an answer."""
        return {
            "id": self.id,
            "name": self.name,
            "version": self.version,
            "file_sha256": self.file_sha256,
            "metadata_sha256": self.metadata_sha256,
            "horizon_seconds": int(self.horizon.total_seconds()),
        }


BASELINE = LoadedModel(None, baseline.NAME, baseline.VERSION, None, None, baseline.HORIZON, None)

_lock = threading.Lock()
_adapters: OrderedDict[Key, ModelAdapter] = OrderedDict()


def active_model(model_type: ModelType = ModelType.SPOT_PREDICTOR) -> LoadedModel:
    """The active model, or the baseline when none is. One narrow query at each use, so that no process runs an old one.

    Raises ModelRefused when the stored bytes are not the ones that were registered.
    """
    version = ModelVersion.objects.filter(model_type=model_type, is_active=True).defer("metadata", "trial").first()
    return BASELINE if version is None else loaded(version)


def active_adapter(model_type: ModelType = ModelType.SPOT_PREDICTOR) -> ModelAdapter | None:
    """The active model's adapter; None on day zero."""
    return active_model(model_type).adapter


def loaded(version: ModelVersion) -> LoadedModel:
    """That version in memory, whatever its status: a replay needs models that are no longer active. ModelRefused."""
    adapter = adapter_of(version)
    return LoadedModel(
        id=version.pk,
        name=version.name,
        version=version.version,
        file_sha256=version.file_id,
        metadata_sha256=version.metadata_sha256,
        horizon=adapter.horizon,
        adapter=adapter,
    )


def adapter_of(version: ModelVersion) -> ModelAdapter:
    """Its adapter, from memory or from the stored bytes. Thread-safe. Raises ModelRefused."""
    key = (version.file_id, version.metadata_sha256)
    with _lock:  # held while loading: two threads that ask for the same model load it once
        adapter = _adapters.get(key)
        if adapter is None:
            content = bytes(ModelFile.objects.only("content").get(pk=version.file_id).content)
            adapter = _adapters[key] = verified(version.format, content, version.metadata, key)
        _adapters.move_to_end(key)
        while len(_adapters) > KEPT:
            _adapters.popitem(last=False)
        return adapter


def by_digest(file_sha256: str, metadata_sha256: str) -> LoadedModel:
    """The registered version with these bytes, for a replay. Raises ModelVersion.DoesNotExist."""
    found = ModelVersion.objects.filter(file_id=file_sha256, metadata_sha256=metadata_sha256).first()
    if found is None:
        raise ModelVersion.DoesNotExist(f"no registered model has the digests {file_sha256} and {metadata_sha256}")
    return loaded(found)


def verified(format_: str, content: bytes, metadata: Mapping[str, Any], key: Key) -> ModelAdapter:
    """The adapter of bytes that have these digests. Raises ModelRefused."""
    if digest(content) != key[0]:
        raise ModelRefused("its file is not the one that was registered (the SHA-256 differs)")
    if digest(canonical_json(metadata)) != key[1]:
        raise ModelRefused("its metadata are not the ones that were registered (the SHA-256 differs)")
    return LOADERS[format_](content, metadata)


def forget() -> None:
    """Empty the cache of this process."""
    with _lock:
        _adapters.clear()
