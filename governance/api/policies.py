"""Governance: which limits hold where, who set each of them, and what changed?"""

from __future__ import annotations

from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import HasCaller, caller_of, requires
from accounts.domain import Role, Scope
from accounts.models import AuditEntry, AwsAccount
from accounts.ownership import NAME_A_CUSTOMER, Owned, owned_or_404
from accounts.refusals import Conflict, Unusable
from accounts.wire import Flag, Strict, StrictFilters, first_faults, pointer
from governance import policies, policy_reading
from governance.api import examples
from governance.models import OptimizationPolicy
from governance.policies import ChangedMeanwhile, Place, Unacceptable
from instances.models import Instance

LEVELS = [(level, level) for level in ("organization", "account", "instance")]


class PolicyRequest(Strict):
    """The limits that are set here, all of them: what is left out is inherited."""

    version = serializers.IntegerField(min_value=0, help_text="The one you have seen; 409 if it is not the last")
    overrides = serializers.DictField(help_text="Limit → value; `effective` has every name")


class LimitSerializer(serializers.Serializer[Any]):
    value = serializers.JSONField()
    set_by = serializers.CharField(help_text="instance, account, organization or default")


class PolicySerializer(serializers.Serializer[Any]):
    """`effective` is null where what is stored cannot be read; then nothing is decided there."""

    level = serializers.ChoiceField(LEVELS)
    id = serializers.IntegerField(allow_null=True, help_text="Ours, of the account or instance; null: the organization")
    name = serializers.CharField()
    version = serializers.IntegerField(help_text="0: nothing was ever set; an instance's is its settings_version")
    overrides = serializers.DictField(help_text="What is set here")
    effective = serializers.DictField(child=LimitSerializer(), allow_null=True, help_text="What holds here")
    changed_at = serializers.DateTimeField(allow_null=True)
    changed_by = serializers.CharField(help_text="Empty: a key, or nobody")


class SetPolicySerializer(serializers.ModelSerializer[OptimizationPolicy]):
    """`id` is ours, of the account; null for the organization."""

    level = serializers.SerializerMethodField()
    id = serializers.IntegerField(source="account_id", allow_null=True)
    name = serializers.SerializerMethodField()
    overrides = serializers.DictField()
    changed_by = serializers.CharField(source="changed_by.username", default="")

    class Meta:
        model = OptimizationPolicy
        fields = ("level", "id", "name", "version", "overrides", "changed_at", "changed_by")

    def get_level(self, row: OptimizationPolicy) -> str:
        return "account" if row.account_id else "organization"

    def get_name(self, row: OptimizationPolicy) -> str:
        return row.account.name if row.account else row.organization.name


class PolicyChangeSerializer(serializers.ModelSerializer[AuditEntry]):
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)

    class Meta:
        model = AuditEntry
        fields = ("at", "actor", "before", "after")


