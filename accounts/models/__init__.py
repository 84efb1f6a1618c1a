from accounts.models.clouds import AwsAccount
from accounts.models.entrance import Invitation, RecoveryCode, TokenFamily
from accounts.models.feed import FeedHead, FeedItem
from accounts.models.people import ApiKey, Membership, Organization, User
from accounts.models.records import AuditEntry, AuditSeal
from accounts.models.requests import IdempotencyKey

__all__ = [
    "ApiKey",
    "AuditEntry",
    "AuditSeal",
    "AwsAccount",
    "FeedHead",
    "FeedItem",
    "IdempotencyKey",
    "Invitation",
    "Membership",
    "Organization",
    "RecoveryCode",
    "TokenFamily",
    "User",
]
