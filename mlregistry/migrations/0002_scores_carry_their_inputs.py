"""A score keeps what it was computed from, and statistics are kept under their digest instead of being overwritten."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mlregistry", "0001_initial")]
    operations = [
        migrations.AddField("poolscore", "inputs", models.JSONField(default=dict)),
        # computed anew at the next scoring of each region, minutes away
        migrations.RunSQL("DELETE FROM mlregistry_featurestatistics", migrations.RunSQL.noop),
        migrations.RemoveConstraint("featurestatistics", "statistics_once"),
        migrations.AddField(
            "featurestatistics", "sha256", models.CharField(max_length=64, unique=True), preserve_default=True
        ),
        migrations.AddIndex(
            "featurestatistics", models.Index(fields=["region", "-computed_at"], name="statistics_latest")
        ),
    ]
