"""How is a deed kept from running twice at once, in whatever process?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError, connection

NAMESPACE = 7_301  # the first key of our advisory locks, so that another program's numbers never meet ours


@contextmanager
def advisory_lock(name: str) -> Iterator[bool]:
    """Hold PostgreSQL's lock `name` while inside; False when another connection has it.

    It belongs to the connection, not to a transaction: work inside may commit as it goes, and a process that dies
    gives the lock back at once.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [NAMESPACE, name])
        is_ours = cursor.fetchone() == (True,)
    try:
        yield is_ours
    finally:
        if is_ours:
            _release(name)


def _release(name: str) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", [NAMESPACE, name])
    except (DatabaseError, InterfaceError):
        connection.close()  # it is gone or spoilt, and closing gives back every lock it held
