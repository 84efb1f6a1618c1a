"""An evaluation is made by the model its organization assigned, and a shadow model is asked beside."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.authentication import member
from governance.models import OptimizationPolicy
from mlregistry import assigning, loading, registry
from mlregistry.models import AssignmentKind, ModelFile, ModelStatus, PoolScore, Prediction
from mlregistry.scoring import score_region
from mlregistry.second_opinion import opinions
from pipelines import linear
from pipelines.models import RunState, ShadowDecision
from pipelines.picture import drawn
from pipelines.replaying import replay
from tests.factories import NOW, alice, northwind
from tests.mlregistry.a_market import a_registered_model
from tests.pipelines.worlds import a_plain_instance, a_scored_market

pytestmark = pytest.mark.django_db
TRACED = ["m5", "m5a", "m6i"]  # families of the market's candidates: the model has its own word on them


def a_second_model(**fields):
    return a_registered_model(active=False, version="2", trace_families=TRACED, **fields)


def assign(version, instance, kind=AssignmentKind.SERVING):
    by = member(alice(), alice().memberships.select_related("organization").get())
    assigning.assign(version, [instance], kind, by=by, now=NOW)


def decided(instance):
    run = linear.evaluate(instance, now=NOW)
    assert run.state == RunState.DONE, run.error
    return run.experiment


def test_the_assigned_model_judges_at_once_although_the_stored_scores_are_anothers():
    a_scored_market()
    version, instance = a_second_model(), a_plain_instance()
    assert decided(instance).evidence == "advisor"
    assign(version, instance)
    found = decided(instance)
    assert found.model == version
    assert found.evidence == "trace"
    assert found.receipt["model"]["version"] == "2"
    assert found.receipt["instance"]["model_chosen_by"] == "assigned to the instance"
    assert len(found.receipt["candidates"]) == 9


def test_its_receipt_replays_to_the_bit():
    a_scored_market()
    version, instance = a_second_model(), a_plain_instance()
    assign(version, instance)
    again = replay(decided(instance))
    assert (again.is_exact, again.differences) == (True, ())


def test_another_instance_is_judged_by_the_active_model_still():
    a_scored_market()
    assign(a_second_model(), a_plain_instance())
    found = decided(a_plain_instance())
    assert found.model is None
    assert found.receipt["instance"]["model_chosen_by"] == "the active model"


def test_an_assigned_models_opinion_is_what_a_scoring_by_it_would_store():
    a_scored_market()
    version = a_second_model()
    found = opinions(loading.loaded(version), list(PoolScore.objects.values_list("pk", flat=True)))
    registry.activate(version, by="a test", now=NOW)
    at = PoolScore.objects.first().scored_at
    score_region("us-east-1", now=at)
    for score in PoolScore.objects.all():
        opinion = found[score.pk]
        assert opinion.interruption_probability == score.interruption_probability
        assert (opinion.evidence, opinion.safety_score) == (score.evidence, score.safety_score)


def test_asking_it_takes_the_same_queries_for_one_pool_and_for_all():
    a_scored_market()
    model = loading.loaded(a_second_model())
    ids = list(PoolScore.objects.values_list("pk", flat=True))
    with CaptureQueriesContext(connection) as one:
        opinions(model, ids[:1])
    with CaptureQueriesContext(connection) as many:
        assert len(opinions(model, ids)) == len(ids) > 9
    assert len(one) == len(many) == 2


def test_a_damaged_assigned_model_fails_the_run_and_no_other_judges_instead():
    a_scored_market()
    version, instance = a_second_model(), a_plain_instance()
    assign(version, instance)
    ModelFile.objects.update(content=b"something else")
    loading.forget()
    run = linear.evaluate(instance, now=NOW)
    assert run.state == RunState.FAILED
    assert "SHA-256 differs" in run.error


def a_cautious_instance():
    """Of an account that takes no risk that the model of tests sees anywhere."""
    instance = a_plain_instance()
    OptimizationPolicy.objects.create(
        organization=northwind(), account=instance.account, overrides={"max_interruption_probability": 0.05}
    )
    return instance


class TestInShadow:
    def test_a_shadow_model_is_asked_beside_and_only_logs(self):
        a_scored_market()
        version, instance = a_second_model(status=ModelStatus.TESTING), a_cautious_instance()
        alone = decided(instance)
        assign(version, instance, AssignmentKind.SHADOW)
        found = decided(instance)
        assert (found.model, found.decision, found.reason) == (None, alone.decision, alone.reason)
        beside = found.beside
        assert (beside.model, beside.evidence) == (version, "trace")
        assert beside.interruption_probability > 0.05  # so it would stay
        assert beside.decision == "STAY"
        shadow = Prediction.objects.get(is_shadow=True)
        assert (shadow.model, shadow.probability) == (version, beside.interruption_probability)
        assert shadow.latency_ms > 0
        assert replay(found).is_same

    def test_it_is_a_step_of_the_picture_where_there_is_one(self):
        a_scored_market()
        instance = a_cautious_instance()
        assign(a_second_model(), instance, AssignmentKind.SHADOW)
        run = linear.evaluate(instance, now=NOW)
        boxes = drawn(run)
        assert [box.name for box in boxes][-4:] == ["decision", "shadow", "log", "act"]
        assert "for-tests 2 would STAY" in boxes[-3].detail

    def test_a_shadow_model_that_breaks_leaves_the_decision_as_it_is(self):
        a_scored_market()
        version, instance = a_second_model(), a_plain_instance()
        assign(version, instance, AssignmentKind.SHADOW)
        ModelFile.objects.filter(pk=version.file_id).update(content=b"something else")
        loading.forget()
        run = linear.evaluate(instance, now=NOW)
        assert run.state == RunState.DONE
        assert run.steps.get(name="shadow").state == "failed"
        assert "SHA-256 differs" in run.steps.get(name="shadow").error
        assert run.experiment.decision == "SWITCH"
        assert not ShadowDecision.objects.exists()