class PolicyFilters(StrictFilters):
    """Query parameters of the list of policies."""

    is_account = Flag(field_name="account", method="of_accounts", help_text="false: the organization's own")

    class Meta:
        model = OptimizationPolicy
        fields: list[str] = []

    def of_accounts(self, rows: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return rows.filter(account__isnull=not value)


@extend_schema_view(get=extend_schema(examples=[examples.SET_POLICY]))
class PolicyList(Owned, generics.ListAPIView[OptimizationPolicy]):
    """What the organization and its accounts set, the widest first; `lab/instances?has_overrides=true` has the rest."""

    queryset = OptimizationPolicy.objects.select_related("organization", "account", "changed_by").order_by(
        "organization", F("account_id").asc(nulls_first=True), "pk"
    )
    serializer_class = SetPolicySerializer
    filterset_class = PolicyFilters


class _Policy(APIView):
    """Whoever belongs to the organization reads; admins, and keys with `manage`, set."""

    def get_permissions(self) -> list[BasePermission]:
        request = getattr(self, "request", None)
        reads = request is None or request.method in SAFE_METHODS
        return [HasCaller() if reads else requires(scope=Scope.MANAGE, role=Role.ADMIN)()]

    def place(self, request: Request, **ids: int) -> Place:
        raise NotImplementedError

    @extend_schema(responses={200: PolicySerializer}, examples=[examples.POLICY])
    def get(self, request: Request, **ids: int) -> Response:
        return _shown(self.place(request, **ids))

    @extend_schema(
        summary="Set the limits here, all of them",
        request=PolicyRequest,
        responses={
            200: PolicySerializer,
            409: OpenApiResponse(description="Changed since `version`; `state` says which one stands and whose it is."),
        },
        examples=[examples.LIMITS, examples.POLICY],
    )
    def put(self, request: Request, **ids: int) -> Response:
        place = self.place(request, **ids)
        asked = PolicyRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        try:
            policies.change(place, given["overrides"], seen=given["version"], by=caller_of(request), now=timezone.now())
        except Unacceptable as error:
            errors = [{"pointer": pointer(("overrides", n)), "detail": fault} for n, fault in error.faults.items()]
            raise Unusable(errors=first_faults(errors)) from error
        except ChangedMeanwhile as error:
            raise Conflict(str(error), state=error.state) from error
        return _shown(self.place(request, **ids))


@extend_schema_view(
    get=extend_schema(operation_id="governance_policy_organization"),
    put=extend_schema(operation_id="governance_policy_organization_set"),
)
class OrganizationPolicy(_Policy):
    """The limits of the organization, which hold wherever nobody says otherwise."""

    def place(self, request: Request, **ids: int) -> Place:
        organization = caller_of(request).organization
        if organization is None:
            raise Unusable(NAME_A_CUSTOMER, errors=[{"pointer": "?customer_id", "detail": NAME_A_CUSTOMER}])
        return Place(organization)


@extend_schema_view(
    get=extend_schema(operation_id="governance_policy_account"),
    put=extend_schema(operation_id="governance_policy_account_set"),
)
class AccountPolicy(_Policy):
    """The limits of one account: the organization's, but for what is set here."""

    def place(self, request: Request, **ids: int) -> Place:
        rows = AwsAccount.objects.select_related("organization")
        found = owned_or_404(rows, caller_of(request), pk=ids["account_pk"])
        return Place(found.organization, found)


@extend_schema_view(
    get=extend_schema(operation_id="governance_policy_instance"),
    put=extend_schema(operation_id="governance_policy_instance_set"),
)
class InstancePolicy(_Policy):
    """The limits of one instance: its account's, but for what is set here."""

    def place(self, request: Request, **ids: int) -> Place:
        rows = Instance.objects.select_related("account__organization").defer("facts")
        found = owned_or_404(rows, caller_of(request), pk=ids["instance_id"])
        return Place(found.account.organization, found.account, found)


class _History(generics.ListAPIView[AuditEntry]):
    """What was set there, newest first, as the audit log has it."""

    queryset = AuditEntry.objects.none()
    serializer_class = PolicyChangeSerializer
    filter_backends = ()
    of: type[_Policy]

    def get_queryset(self) -> QuerySet[AuditEntry]:
        if getattr(self, "swagger_fake_view", False):
            return AuditEntry.objects.none()
        return policies.history(self.of().place(self.request, **self.kwargs))


@extend_schema_view(
    get=extend_schema(operation_id="governance_policy_organization_history", examples=[examples.POLICY_CHANGE])
)
class OrganizationHistory(_History):
    of = OrganizationPolicy


@extend_schema_view(
    get=extend_schema(operation_id="governance_policy_account_history", examples=[examples.POLICY_CHANGE])
)
class AccountHistory(_History):
    of = AccountPolicy


@extend_schema_view(
    get=extend_schema(operation_id="governance_policy_instance_history", examples=[examples.POLICY_CHANGE])
)
class InstanceHistory(_History):
    of = InstancePolicy


def _shown(place: Place) -> Response:
    standing = policies.standing(place)
    row = place.instance or place.account
    told = {
        "level": place.level,
        "id": row.pk if row else None,
        "name": place.name,
        "version": standing.version,
        "overrides": standing.overrides,
        "effective": policy_reading.effective(place),
        "changed_at": standing.changed_at,
        "changed_by": standing.changed_by,
    }
    return Response(PolicySerializer(told).data)
