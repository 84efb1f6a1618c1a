"""Make an API key and print it, this once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from accounts import audit, keys
from accounts.domain import Scope
from accounts.models import Organization


class Command(BaseCommand):
    help = "Make an API key of an organization, or of the platform itself, and print it once."

    def add_arguments(self, parser: CommandParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--organization", metavar="NAME")
        whose.add_argument("--platform", action="store_true", help="may name any customer")
        parser.add_argument("--name", required=True, help="what it is for")
        parser.add_argument("--scope", action="append", required=True, choices=[scope.value for scope in Scope])
        parser.add_argument("--days", type=int, help="until it expires; without: never")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = None
        if not options["platform"]:
            organization = Organization.objects.filter(name=options["organization"]).first()
            if organization is None:
                raise CommandError(f"There is no organization {options['organization']!r}.")
        if options["days"] is not None and options["days"] < 1:
            raise CommandError("--days is at least 1.")
        expires_at = timezone.now() + timedelta(days=options["days"]) if options["days"] else None
        scopes = [Scope(scope) for scope in options["scope"]]
        with transaction.atomic():
            key, text = keys.issue(organization, options["name"], scopes, by=None, expires_at=expires_at)
            audit.record(
                "command create_api_key",
                "key.created",
                key,
                organization=organization,
                after={"name": key.name, "scopes": key.scopes, "expires_at": key.expires_at},
            )
        self.stdout.write(text)
