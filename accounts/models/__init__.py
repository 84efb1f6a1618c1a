from accounts.models.clouds import AwsAccount
from accounts.models.people import ApiKey, Membership, Organization, User
from accounts.models.records import AuditEntry

__all__ = ["ApiKey", "AuditEntry", "AwsAccount", "Membership", "Organization", "User"]
