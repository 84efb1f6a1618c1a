"""What do answers about accounts look like? Shown in the schema; a test holds them to it."""

from drf_spectacular.utils import OpenApiExample

_FOUND = {
    "ok": False,
    "account_id_matches": True,
    "assumable": True,
    "assumable_without_external_id": False,
    "missing": ["ec2:DescribeVolumes"],
    "unproven": [],
    "region_problems": {},
    "problems": ["permission ec2:DescribeVolumes is missing"],
    "checked_at": "2026-11-20T12:00:00.000000Z",
}
_ACCOUNT = {
    "id": 2,
    "account_id": "111122223333",
    "name": "shop",
    "environment": "LAB",
    "regions": ["eu-west-3"],
    "read_role_arn": "",
    "external_id": "spotopt-8Jm0cW1q3sYt5uVx7zA9bC1dE3fG5hI7",
    "is_active": True,
    "is_valid": False,
    "validated_at": None,
    "validation": None,
    "synced_at": None,
    "created_at": "2026-11-20T11:58:00.000000Z",
}
_TRIED = {
    **_ACCOUNT,
    "read_role_arn": "arn:aws:iam::111122223333:role/spotopt-read",
    "external_id": None,
    "validated_at": "2026-11-20T12:00:00.000000Z",
    "validation": _FOUND,
}

ENROL = OpenApiExample(
    "An account to try things in",
    value={"account_id": "111122223333", "name": "shop", "regions": ["eu-west-3"]},
    request_only=True,
)
ENROLLED = OpenApiExample("Taken on, with its ExternalId", value=_ACCOUNT, response_only=True, status_codes=["201"])
ACCOUNT = OpenApiExample("One that lacks a permission, as a viewer sees it", value=_TRIED, response_only=True)
CHANGE = OpenApiExample(
    "The role that was deployed",
    value={"read_role_arn": "arn:aws:iam::111122223333:role/spotopt-read"},
    request_only=True,
)
OUT_OF_USE = OpenApiExample("Out of use", value={**_TRIED, "is_active": False}, response_only=True)
NOTHING = OpenApiExample("Nothing need be said", value={}, request_only=True)
FOUND = OpenApiExample("A permission is missing", value=_FOUND, response_only=True)
TEMPLATES = [
    OpenApiExample(
        "As CloudFormation, its beginning",
        value='AWSTemplateFormatVersion: "2010-09-09"\nResources:\n',
        response_only=True,
        media_type="application/yaml",
    ),
    OpenApiExample(
        "As Terraform, its beginning",
        value='resource "aws_iam_role" "spotopt_read" {\n',
        response_only=True,
        media_type="text/plain",
    ),
]
