"""Who may do what? The table of roles, scopes and deeds, and that nobody may do more.

Each deed is tried on what is not there: whoever may do it is told so (404), or that more must be said (422), or gets
in; whoever may not is refused (403) before anything is looked for.
"""

from dataclasses import dataclass

import pytest
from django.test import Client

from accounts import tokens
from accounts.domain import Role, Scope
from tests.factories import NOW, a_browser, a_person, a_program, northwind

pytestmark = pytest.mark.django_db
NOBODY = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Deed:
    method: str
    address: str
    role: Role
    scope: Scope | None = None  # None: a page, which keys do not open

    def by(self, client: Client) -> int:
        options = {"content_type": "application/json"} if self.method != "get" and self.scope else {}
        return getattr(client, self.method)(self.address, {}, **options).status_code

    def __str__(self) -> str:
        return f"{self.method} {self.address}"


DEEDS = [
    # viewer: read
    Deed("get", "/", Role.VIEWER),
    Deed("get", "/overview/fleet/", Role.VIEWER),
    Deed("get", "/instances/", Role.VIEWER),
    Deed("get", "/instances/0/", Role.VIEWER),
    Deed("get", "/experiments/", Role.VIEWER),
    Deed("get", "/experiments/compare/", Role.VIEWER),
    Deed("get", f"/runs/{NOBODY}/", Role.VIEWER),
    Deed("get", f"/decisions/{NOBODY}/", Role.VIEWER),
    Deed("get", "/models/", Role.VIEWER),
    Deed("get", "/models/0/", Role.VIEWER),
    Deed("get", "/second-factor/", Role.VIEWER),
    Deed("get", "/accounts/", Role.VIEWER),
    Deed("get", "/accounts/0/", Role.VIEWER),
    Deed("get", "/accounts/0/inventory/", Role.VIEWER),
    Deed("post", "/api/v1/auth/ws-ticket/", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/lab/accounts", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/lab/accounts/0", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/lab/accounts/0/sync", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/lab/instances", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/lab/instances/0", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/lab/instances/0/experiments", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/lab/overview", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/lab/experiments", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/lab/experiments/compare?a=1&b=2", Role.VIEWER, Scope.READ),
    Deed("get", f"/api/v1/lab/experiments/{NOBODY}", Role.VIEWER, Scope.READ),
    Deed("get", f"/api/v1/lab/runs/{NOBODY}", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/ml/decisions/history", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/ml/models/list", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/ml/models/0/details", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/ml/models/0/performance", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/ml/models/0/download", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/ml/predictions/history", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/lab/models", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/lab/models/0/assign", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/ml/metrics", Role.VIEWER, Scope.READ),
    Deed("get", "/prices/", Role.VIEWER),
    Deed("get", "/api/v1/ml/pricing/spot", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/ml/pricing/on-demand", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/ml/pricing/spot-advisor", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/ml/pricing/stats", Role.VIEWER, Scope.READ),
    Deed("get", "/audit/", Role.VIEWER),
    Deed("get", "/audit/?format=csv", Role.VIEWER),
    Deed("get", "/audit/check/", Role.VIEWER),
    Deed("get", "/system/", Role.VIEWER),
    Deed("get", "/instances/0/settings/", Role.VIEWER),
    Deed("get", "/policies/", Role.VIEWER),
    Deed("get", "/policies/accounts/0/", Role.VIEWER),
    Deed("get", "/policies/instances/0/", Role.VIEWER),
    Deed("get", "/api/v1/governance/policies", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/governance/policies/organization", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/governance/policies/organization/history", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/governance/policies/accounts/0", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/governance/policies/accounts/0/history", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/governance/policies/instances/0", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/governance/policies/instances/0/history", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/governance/audit-log", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/governance/audit-log/verify", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/system/components", Role.VIEWER, Scope.READ),
    Deed("get", "/api/v1/system/logs", Role.VIEWER, Scope.READ),
    Deed("post", "/api/v1/ml/predict", Role.VIEWER, Scope.PREDICT),
    Deed("post", "/api/v1/ml/predict/spot-interruption", Role.VIEWER, Scope.PREDICT),
    # operator: evaluate
    Deed("post", "/instances/0/evaluate/", Role.OPERATOR),
    Deed("post", "/api/v1/lab/instances/0/evaluate", Role.OPERATOR, Scope.DECIDE),
    Deed("post", "/api/v1/ml/decision/spot-optimize", Role.OPERATOR, Scope.DECIDE),
    # admin: accounts, policies, keys, models of instances, assigning models
    Deed("post", "/api/v1/lab/models/0/assign", Role.ADMIN, Scope.MANAGE),
    Deed("post", "/api/v1/lab/models/0/unassign", Role.ADMIN, Scope.MANAGE),
    Deed("get", "/keys/", Role.ADMIN),
    Deed("post", "/keys/", Role.ADMIN),
    Deed("post", "/keys/0/revoke/", Role.ADMIN),
    Deed("get", "/models/0/assign/", Role.ADMIN),
    Deed("post", "/models/0/assign/", Role.ADMIN),
    Deed("post", "/assignments/0/end/", Role.ADMIN),
    Deed("get", "/accounts/new/", Role.ADMIN),
    Deed("get", "/accounts/0/role/", Role.ADMIN),
    Deed("get", "/accounts/0/role/terraform/", Role.ADMIN),
    Deed("get", "/accounts/0/change/", Role.ADMIN),
    Deed("post", "/accounts/0/change/", Role.ADMIN),
    Deed("post", "/accounts/0/validate/", Role.ADMIN),
    Deed("post", "/accounts/0/use/", Role.ADMIN),
    Deed("post", "/accounts/0/sync/", Role.ADMIN),
    Deed("post", "/api/v1/lab/accounts", Role.ADMIN, Scope.MANAGE),
    Deed("get", "/api/v1/lab/accounts/0/role-template", Role.ADMIN, Scope.MANAGE),
    Deed("post", "/api/v1/lab/accounts/0/validate", Role.ADMIN, Scope.MANAGE),
    Deed("post", "/api/v1/lab/accounts/0/sync", Role.ADMIN, Scope.MANAGE),
    Deed("patch", "/api/v1/lab/accounts/0", Role.ADMIN, Scope.MANAGE),
    Deed("delete", "/api/v1/lab/accounts/0", Role.ADMIN, Scope.MANAGE),
    Deed("patch", "/api/v1/lab/instances/0", Role.ADMIN, Scope.MANAGE),
    Deed("put", "/api/v1/governance/policies/organization", Role.ADMIN, Scope.MANAGE),
    Deed("put", "/api/v1/governance/policies/accounts/0", Role.ADMIN, Scope.MANAGE),
    Deed("put", "/api/v1/governance/policies/instances/0", Role.ADMIN, Scope.MANAGE),
    Deed("post", "/policies/", Role.ADMIN),
    Deed("post", "/policies/accounts/0/", Role.ADMIN),
    Deed("post", "/policies/instances/0/", Role.ADMIN),
    Deed("post", "/instances/0/settings/", Role.ADMIN),
    # owner: people, environment
    Deed("get", "/people/", Role.OWNER),
    Deed("post", "/people/", Role.OWNER),
    Deed("post", "/people/0/role/", Role.OWNER),
    Deed("post", "/people/0/remove/", Role.OWNER),
    Deed("post", "/people/invitations/0/withdraw/", Role.OWNER),
    Deed("post", "/accounts/0/environment/", Role.OWNER),
]
# what every organization shares is written by keys with `manage` and people of the platform, whatever their role
OF_THE_PLATFORM = [
    ("post", "/api/v1/ml/models/upload"),
    ("post", "/api/v1/ml/models/activate"),
    ("delete", "/api/v1/ml/models/0"),
    ("post", "/api/v1/lab/models/0/status"),
    ("post", "/api/v1/ml/pricing/fetch"),
]
PAGES_OF_THE_PLATFORM = [
    ("get", "/models/upload/"),
    ("post", "/models/upload/"),
    ("post", "/models/0/activate/"),
    ("post", "/models/0/status/"),
    ("post", "/models/0/delete/"),
]
OF_THE_API = [deed for deed in DEEDS if deed.scope]


@pytest.mark.parametrize("deed", DEEDS, ids=str)
def test_a_person_does_what_their_role_says_and_no_more(deed):
    for role in Role:
        browser = a_browser(a_person(organization=northwind(), role=role))
        assert (deed.by(browser) != 403) == role.includes(deed.role), role


@pytest.mark.parametrize("deed", OF_THE_API, ids=str)
def test_a_token_is_worth_what_its_persons_session_is(deed):
    for role in Role:
        person = a_person(organization=northwind(), role=role)
        pair = tokens.issue(person, northwind(), has_second_factor=True, now=NOW.now(NOW.tzinfo))
        client = Client(headers={"Authorization": f"Bearer {pair.access}"})
        assert (deed.by(client) != 403) == role.includes(deed.role), role


@pytest.mark.parametrize("deed", OF_THE_API, ids=str)
def test_a_key_does_what_its_scope_says_and_no_more(deed):
    for scope in Scope:
        assert (deed.by(a_program(northwind(), scope)) != 403) == (scope is deed.scope), scope


@pytest.mark.parametrize("deed", DEEDS, ids=str)
def test_nobody_unknown_and_no_key_on_a_page_does_anything(deed):
    refused = 401 if deed.scope else 302
    assert deed.by(Client()) == refused
    if not deed.scope:
        assert deed.by(a_program(northwind())) == 302


@pytest.mark.parametrize(("method", "address"), OF_THE_PLATFORM)
def test_what_all_share_is_written_by_the_platform_alone(method, address):
    def may(client: Client) -> bool:
        return getattr(client, method)(address, {}, content_type="application/json").status_code != 403

    for role in Role:
        assert not may(a_browser(a_person(organization=northwind(), role=role))), role
    for scope in Scope:
        assert may(a_program(northwind(), scope)) == (scope is Scope.MANAGE), scope
    assert may(a_browser(a_person(organization=northwind(), role=Role.VIEWER, is_staff=True)))
    assert getattr(Client(), method)(address).status_code == 401


@pytest.mark.parametrize(("method", "address"), PAGES_OF_THE_PLATFORM)
def test_pages_that_write_what_all_share_open_to_the_platform_alone(method, address):
    for role in Role:
        browser = a_browser(a_person(organization=northwind(), role=role))
        assert getattr(browser, method)(address).status_code == 403, role
    staff = a_browser(a_person(organization=northwind(), role=Role.VIEWER, is_staff=True))
    assert getattr(staff, method)(address).status_code in (200, 404)
    assert getattr(Client(), method)(address).status_code == 302
