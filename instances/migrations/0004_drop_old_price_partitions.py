"""The one way by which the app may drop a month of price changes: only an old one, all of whose days are kept."""

from django.db import migrations

# Owned by the migrating role, as instances_ensure_price_partition is. 90 days: AWS itself tells no more.
DROP = """
CREATE FUNCTION instances_drop_price_partition(month date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    name  text := 'instances_spotprice_' || to_char(first, 'YYYY_MM');
    kept  boolean;
BEGIN
    IF to_regclass(name) IS NULL THEN
        RETURN NULL;
    END IF;
    IF (first + interval '1 month')::timestamp AT TIME ZONE 'UTC' > now() - interval '90 days' THEN
        RAISE EXCEPTION '% is too young to be dropped', name;
    END IF;
    EXECUTE format('LOCK TABLE %I IN SHARE ROW EXCLUSIVE MODE', name);
    EXECUTE format(
        'SELECT NOT EXISTS (SELECT FROM %I AS price WHERE NOT EXISTS (SELECT FROM instances_spotpricedaily AS daily
         WHERE daily.pool_id = price.pool_id AND daily.day = (price.at AT TIME ZONE ''UTC'')::date))', name
    ) INTO kept;
    IF NOT kept THEN
        RAISE EXCEPTION 'a day of % has no daily row', name;
    END IF;
    EXECUTE format('DROP TABLE %I', name);
    RETURN name;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("instances", "0003_daily_prices_and_fetch_orders")]
    operations = [migrations.RunSQL(DROP, "DROP FUNCTION instances_drop_price_partition(date)")]
