"""`./run manage score [region …]`: score regions now, due or not."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from instances.models import Pool
from mlregistry import scoring


class Command(BaseCommand):
    help = "Score every pool of the given regions, of all by default."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("regions", nargs="*", help="such as us-east-1; default: every region with pools")

    def handle(self, *args: Any, **options: Any) -> None:
        known = list(Pool.objects.order_by("region").values_list("region", flat=True).distinct())
        wanted = options["regions"] or known
        unknown = sorted(set(wanted) - set(known))
        if unknown or not wanted:
            raise CommandError(f"no pools in {', '.join(unknown) or 'any region'}: fetch prices first")
        for region in wanted:
            found = scoring.score_region(region, now=timezone.now())
            self.stdout.write(
                f"{region}: {found.pools} pools, {found.unknown} of them unknown, "
                f"by {found.model.name} {found.model.version}, {found.took_seconds:.1f} s"
            )
