"""Lab 1–5: take AWS accounts on, change them, hand out the role to deploy, and try it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django_filters import rest_framework as filters  # type: ignore[import-untyped]
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import generics, status
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from accounts import onboarding
from accounts.api import examples
from accounts.api.bodies import (
    ENVIRONMENTS,
    ChangeRequest,
    CloudAccountSerializer,
    EnrolRequest,
    FoundSerializer,
    ValidateRequest,
)
from accounts.authentication import HasCaller, caller_of, requires
from accounts.aws.errors import NoIdentity
from accounts.domain import Environment, Role, Scope
from accounts.idempotency import Repeatable
from accounts.models import AwsAccount
from accounts.ownership import NAME_A_CUSTOMER, Owned, owned_or_404
from accounts.refusals import Conflict, DependencyDown, Unusable
from accounts.role_template import NOTHING_ACTS, NoInstallation, TemplateFormat, role_template
from accounts.wire import Flag, Ordering, StrictFilters

VALIDATION_SECONDS = 25  # below the 30 after which servers in front of us give up
MANAGES = requires(scope=Scope.MANAGE, role=Role.ADMIN)


class ManagedByAdmins:
    """Whoever belongs to the organization reads; admins, and keys with `manage`, change."""

    def get_permissions(self) -> list[BasePermission]:
        request = getattr(self, "request", None)
        reads = request is None or request.method in SAFE_METHODS
        return [HasCaller() if reads else MANAGES()]


class AccountFilters(StrictFilters):
    """Query parameters of the list of accounts."""

    environment = filters.ChoiceFilter(choices=ENVIRONMENTS)
    account_id = filters.CharFilter(help_text="The 12 digits")
    is_active = Flag()
    is_valid = Flag()
    ordering = Ordering(fields={name: name for name in ("name", "account_id", "validated_at", "synced_at")})

    class Meta:
        model = AwsAccount
        fields: list[str] = []


@extend_schema_view(get=extend_schema(examples=[examples.ACCOUNT]))
class AccountList(ManagedByAdmins, Repeatable, Owned, generics.ListAPIView[AwsAccount]):
    """The AWS accounts of the organization, those out of use included."""

    holds_secrets = True
    look = "It held the ExternalId: GET state.done.location, which shows that to whoever may manage accounts."

    queryset = AwsAccount.objects.order_by("name", "pk")
    serializer_class = CloudAccountSerializer
    filterset_class = AccountFilters

    @extend_schema(
        summary="Take an account on; the answer has its ExternalId",
        request=EnrolRequest,
        responses={201: CloudAccountSerializer, 409: OpenApiResponse(description="It is there already.")},
        examples=[examples.ENROL, examples.ENROLLED],
    )
    def post(self, request: Request) -> Response:
        caller = caller_of(request)
        if caller.organization is None:
            raise Unusable(NAME_A_CUSTOMER, errors=[{"pointer": "?customer_id", "detail": NAME_A_CUSTOMER}])
        wanted = EnrolRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        fields = wanted.validated_data
        try:
            account = onboarding.enrol(caller, **fields | {"environment": Environment(fields["environment"])})
        except onboarding.AlreadyThere as there:
            raise Conflict(str(there), state={"id": there.account.pk, "is_active": there.account.is_active}) from there
        place = reverse("lab:account", kwargs={"account_pk": account.pk}, request=request)
        return Response(self.get_serializer(account).data, status=status.HTTP_201_CREATED, headers={"Location": place})


@extend_schema_view(get=extend_schema(examples=[examples.ACCOUNT]))
class AccountDetail(ManagedByAdmins, Owned, generics.RetrieveAPIView[AwsAccount]):
    """One account, with what its last validation found."""

    queryset = AwsAccount.objects.all()
    serializer_class = CloudAccountSerializer
    lookup_url_kwarg = "account_pk"

    @extend_schema(
        summary="Change an account",
        request=ChangeRequest,
        responses={200: CloudAccountSerializer},
        examples=[examples.CHANGE, examples.ACCOUNT],
    )
    def patch(self, request: Request, account_pk: int) -> Response:
        account = self.get_object()
        wanted = ChangeRequest(data=request.data, context={"account": account})
        wanted.is_valid(raise_exception=True)
        changed = onboarding.change(account, wanted.validated_data, by=caller_of(request))
        return Response(self.get_serializer(changed).data)

    @extend_schema(
        summary="Take an account out of use; its history stays",
        responses={200: CloudAccountSerializer},
        examples=[examples.OUT_OF_USE],
    )
    def delete(self, request: Request, account_pk: int) -> Response:
        changed = onboarding.change(self.get_object(), {"is_active": False}, by=caller_of(request))
        return Response(self.get_serializer(changed).data)


class AsTold(BaseContentNegotiation):
    """`format` names the kind of template here; the framework would take it for a renderer of its own."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class RoleTemplate(APIView):
    """The role to deploy in the account: the least that we call, and open for us alone."""

    permission_classes = (MANAGES,)
    content_negotiation_class = AsTold

    @extend_schema(
        parameters=[
            OpenApiParameter("format", enum=[f.value for f in TemplateFormat], default="cloudformation"),
            OpenApiParameter("access", enum=["read", "act"], default="read", description="act is refused for now"),
        ],
        responses={
            (200, "application/yaml"): str,
            (200, "text/plain"): str,
            409: OpenApiResponse(description="The installation does not say which account it is."),
        },
        examples=examples.TEMPLATES,
    )
    def get(self, request: Request, account_pk: int) -> HttpResponse:
        account = owned_or_404(AwsAccount, caller_of(request), pk=account_pk)
        form = _wanted_form(request)
        try:
            text = role_template(account, form)
        except NoInstallation as error:
            raise Conflict(str(error), state="no_installation_account") from error
        named = f'attachment; filename="{form.file_name}"'
        content_type = f"{form.media_type}; charset=utf-8"
        return HttpResponse(text, content_type=content_type, headers={"Content-Disposition": named})


