"""The feed: what happened, for whoever watches; and the last number given in each organization."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0006_audit_by_subject'),
    ]

    operations = [
        migrations.CreateModel(
            name='FeedHead',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('last', models.BigIntegerField(default=0)),
                ('organization', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.organization')),
            ],
            options={
                'ordering': ['pk'],
                'constraints': [models.UniqueConstraint(fields=('organization',), name='one_feed_head', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='FeedItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.BigIntegerField(null=True)),
                ('kind', models.CharField(max_length=16)),
                ('at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('body', models.JSONField()),
                ('organization', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.organization')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('number', None)), fields=['organization', 'id'], name='feed_unnumbered')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('number__isnull', False)), fields=('organization', 'number'), name='feed_number_once', nulls_distinct=False)],
            },
        ),
    ]
