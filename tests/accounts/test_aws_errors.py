"""AWS error codes are sorted by what to do next."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from accounts.aws import errors


def a_client_error(code: str, status: int = 400) -> ClientError:
    answer = {
        "Error": {"Code": code, "Message": "said AWS"},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "request-1"},
    }
    return ClientError(answer, "RunInstances")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "code, status, kind",
    [
        ("InsufficientInstanceCapacity", 500, errors.CapacityUnavailable),
        ("InsufficientFreeAddressesInSubnet", 400, errors.CapacityUnavailable),
        ("Unsupported", 400, errors.CapacityUnavailable),
        ("MaxSpotInstanceCountExceeded", 400, errors.QuotaExceeded),
        ("VcpuLimitExceeded", 400, errors.QuotaExceeded),
        ("RequestLimitExceeded", 503, errors.Throttled),
        ("ThrottlingException", 400, errors.Throttled),
        ("UnauthorizedOperation", 403, errors.Denied),
        ("AccessDenied", 403, errors.Denied),
        ("OptInRequired", 401, errors.RegionNotEnabled),
        ("AuthFailure", 401, errors.RegionNotEnabled),
        ("ExpiredToken", 403, errors.CredentialsExpired),
        ("RequestExpired", 400, errors.CredentialsExpired),
        ("IncorrectInstanceState", 400, errors.Busy),
        ("ScalingActivityInProgress", 400, errors.Busy),
        ("InvalidInstanceID.NotFound", 400, errors.Gone),
        ("InvalidInstanceID.Malformed", 400, errors.Unusable),
        ("IdempotentParameterMismatch", 400, errors.Unusable),
        ("InternalError", 500, errors.OutcomeUnknown),
        ("ServiceUnavailable", 503, errors.OutcomeUnknown),
        ("503", 503, errors.OutcomeUnknown),
        ("DryRunOperation", 412, errors.AwsError),
    ],
)
def test_a_code_decides_the_next_move(code, status, kind):
    with pytest.raises(errors.AwsError) as caught, errors.translated_errors("RunInstances"):
        raise a_client_error(code, status)
    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.operation) == (code, "RunInstances")
    assert caught.value.request_id == "request-1"


def test_a_region_that_is_off_is_a_denial_too():
    assert issubclass(errors.RegionNotEnabled, errors.Denied)


@pytest.mark.parametrize(
    "raised, kind",
    [
        (ReadTimeoutError(endpoint_url="https://ec2"), errors.OutcomeUnknown),
        (ConnectTimeoutError(endpoint_url="https://ec2"), errors.OutcomeUnknown),
        (ConnectionClosedError(endpoint_url="https://ec2"), errors.OutcomeUnknown),
        (NoCredentialsError(), errors.NoIdentity),
        (ParamValidationError(report="no such parameter"), errors.Unusable),
    ],
)
def test_what_never_got_an_answer_is_sorted_too(raised, kind):
    with pytest.raises(errors.AwsError) as caught, errors.translated_errors("DescribeInstances"):
        raise raised
    assert type(caught.value) is kind


def test_our_own_errors_and_bugs_pass_unchanged():
    own = errors.Throttled("LocalLimit", "later", "DescribeInstances")
    with pytest.raises(errors.Throttled) as caught, errors.translated_errors("DescribeInstances"):
        raise own
    assert caught.value is own
    with pytest.raises(KeyError), errors.translated_errors("DescribeInstances"):
        raise KeyError("a bug")


def test_an_error_reads_as_one_sentence():
    assert str(errors.Denied("AccessDenied", "not you", "AssumeRole")) == "AssumeRole: AccessDenied: not you"