def _wanted_form(request: Request) -> TemplateFormat:
    given = request.query_params
    access, form = given.get("access", "read"), given.get("format", TemplateFormat.CLOUDFORMATION.value)
    errors = [
        {"pointer": f"?{name}", "detail": "There is no such parameter."}
        for name in sorted(set(given) - {"access", "format", "customer_id"})
    ]
    if access != "read":
        detail = NOTHING_ACTS if access == "act" else "It is read or act."
        errors.append({"pointer": "?access", "detail": detail})
    if form not in set(TemplateFormat):
        errors.append({"pointer": "?format", "detail": "It is cloudformation or terraform."})
    if errors:
        raise Unusable(NOTHING_ACTS if access == "act" else None, errors=errors)
    return TemplateFormat(form)


class Validation(Repeatable):
    """Try the account's role: does it open for us, stay shut for others, and allow what we need?"""

    permission_classes = (MANAGES,)

    @extend_schema(
        summary="Try the account's role, also without its ExternalId",
        request=ValidateRequest,
        responses={
            200: FoundSerializer,
            409: OpenApiResponse(description="Out of use, changed meanwhile, or the installation has no identity."),
        },
        examples=[examples.NOTHING, examples.FOUND],
    )
    def post(self, request: Request, account_pk: int) -> Response:
        ValidateRequest(data=request.data).is_valid(raise_exception=True)
        caller = caller_of(request)
        account = owned_or_404(_with_organization(), caller, pk=account_pk)
        if not account.is_active:
            raise Conflict("The account is out of use.", state="inactive")
        try:
            onboarding.validate(account, by=caller, now=timezone.now(), seconds=VALIDATION_SECONDS)
        except onboarding.TookTooLong as error:
            raise DependencyDown("AWS") from error
        except onboarding.ChangedMeanwhile as error:
            raise Conflict(str(error), state="changed") from error
        except NoIdentity as error:
            raise Conflict(str(error), state="no_installation_identity") from error
        return Response(FoundSerializer(account.validation).data)


def _with_organization() -> QuerySet[AwsAccount]:
    return AwsAccount.objects.select_related("organization")
