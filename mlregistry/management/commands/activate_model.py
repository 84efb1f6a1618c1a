"""`./run manage activate_model name version`: make a registered model the one that counts, after a trial."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from mlregistry import registry
from mlregistry.adapters.metadata import ModelRefused
from mlregistry.models import ModelVersion


class Command(BaseCommand):
    help = "Activate a graduated model; it must load and answer its stored sample first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("version")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            version = ModelVersion.objects.get(name=options["name"], version=options["version"])
            before = registry.activate(version, by="command activate_model", now=timezone.now())
        except ModelVersion.DoesNotExist as missing:
            raise CommandError(f"no model {options['name']} {options['version']} is registered") from missing
        except (ModelRefused, registry.NotActivatable) as refused:
            raise CommandError(f"not activated: {refused}") from refused
        self.stdout.write(f"{version} is active" + (f", after {before}" if before else ""))
