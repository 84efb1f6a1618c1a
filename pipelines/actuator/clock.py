"""What time is it, for leases and due times? The database's time: all workers have that one alone."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

_offset = timedelta()  # tests alone set it (tests/architecture/test_acting.py holds that); zero in life


def now() -> datetime:
    """clock_timestamp(), which goes on inside a transaction, plus the tests' offset."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    at: datetime = row[0]
    return at + _offset
