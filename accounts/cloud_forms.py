"""What may people say about AWS accounts on pages, and which accounts does the list show, in which order?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.db.models import Q, QuerySet

from accounts.aws.validation import ROLE_ARN
from accounts.domain import Environment, Role
from accounts.lists import ListForm, Orders
from accounts.models import AwsAccount
from accounts.regions import regions_in

STATES = {
    "usable": Q(is_active=True, is_valid=True),
    "unfinished": Q(is_active=True, is_valid=False),
    "inactive": Q(is_active=False),
}


class AccountsForm(ListForm):
    """What the address of the list may say."""

    orders = Orders(
        "name",
        {
            "name": "name",
            "account": "account_id",
            "environment": "environment",
            "validated": "validated_at",
            "inventory": "synced_at",
        },
    )

    q = forms.CharField(label="Name or account id", required=False, max_length=120)
    environment = forms.ChoiceField(
        label="Environment", required=False, choices=[("", "Any"), *((e.value, e.value) for e in Environment)]
    )
    state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[("", "Any"), ("usable", "Valid"), ("unfinished", "Not valid"), ("inactive", "Out of use")],
    )


def listed(accounts: QuerySet[AwsAccount], wanted: Mapping[str, Any]) -> QuerySet[AwsAccount]:
    """The accounts that match."""
    if text := wanted.get("q"):
        accounts = accounts.filter(Q(name__icontains=text) | Q(account_id__startswith=text))
    if environment := wanted.get("environment"):
        accounts = accounts.filter(environment=environment)
    if state := wanted.get("state"):
        accounts = accounts.filter(STATES[state])
    return accounts


class RegionsField(forms.CharField):
    """Names of regions, with spaces or commas between; as a list."""

    def __init__(self) -> None:
        super().__init__(label="Regions", max_length=1000, help_text="Names such as eu-west-3, with spaces between")

    def prepare_value(self, value: Any) -> Any:
        return " ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        words = super().clean(value)
        try:
            return regions_in(words)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class EnrolForm(forms.Form):
    """Step one: which account, and what may we do in it?"""

    access = forms.ChoiceField(
        label="Access",
        choices=[("read", "Read: we see the fleet and decide; no call that changes anything is granted")],
        widget=forms.RadioSelect,
        initial="read",
        help_text="There is nothing that acts yet, so there is no more to grant.",
    )
    account_id = forms.RegexField(
        r"^[0-9]{12}$",
        label="AWS account id",
        help_text="12 digits; it cannot be changed later",
        error_messages={"invalid": "An account id has 12 digits."},
    )
    name = forms.CharField(label="Name", max_length=120, help_text="What you call it")
    environment = forms.ChoiceField(
        label="Environment", initial="LAB", help_text="LAB never changes what PROD sees; PROD is for owners to say"
    )
    regions = RegionsField()

    def __init__(self, *args: Any, role: Role | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        open_to = list(Environment) if role is Role.OWNER else [Environment.LAB]
        self.fields["environment"].choices = [(e.value, e.value) for e in open_to]  # type: ignore[attr-defined]
        self.fields["regions"].initial = list(settings.MARKET_REGIONS)


class RoleForm(forms.Form):
    """Step two: the role that was deployed."""

    read_role_arn = forms.CharField(label="Role ARN", max_length=200)

    def __init__(self, *args: Any, account: AwsAccount, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account = account

    def clean_read_role_arn(self) -> str:
        arn = str(self.cleaned_data["read_role_arn"])
        match = ROLE_ARN.fullmatch(arn)
        if match is None:
            raise forms.ValidationError("This is no role's ARN: copy the output RoleArn of the stack.")
        if match["account"] != self.account.account_id:
            said = f"This role is of account {match['account']}, and this account is {self.account.account_id}."
            raise forms.ValidationError(said)
        return arn


class SettingsForm(forms.Form):
    """What may be changed at any time."""

    name = forms.CharField(label="Name", max_length=120)
    regions = RegionsField()
