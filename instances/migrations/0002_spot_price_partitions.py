"""Spot prices: partitioned by month, 16 bytes of payload a row, partitions made by a function the app may call."""

from django.db import migrations

TABLE = """
CREATE TABLE instances_spotprice (
    pool_id   integer     NOT NULL,
    usd_micro integer     NOT NULL CHECK (usd_micro > 0),
    at        timestamptz NOT NULL,
    PRIMARY KEY (pool_id, at)
) PARTITION BY RANGE (at);
"""

# The app's role owns no table and so cannot attach a partition itself; this function, owned by the migrating role, can.
ENSURE = """
CREATE FUNCTION instances_ensure_price_partition(month date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    name  text := 'instances_spotprice_' || to_char(first, 'YYYY_MM');
BEGIN
    IF to_regclass(name) IS NULL THEN
        PERFORM pg_advisory_xact_lock(hashtext(name));
        IF to_regclass(name) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF instances_spotprice FOR VALUES FROM (%L) TO (%L)',
                name,
                first::timestamp AT TIME ZONE 'UTC',
                (first + interval '1 month')::timestamp AT TIME ZONE 'UTC'
            );
        END IF;
    END IF;
    RETURN name;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("instances", "0001_initial")]
    operations = [
        migrations.RunSQL(TABLE, "DROP TABLE instances_spotprice"),
        migrations.RunSQL(ENSURE, "DROP FUNCTION instances_ensure_price_partition(date)"),
    ]
