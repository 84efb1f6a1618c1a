"""The audit table only grows: a trigger refuses changes by anybody, and the app's role is not even granted them."""

from django.conf import settings
from django.db import migrations

GUARD = """
CREATE FUNCTION accounts_audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are never changed or deleted';
END $$;
CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE ON accounts_auditentry
    FOR EACH ROW EXECUTE FUNCTION accounts_audit_only_grows();
CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON accounts_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_audit_only_grows();
"""


def revoke(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [settings.DATABASE_ROLE_APP])
        if cursor.fetchone():
            role = schema_editor.quote_name(settings.DATABASE_ROLE_APP)
            cursor.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON accounts_auditentry FROM {role}")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [
        migrations.RunSQL(
            GUARD,
            "DROP TRIGGER audit_is_never_emptied ON accounts_auditentry;"
            "DROP TRIGGER audit_only_grows ON accounts_auditentry; DROP FUNCTION accounts_audit_only_grows();",
        ),
        migrations.RunPython(revoke, migrations.RunPython.noop),
    ]
