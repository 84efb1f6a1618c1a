"""Make an organization and its first owner."""

from __future__ import annotations

import getpass
import os
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts import audit
from accounts.domain import Role
from accounts.models import Membership, Organization, User

PASSWORD = "OWNER_PASSWORD"  # noqa: S105 -- the variable's name


class Command(BaseCommand):
    help = f"Make an organization and its owner; the password comes from {PASSWORD}, or is asked for."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--owner", required=True, metavar="USERNAME", help="made when there is none yet")
        parser.add_argument("--email", default="", help="of a new owner")

    def handle(self, *args: Any, **options: Any) -> None:
        if Organization.objects.filter(name=options["name"]).exists():
            raise CommandError(f"There is an organization {options['name']!r} already.")
        with transaction.atomic():
            organization = Organization.objects.create(name=options["name"])
            owner = User.objects.filter(username=options["owner"]).first() or _new_person(options)
            Membership.objects.create(organization=organization, user=owner, role=Role.OWNER.value)
            audit.record(
                "command create_organization",
                "organization.created",
                organization,
                organization=organization,
                after={"owner": owner.username},
            )
        self.stdout.write(f"{organization.name}: customer_id {organization.pk}, owner {owner.username}")


def _new_person(options: dict[str, Any]) -> User:
    if not options["email"]:
        raise CommandError(f"There is no person {options['owner']!r} yet: give --email.")
    password = os.environ.get(PASSWORD) or getpass.getpass("Password of the owner: ")
    person = User(username=options["owner"], email=options["email"])
    try:
        validate_password(password, person)
        person.full_clean(exclude=["password"])
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    person.set_password(password)
    person.save()
    return person
