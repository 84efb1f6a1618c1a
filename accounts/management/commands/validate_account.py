"""Try an account's roles and say what was found."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import onboarding
from accounts.aws.errors import AwsError
from accounts.models import AwsAccount


class Command(BaseCommand):
    help = "Try the roles of an AWS account, also without their ExternalId; fails when the account is not valid."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("account_id", help="12 digits; every organization's account of that id is tried")

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = AwsAccount.objects.filter(account_id=options["account_id"]).select_related("organization")
        if not accounts:
            raise CommandError(f"There is no account {options['account_id']}.")
        failed = []
        for account in accounts:
            try:
                found = onboarding.validate(account, by="command validate_account", now=timezone.now())
            except (AwsError, ValueError) as error:
                raise CommandError(str(error)) from error
            said = "valid" if found.ok else "not valid: " + "; ".join(found.problems)
            self.stdout.write(f"{account} of {account.organization}: {said}")
            for region, problem in found.region_problems.items():
                self.stdout.write(f"  {region}: {problem}")
            failed += [] if found.ok else [account]
        if failed:
            raise CommandError(f"{len(failed)} of {len(accounts)} failed.")
