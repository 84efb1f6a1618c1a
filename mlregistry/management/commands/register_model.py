"""`./run manage register_model [model metadata]`: put a model into the registry; without files, the shipped one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mlregistry import registry
from mlregistry.adapters.metadata import ModelRefused
from mlregistry.models import ModelStatus, ModelVersion

BY = "command register_model"


class Command(BaseCommand):
    help = "Register a LightGBM text model with its metadata; without files, the model this release ships with."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", nargs="?", type=Path, help="the model's text file")
        parser.add_argument("metadata", nargs="?", type=Path, help="its metadata.json")
        parser.add_argument("--graduate", action="store_true", help="it may be activated; otherwise it is in testing")

    def handle(self, *args: Any, **options: Any) -> None:
        if (options["model"] is None) != (options["metadata"] is None):
            raise CommandError("give both the model and its metadata, or neither")
        try:
            version = registry.register_shipped(by=BY) if options["model"] is None else _read(options)
        except (ModelRefused, registry.AlreadyRegistered, OSError, ValueError) as refused:
            raise CommandError(f"not registered: {refused}") from refused
        self.stdout.write(f"{version}: {version.status}, file {version.file_id}")


def _read(options: dict[str, Any]) -> ModelVersion:
    status = ModelStatus.GRADUATED if options["graduate"] else ModelStatus.TESTING
    metadata = json.loads(options["metadata"].read_bytes())
    return registry.store(options["model"].read_bytes(), metadata, by=BY, status=status)
