"""Which models may be used, and which one counts? Store, activate after a trial, register what ships."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts import audit
from accounts.authentication import Caller
from mlregistry import artifacts, assigning, loading, news
from mlregistry.adapters.base import SAMPLE_TOLERANCE
from mlregistry.adapters.metadata import ModelRefused
from mlregistry.artifacts import Artifact
from mlregistry.models import Assignment, ModelFile, ModelStatus, ModelType, ModelVersion

SHIPPED = Path(__file__).parent / "shipped"
MIB = 1024 * 1024


class AlreadyRegistered(Exception):
    """The name and version are taken, by other bytes or the same; `existing` is the row."""

    def __init__(self, existing: ModelVersion) -> None:
        self.existing = existing
        is_gone = " and was deleted: a version stands for its bytes for good" if existing.deleted_at else ""
        super().__init__(f"{existing} is registered already, as {existing.status}{is_gone}")


class NotActivatable(Exception):
    """Only a graduated model may be active; `state` is the status that stands in the way."""

    def __init__(self, version: ModelVersion) -> None:
        self.state = "deleted" if version.deleted_at else version.status
        super().__init__(f"{version} is {self.state}; only a graduated model may be active")


class StillActive(Exception):
    """The active model stays graduated until another one is active."""


class StillAssigned(Exception):
    """Organizations use it; `count` assignments stand in the way. It does not say whose."""

    def __init__(self, version: ModelVersion, count: int) -> None:
        self.count = count
        super().__init__(f"{version} is assigned {count} time{'' if count == 1 else 's'}; reject it, which ends them")


class NoSuchMove(Exception):
    """A rejected model goes back to testing before anything else."""


REFUSALS = (NotActivatable, StillActive, StillAssigned, NoSuchMove)


def store(
    content: bytes,
    metadata: Mapping[str, Any],
    *,
    by: Caller | str,
    status: ModelStatus = ModelStatus.TESTING,
    is_experimental: bool = False,
    received_sha256: str = "",
) -> ModelVersion:
    """Register a model under the name and version that its metadata say.

    It must load and answer its own sample first. `received_sha256` is of the bytes somebody sent, where these are not
    they. Raises ModelRefused (not a model, another feature version, a sample
    it answers otherwise …), ModelTooLarge, AlreadyRegistered.
    """
    limit = settings.MODEL_UPLOAD_LIMIT_MIB * MIB
    artifact = artifacts.received(content, metadata, limit_bytes=limit)
    adapter = loading.verified(loading.LIGHTGBM_TEXT, content, metadata, artifact.key)
    adapter.try_sample()
    version = ModelVersion(
        name=adapter.metadata.name,
        version=adapter.metadata.version,
        model_type=ModelType.SPOT_PREDICTOR,
        format=loading.LIGHTGBM_TEXT,
        file_id=artifact.sha256,
        metadata=metadata,
        metadata_sha256=artifact.metadata_sha256,
        feature_version=adapter.feature_version,
        feature_hash=metadata["feature_hash"],
        horizon_seconds=int(adapter.horizon.total_seconds()),
        trained_until=_trained_until(metadata),
        status=status,
        is_experimental=is_experimental,
        uploaded_by=by.user if isinstance(by, Caller) else None,
    )
    with transaction.atomic():
        _insert(version, artifact)
        sent = {"received_sha256": received_sha256} if received_sha256 else {}
        audit.record(by, "model.registered", version, after=_identity(version) | sent)
    return version


def refuse_taken(name: str, version: str) -> None:
    """Raises AlreadyRegistered when the name and version stand for a model, also one that was deleted."""
    taken = ModelVersion.objects.defer("metadata", "trial").filter(name=name, version=version).first()
    if taken is not None:
        raise AlreadyRegistered(taken)


def activate(version: ModelVersion, *, by: Caller | str, now: datetime) -> ModelVersion | None:
    """Make it the one that counts; returns the one that did, None when there was none or it is active already.

    The model is loaded from its stored bytes and answers its stored sample before anything is switched; of two
    activations at once the later one stands. Raises ModelRefused, NotActivatable.
    """
    trial = _tried(version, now)
    with transaction.atomic():
        # every row of the type, in one order: two activations at once follow one another
        of_type = ModelVersion.objects.select_for_update().filter(model_type=version.model_type).order_by("pk")
        rows = {row.pk: row for row in of_type.defer("metadata")}
        current = rows[version.pk]
        if current.status != ModelStatus.GRADUATED or current.deleted_at:
            raise NotActivatable(current)
        previous = next((row for row in rows.values() if row.is_active), None)
        if previous != current:
            _switch(current, previous, by, now)
        ModelVersion.objects.filter(pk=current.pk).update(trial=trial)
    version.refresh_from_db(fields=["is_active", "activated_at", "trial", "status"])
    return previous if previous != version else None


def judge(version: ModelVersion, status: ModelStatus, *, by: Caller | str, reason: str = "") -> None:
    """Graduate or reject it, or put it back to testing; assignments that its new status forbids end with that.

    Raises StillActive for the active one, NoSuchMove from rejected to graduated, ModelVersion.DoesNotExist.
    """
    with transaction.atomic():
        current = _locked(version)
        if current.is_active and status != ModelStatus.GRADUATED:
            raise StillActive(f"{current} is active; activate another model first")
        if (current.status, status) == (ModelStatus.REJECTED, ModelStatus.GRADUATED):
            raise NoSuchMove(f"{current} was rejected; put it back to testing first")
        before, current.status = current.status, status.value
        if before != status:
            current.save(update_fields=["status"])
            audit.record(by, "model.judged", current, before=before, after=status.value, reason=reason)
            assigning.end_forbidden(current, status, by=by)
    version.status = status.value


def delete(version: ModelVersion, *, by: Caller | str, now: datetime) -> None:
    """Take it out of every list and every use. Its bytes stay, for its decisions are recomputed from them.

    Raises StillActive, StillAssigned, ModelVersion.DoesNotExist when it was deleted before.
    """
    with transaction.atomic():
        current = _locked(version)
        if current.is_active:
            raise StillActive(f"{current} is active; activate another model first")
        if count := Assignment.objects.filter(model=current).count():
            raise StillAssigned(current, count)
        current.deleted_at = now
        current.save(update_fields=["deleted_at"])
        audit.record(by, "model.deleted", current, before=_identity(current))
    version.deleted_at = now


def register_shipped(*, by: Caller | str = "installation") -> ModelVersion:
    """The model this release ships with, registered and graduated; the same row when it is there already.

    Raises ModelRefused when the shipped files are damaged, AlreadyRegistered when the name and version stand for
    other bytes.
    """
    metadata = json.loads((SHIPPED / "metadata.json").read_bytes())
    content = (SHIPPED / "model.txt").read_bytes()
    try:
        return store(content, metadata, by=by, status=ModelStatus.GRADUATED)
    except AlreadyRegistered as registered:
        existing, artifact = registered.existing, artifacts.received(content, metadata, limit_bytes=len(content))
        if (existing.file_id, existing.metadata_sha256) != artifact.key:
            raise
        return existing


def _locked(version: ModelVersion) -> ModelVersion:
    return ModelVersion.objects.present().select_for_update().defer("metadata", "trial").get(pk=version.pk)


def _insert(version: ModelVersion, artifact: Artifact) -> None:
    """The file once per digest, and the row. Raises AlreadyRegistered, also when another process was first."""
    refuse_taken(version.name, version.version)
    file = ModelFile(sha256=artifact.sha256, content=artifact.content, size=len(artifact.content))
    ModelFile.objects.bulk_create([file], ignore_conflicts=True)
    try:
        with transaction.atomic():
            version.save(force_insert=True)
    except IntegrityError as error:
        taken = ModelVersion.objects.defer("metadata").get(name=version.name, version=version.version)
        raise AlreadyRegistered(taken) from error


def _tried(version: ModelVersion, now: datetime) -> dict[str, Any]:
    """Load it, let it answer its stored sample, and say what was seen."""
    adapter = loading.adapter_of(version)
    adapter.try_sample()
    return {"at": now.isoformat(), "rows": len(adapter.metadata.sample_outputs), "tolerance": SAMPLE_TOLERANCE}


def _switch(current: ModelVersion, previous: ModelVersion | None, by: Caller | str, now: datetime) -> None:
    if previous is not None:
        ModelVersion.objects.filter(pk=previous.pk).update(is_active=False)
    ModelVersion.objects.filter(pk=current.pk).update(is_active=True, activated_at=now)
    before = _identity(previous) if previous else None
    audit.record(by, "model.activated", current, before=before, after=_identity(current))
    news.announce()


def _identity(version: ModelVersion) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": version.version,
        "file_sha256": version.file_id,
        "metadata_sha256": version.metadata_sha256,
    }


def _trained_until(metadata: Mapping[str, Any]) -> date:
    try:
        return date.fromisoformat(metadata["trained_until"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelRefused("its metadata do not say until which day it was trained: trained_until") from error
