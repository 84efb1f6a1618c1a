"""What would IAM say? SimulatePrincipalPolicy reference: identity policies alone, no session policy, no resource's."""

from __future__ import annotations

from spotopt.local.identity import ROLE_ARN, Caller, find_role, role_policies
from spotopt.local.permissions import judge
from spotopt.local.wire import Answer, Call, Refusal, elements, query_result

NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"


def simulate(call: Call, caller: Caller) -> Answer:
    """A decision for each action on each resource (`*` where none is named), with the context entries given."""
    source = str(call.params.get("PolicySourceArn", ""))
    match = ROLE_ARN.match(source)
    role = find_role(match[1], match[2]) if match and match[1] == caller.account_id else None
    if role is None:
        raise Refusal("NoSuchEntity", f"The entity {source} cannot be found.")
    policies, context = role_policies(role), context_of(call)
    rows = "".join(
        f"<member>{elements([('EvalActionName', action), ('EvalResourceName', resource)])}"
        f"{elements([('EvalDecision', judge(policies, action, context, resource))])}</member>"
        for action in call.members("ActionNames")
        for resource in call.members("ResourceArns") or ["*"]
    )
    inner = f"<IsTruncated>false</IsTruncated><EvaluationResults>{rows}</EvaluationResults>"
    return query_result("SimulatePrincipalPolicy", NAMESPACE, inner)


def context_of(call: Call) -> dict[str, str]:
    names = {
        name.split(".")[2]: str(value)
        for name, value in call.params.items()
        if name.startswith("ContextEntries.member.") and name.endswith(".ContextKeyName")
    }
    prefix = "ContextEntries.member."
    return {key: next(iter(call.members(f"{prefix}{number}.ContextKeyValues")), "") for number, key in names.items()}
