from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts"

    # how each row leads to its organization; the rule that reads it: accounts/ownership.py
    ownership = {
        "IdempotencyKey": "organization",
        "Invitation": "organization",
        "RecoveryCode": "-",
        "TokenFamily": "organization",
        "Organization": "pk",
        "User": "memberships__organization",
        "Membership": "organization",
        "ApiKey": "organization",
        "AwsAccount": "organization",
        "AuditEntry": "organization",
        "AuditSeal": "organization",
        "FeedItem": "organization",
        "FeedHead": "organization",
    }

    def ready(self) -> None:
        from accounts import checks  # noqa: F401 -- registers the start-up checks
