"""What does a customer deploy so that we get in? A role with the least that we call, as CloudFormation or Terraform.

Made from what the adapters say they call (`accounts.aws.policy`): a new call changes the template, nothing else does.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

from django.conf import settings

from accounts.aws import policy
from accounts.models import AwsAccount

ROLE_NAME = "spotopt-read"
POLICY_NAME = "spotopt-read"
SESSION_SECONDS = 3600  # the longest that STS gives to a chained role
NOTHING_ACTS = "There is nothing that acts yet: give a role that reads (access=read)."
NO_INSTALLATION = (
    "This installation does not say which AWS account it is: set INSTALLATION_ACCOUNT_ID to its 12 digits. "
    "A role's trust policy names it."
)


class TemplateFormat(StrEnum):
    CLOUDFORMATION = "cloudformation"
    TERRAFORM = "terraform"

    @property
    def file_name(self) -> str:
        return f"{ROLE_NAME}.{'yaml' if self is TemplateFormat.CLOUDFORMATION else 'tf'}"

    @property
    def media_type(self) -> str:
        return "application/yaml" if self is TemplateFormat.CLOUDFORMATION else "text/plain"


class NoInstallation(Exception):
    """INSTALLATION_ACCOUNT_ID is not set: a trust policy without it would trust nobody, or anybody."""

    def __init__(self) -> None:
        super().__init__(NO_INSTALLATION)


def role_template(account: AwsAccount, form: TemplateFormat) -> str:
    """The text to deploy; the same text for the same account and the same adapters. Raises NoInstallation."""
    if not settings.INSTALLATION_ACCOUNT_ID:
        raise NoInstallation
    trust = policy.trust_policy(settings.INSTALLATION_ACCOUNT_ID, account.external_id)
    render = _cloudformation if form is TemplateFormat.CLOUDFORMATION else _terraform
    return render(account.account_id, trust, policy.read_policy())


def expected_role_arn(account: AwsAccount) -> str:
    """The ARN of the role that the template makes."""
    return f"arn:aws:iam::{account.account_id}:role/{ROLE_NAME}"


def _cloudformation(account_id: str, trust: dict[str, Any], grants: dict[str, Any]) -> str:
    return f"""\
# Lets spotopt read AWS account {account_id}. It grants no call that changes anything.
# aws cloudformation deploy --stack-name {ROLE_NAME} --template-file {TemplateFormat.CLOUDFORMATION.file_name} \
--capabilities CAPABILITY_NAMED_IAM
AWSTemplateFormatVersion: "2010-09-09"
Description: Lets spotopt read this account
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: {ROLE_NAME}
      MaxSessionDuration: {SESSION_SECONDS}
      AssumeRolePolicyDocument: {_indented(trust, 6)}
      Policies:
        - PolicyName: {POLICY_NAME}
          PolicyDocument: {_indented(grants, 10)}
Outputs:
  RoleArn:
    Description: Paste this into spotopt
    Value: !GetAtt Role.Arn
"""


def _terraform(account_id: str, trust: dict[str, Any], grants: dict[str, Any]) -> str:
    return f"""\
# Lets spotopt read AWS account {account_id}. It grants no call that changes anything.
# terraform init && terraform apply, with credentials of that account
resource "aws_iam_role" "spotopt_read" {{
  name                 = "{ROLE_NAME}"
  max_session_duration = {SESSION_SECONDS}
  assume_role_policy   = jsonencode({_indented(trust, 2)})
}}

resource "aws_iam_role_policy" "spotopt_read" {{
  name   = "{POLICY_NAME}"
  role   = aws_iam_role.spotopt_read.id
  policy = jsonencode({_indented(grants, 2)})
}}

output "role_arn" {{
  description = "Paste this into spotopt"
  value       = aws_iam_role.spotopt_read.arn
}}
"""


def _indented(document: dict[str, Any], spaces: int) -> str:
    """A policy as JSON, which is YAML too, and an HCL expression; the lines after the first are moved in."""
    return json.dumps(document, indent=2).replace("\n", "\n" + " " * spaces)
