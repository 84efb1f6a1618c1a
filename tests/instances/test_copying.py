"""Do price rows come out of the database as they went in, once each, in flat memory?"""

import os
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from instances.market.copying import CHUNK, read_rows, write_changes
from instances.models import SpotPrice
from tests import plugin
from tests.factories import NOW

pytestmark = pytest.mark.django_db
T = NOW.timestamp()
ALL = sql.SQL("SELECT pool_id, at, usd_micro FROM instances_spotprice ORDER BY pool_id, at").format()


def write(*rows: tuple[int, float, int], chunk: int = CHUNK):
    pools, at, micros = zip(*rows, strict=True) if rows else ((), (), ())
    return write_changes(
        np.array(pools, dtype=np.int32),
        np.array(at, dtype=np.float64),
        np.array(micros, dtype=np.int32),
        chunk=chunk,
    )


def stored() -> list[tuple[int, float, int]]:
    return list(zip(*(column.tolist() for column in read_rows(ALL)), strict=True))


def test_what_is_written_is_read_back_in_order():
    assert write((2, T, 300), (1, T + 60, 200), (1, T, 100)) == (3, 3)
    assert stored() == [(1, T, 100), (1, T + 60, 200), (2, T, 300)]
    assert SpotPrice.objects.get(pool_id=2).at == NOW


def test_writing_the_same_again_changes_nothing():
    write((1, T, 100), (2, T, 300))
    assert write((1, T, 100), (2, T, 300)) == (2, 0)


def test_a_corrected_price_replaces_the_old_one():
    write((1, T, 100))
    assert write((1, T, 101)) == (1, 1)
    assert stored() == [(1, T, 101)]


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_of_two_prices_for_one_instant_the_later_row_wins(chunk):
    write((1, T, 100), (1, T, 200), (1, T, 150), chunk=chunk)
    assert stored() == [(1, T, 150)]


def test_no_rows_are_no_work():
    assert write() == (0, 0)
    assert stored() == []


def test_months_without_a_partition_get_one():
    long_ago = T - 400 * 86_400
    write((1, long_ago, 100), (1, T, 200), (1, T + 40 * 86_400, 300))
    assert [row[2] for row in stored()] == [100, 200, 300]


def test_a_price_of_zero_is_refused_by_the_table_itself():
    with pytest.raises(Exception, match="usd_micro_check"):
        write((1, T, 0))


@pytest.mark.django_db(transaction=True)
def test_two_writers_of_the_same_new_row_both_end_well():
    write((1, T - 60, 50))  # so that the partition is there
    host = os.fspath(plugin.running().postgres_socket_dir)
    with psycopg.connect(host=host, user="app", dbname=plugin.database()) as other:
        other.execute("INSERT INTO instances_spotprice (pool_id, at, usd_micro) VALUES (1, %s, 100)", [NOW])
        with ThreadPoolExecutor() as pool:
            ours = pool.submit(in_own_connection, lambda: write((1, T, 101), (2, T, 300)))
            wait_until_blocked()
            other.commit()
            assert ours.result() == (2, 2)
    assert stored() == [(1, T - 60, 50), (1, T, 101), (2, T, 300)]


def in_own_connection(work):
    try:
        return work()
    finally:
        connection.close()  # Django's is one for each thread


def wait_until_blocked() -> None:
    """Until a statement on another connection of ours waits for a lock."""
    deadline = time.monotonic() + 10
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(waiting)
            if cursor.fetchone() != (0,):
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="columns of 1, 2 and 1 rows"):
        write_changes(np.ones(1, np.int32), np.ones(2), np.ones(1, np.int32))


def test_statements_depend_on_chunks_not_on_rows():
    rows = [(pool, T + second, 100) for pool in range(1, 101) for second in range(20)]
    with CaptureQueriesContext(
        connection,
    ) as few:
        write(*rows[:10], chunk=1000)
    with CaptureQueriesContext(connection) as many:
        write(*rows, chunk=1000)
    assert len(few) <= 7
    assert len(many) == 2 * len(few)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 10**12), st.integers(1, 2**31 - 1)), max_size=40),
    st.integers(1, 7),
)
def test_any_rows_in_any_chunks_end_as_a_dictionary_would(rows, chunk):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM instances_spotprice")
    write(*((pool, T + micros / 1e6, usd) for pool, micros, usd in rows), chunk=chunk)
    expected = {(pool, round((T + micros / 1e6) * 1e6)): usd for pool, micros, usd in rows}
    assert {(pool, round(at * 1e6)): usd for pool, at, usd in stored()} == expected


def test_memory_does_not_grow_with_the_rows():
    def peak(n: int) -> int:
        pools = np.arange(n, dtype=np.int32) % 5_000 + 1
        at = T + np.arange(n, dtype=np.float64)
        micros = np.full(n, 100, dtype=np.int32)
        tracemalloc.start()
        write_changes(pools, at, micros, chunk=5_000)
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(5_000)
    assert peak(40_000) < 1.5 * peak(10_000)
