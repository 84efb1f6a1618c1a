"""How far is an account's onboarding, and what comes next? Read off its row, so that a walk can be left and resumed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from accounts.models import AwsAccount


class StepState(StrEnum):
    DONE = "done"
    NOW = "running"  # whose turn it is
    FAILED = "failed"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    state: StepState
    said: str


def steps(account: AwsAccount) -> tuple[Step, ...]:
    return (
        Step("account", StepState.DONE, f"{account.account_id}, read access"),
        _role(account),
        _validation(account),
        _inventory(account),
    )


def is_over(account: AwsAccount) -> bool:
    return all(step.state is StepState.DONE for step in steps(account))


def _role(account: AwsAccount) -> Step:
    if account.read_role_arn:
        return Step("role", StepState.DONE, account.read_role_arn.rpartition("/")[2])
    return Step("role", StepState.NOW, "Deploy the template, paste the role's ARN")


def _validation(account: AwsAccount) -> Step:
    if account.is_valid:
        return Step("validation", StepState.DONE, "Opens for us, and for nobody else")
    if account.validated_at:
        return Step("validation", StepState.FAILED, "See what to do below, then validate again")
    if account.read_role_arn:
        return Step("validation", StepState.NOW, "Press “Validate”")
    return Step("validation", StepState.WAITING, "Needs the role")


def _inventory(account: AwsAccount) -> Step:
    if account.synced_at:
        is_renewed = account.is_valid and account.is_active
        said = "Renewed every 15 minutes" if is_renewed else "Kept as it was; not renewed now"
        return Step("first inventory", StepState.DONE, said)
    if account.is_valid:
        return Step("first inventory", StepState.NOW, "Below: start it, or see how far it is")
    return Step("first inventory", StepState.WAITING, "Needs a valid role")
