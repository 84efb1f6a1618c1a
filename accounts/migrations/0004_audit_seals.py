"""Seals of the audit log, a table that only grows as the log itself does."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

GUARD = """
CREATE TRIGGER seals_only_grow BEFORE UPDATE OR DELETE ON accounts_auditseal
    FOR EACH ROW EXECUTE FUNCTION accounts_audit_only_grows();
CREATE TRIGGER seals_are_never_emptied BEFORE TRUNCATE ON accounts_auditseal
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_audit_only_grows();
"""


def revoke(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [settings.DATABASE_ROLE_APP])
        if cursor.fetchone():
            role = schema_editor.quote_name(settings.DATABASE_ROLE_APP)
            cursor.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON accounts_auditseal FROM {role}")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_invitations_codes_and_tokens")]
    operations = [
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sequence", models.BigIntegerField()),
                ("seal", models.CharField(max_length=64)),
                ("at", models.DateTimeField(auto_now_add=True)),
                (
                    "entry",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="sealed",
                        to="accounts.auditentry",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "sequence"), name="one_seal_per_place", nulls_distinct=False
                    )
                ],
            },
        ),
        migrations.RunSQL(
            GUARD,
            "DROP TRIGGER seals_are_never_emptied ON accounts_auditseal;"
            "DROP TRIGGER seals_only_grow ON accounts_auditseal;",
        ),
        migrations.RunPython(revoke, migrations.RunPython.noop),
    ]
