"""Until when may a role be used, and when is it assumed again?"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from botocore.credentials import Credentials, ReadOnlyCredentials

from accounts.aws.errors import AwsError, Denied

RENEW_BEFORE = timedelta(minutes=5)
LEAST_LEFT = timedelta(minutes=2)  # safety.md 5: a step needs two minutes, or renews first


@dataclass(frozen=True, slots=True)
class Grant:
    """What AssumeRole gave."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(repr=False)
    expires_at: datetime


class RoleCredentials(Credentials):
    """Credentials that botocore signs with, assumed again five minutes before they end. Thread-safe.

    botocore's own RefreshableCredentials log the traceback of a failed renewal and cannot be told that AWS has
    already called them expired.
    """

    def __init__(self, assume: Callable[[], Grant], clock: Callable[[], datetime]) -> None:
        self._assume = assume
        self._clock = clock
        self._lock = threading.Lock()
        first = assume()
        super().__init__(first.access_key, first.secret_key, first.token, method="spotopt-assume-role")
        self._take(first)

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """The credentials to sign with now.

        Raises the AwsError of a renewal that was denied, or that failed with less than two minutes left.
        """
        with self._lock:
            left = self._expires_at - self._clock()
            if left < RENEW_BEFORE:
                self._renew(may_fail=left >= LEAST_LEFT)
            return self._frozen

    def renew_expired(self, access_key: str) -> None:
        """AWS called these expired before their time; does nothing when another thread has renewed them meanwhile."""
        with self._lock:
            if self._frozen.access_key == access_key:
                self._renew(may_fail=False)

    def _renew(self, *, may_fail: bool) -> None:
        try:
            self._take(self._assume())
        except Denied:
            raise
        except AwsError:
            if not may_fail:
                raise

    def _take(self, grant: Grant) -> None:
        self._expires_at = grant.expires_at
        self._frozen = ReadOnlyCredentials(grant.access_key, grant.secret_key, grant.token)
        self.access_key, self.secret_key, self.token = grant.access_key, grant.secret_key, grant.token
