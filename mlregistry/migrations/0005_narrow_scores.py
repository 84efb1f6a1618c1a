"""A score keeps its numbers packed: what it was made from and of, in one block instead of two JSON objects and an array.

Scores are derived: they are let go here, which makes every region due, and the next scoring, minutes away, writes them
anew. Decisions lose nothing, for a receipt holds its own copy.
"""

from django.db import migrations, models

FORGET = "TRUNCATE mlregistry_poolscore, mlregistry_regionscoring"


class Migration(migrations.Migration):
    dependencies = [("mlregistry", "0004_assignments_and_outcomes")]
    operations = [
        migrations.RunSQL(FORGET, migrations.RunSQL.noop),
        migrations.RemoveIndex("poolscore", "score_age"),
        migrations.RemoveField("poolscore", "components"),
        migrations.RemoveField("poolscore", "features"),
        migrations.AlterField("poolscore", "feature_hash", models.CharField(max_length=64, default="")),
        migrations.RemoveField("poolscore", "feature_hash"),
        migrations.RemoveField("poolscore", "inputs"),
        migrations.AddField("poolscore", "statistics", models.CharField(max_length=64, default=""), False),
        migrations.AddField("poolscore", "layout", models.IntegerField(default=0), False),
        migrations.AddField("regionscoring", "layout", models.IntegerField(default=0), False),
        migrations.AddField("poolscore", "numbers", models.BinaryField(default=b""), False),
        migrations.RunSQL(migrations.RunSQL.noop, FORGET),
        # every row is rewritten every few minutes: half a page stays free for its next version
        migrations.RunSQL(
            "ALTER TABLE mlregistry_poolscore SET (fillfactor = 50)", "ALTER TABLE mlregistry_poolscore RESET (fillfactor)"
        ),
    ]
