"""How are AWS accounts and what a validation found written in the API?"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from accounts.authentication import caller_of
from accounts.aws.validation import ROLE_ARN
from accounts.domain import Environment, Role, Scope
from accounts.models import AwsAccount
from accounts.regions import FORM, MOST
from accounts.wire import Strict

ENVIRONMENTS = [(e.value, e.value) for e in Environment]
FIXED = {
    "account_id": "It was proved with this ExternalId: another account is another row.",
    "external_id": "It is made here and never chosen or changed.",
}


def _regions(**kwargs: Any) -> serializers.ListField:
    child = serializers.RegexField(FORM, max_length=24)
    return serializers.ListField(child=child, min_length=1, max_length=MOST, **kwargs)


class EnrolRequest(Strict):
    """The ExternalId is made here and stands in the answer."""

    account_id = serializers.RegexField(r"^[0-9]{12}$", help_text="12 digits; it cannot be changed")
    name = serializers.CharField(max_length=120)
    environment = serializers.ChoiceField(ENVIRONMENTS, default="LAB", help_text="PROD needs the role owner")
    regions = _regions(help_text="Where to look, such as eu-west-3")

    def validate_regions(self, regions: list[str]) -> list[str]:
        return list(dict.fromkeys(regions))


class ChangeRequest(Strict):
    """What is given is changed. Another role or other regions must be validated again."""

    name = serializers.CharField(max_length=120, required=False)
    environment = serializers.ChoiceField(ENVIRONMENTS, required=False, help_text="Needs the role owner")
    regions = _regions(required=False)
    read_role_arn = serializers.CharField(max_length=200, required=False, help_text="Of the role in this account")
    is_active = serializers.BooleanField(required=False, help_text="true brings back what DELETE took out of use")

    def to_internal_value(self, data: Any) -> Any:
        fixed = {name: [why] for name, why in FIXED.items() if isinstance(data, dict) and name in data}
        if fixed:
            raise ValidationError(fixed)
        return super().to_internal_value(data)

    def validate_regions(self, regions: list[str]) -> list[str]:
        return list(dict.fromkeys(regions))

    def validate_read_role_arn(self, arn: str) -> str:
        account_id = self.context["account"].account_id
        match = ROLE_ARN.fullmatch(arn)
        if match is None:
            raise ValidationError(f"This is no role's ARN, such as arn:aws:iam::{account_id}:role/spotopt-read.")
        if match["account"] != account_id:
            raise ValidationError(f"This role is of account {match['account']}, and this one is {account_id}.")
        return arn


class ValidateRequest(Strict):
    """Nothing need be said."""


class FoundSerializer(serializers.Serializer[Any]):
    """What was found when the role was tried; null = could not be tried, which never counts as a yes."""

    ok = serializers.SerializerMethodField()
    account_id_matches = serializers.BooleanField(allow_null=True)
    assumable = serializers.BooleanField(allow_null=True)
    assumable_without_external_id = serializers.BooleanField(allow_null=True, help_text="true is refused")
    missing = serializers.ListField(child=serializers.CharField(), help_text="IAM actions that the role lacks")
    unproven = serializers.ListField(child=serializers.CharField(), help_text="AWS said neither yes nor no")
    region_problems = serializers.DictField(child=serializers.CharField())
    problems = serializers.ListField(child=serializers.CharField(), help_text="In words, all that makes ok false")
    checked_at = serializers.DateTimeField()

    def get_ok(self, found: dict[str, Any]) -> bool:
        return not found["problems"]


class CloudAccountSerializer(serializers.ModelSerializer[AwsAccount]):
    """`id` is ours and stands in addresses; `account_id` is AWS's."""

    external_id = serializers.SerializerMethodField(help_text="null for whoever may not manage accounts")
    validation = serializers.SerializerMethodField(help_text="null before the first, and after a change of the role")

    class Meta:
        model = AwsAccount
        fields = (
            *("id", "account_id", "name", "environment", "regions", "read_role_arn", "external_id"),
            *("is_active", "is_valid", "validated_at", "validation", "synced_at", "created_at"),
        )

    def get_external_id(self, account: AwsAccount) -> str | None:
        may_manage = caller_of(self.context["request"]).may(Scope.MANAGE, Role.ADMIN)
        return account.external_id if may_manage else None

    @extend_schema_field(FoundSerializer(allow_null=True))
    def get_validation(self, account: AwsAccount) -> dict[str, Any] | None:
        return FoundSerializer(account.validation).data if account.validation else None
