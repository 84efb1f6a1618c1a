"""What does an AWS error mean for the next move?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore import exceptions as botocore_errors
from botocore.parsers import ResponseParserError


class AwsError(Exception):
    """AWS refused or failed a call; this base class itself means a code that nobody has sorted yet."""

    def __init__(self, code: str, message: str, operation: str = "", request_id: str = "") -> None:
        super().__init__(code, message, operation, request_id)
        self.code = code
        self.message = message
        self.operation = operation
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.operation or 'AWS'}: {self.code}: {self.message}"


class CapacityUnavailable(AwsError):
    """This pool cannot be had now: try the next one."""


class QuotaExceeded(AwsError):
    """The account may not have more: stop Spot for the account and say so."""


class Throttled(AwsError):
    """Too many calls, by AWS's count or by our own limiter's: later."""


class Denied(AwsError):
    """The role may not: stop. Waiting does not help, a person does."""


class RegionNotEnabled(Denied):
    """The account does not use this region. AWS says the same when credentials are not valid there."""


class NoIdentity(Denied):
    """The installation itself has no AWS credentials."""


class CredentialsExpired(AwsError):
    """The hour is over: renew. For a change the outcome is unknown."""


class Busy(AwsError):
    """The resource is in the middle of something else: wait, look again."""


class Gone(AwsError):
    """No such resource; within minutes of its creation: not visible yet (EC2 guide, eventual consistency)."""


class Unusable(AwsError):
    """The request itself is wrong: repeating it cannot help."""


class OutcomeUnknown(AwsError):
    """No answer, or a server's failure: a change may or may not have happened, so observe."""


class EndlessPages(OutcomeUnknown):
    """A page named a page we have already read."""


# EC2 "Error codes for the Amazon EC2 API"; Auto Scaling, STS and Price List "Common errors"; sorted as in safety.md 1.
KINDS: Mapping[str, type[AwsError]] = {
    **dict.fromkeys(
        (
            "InsufficientInstanceCapacity",
            "InsufficientHostCapacity",
            "InsufficientCapacity",
            "InsufficientReservedInstanceCapacity",
            "InsufficientFreeAddressesInSubnet",
            "UnfulfillableCapacity",
            "SpotMaxPriceTooLow",
            "Unsupported",
        ),
        CapacityUnavailable,
    ),
    **dict.fromkeys(
        (
            "MaxSpotInstanceCountExceeded",
            "MaxSpotFleetRequestCountExceeded",
            "VcpuLimitExceeded",
            "InstanceLimitExceeded",
            "LimitExceeded",
        ),
        QuotaExceeded,
    ),
    **dict.fromkeys(
        (
            "RequestLimitExceeded",
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "TooManyRequestsException",
            "EC2ThrottledException",
            "PriorRequestNotComplete",
            "SlowDown",
        ),
        Throttled,
    ),
    **dict.fromkeys(
        (
            "UnauthorizedOperation",
            "AccessDenied",
            "AccessDeniedException",
            "AuthorizationError",
            "OperationNotPermitted",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "IncompleteSignature",
            "MissingAuthenticationToken",
            "Blocked",
            "PendingVerification",
        ),
        Denied,
    ),
    **dict.fromkeys(
        ("OptInRequired", "AuthFailure", "UnrecognizedClientException", "RegionDisabledException"), RegionNotEnabled
    ),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), CredentialsExpired),
    **dict.fromkeys(
        (
            "ResourceContention",
            "ResourceContentionFault",
            "ScalingActivityInProgress",
            "ResourceInUse",
            "IncorrectInstanceState",
            "IncorrectState",
            "ConcurrentSnapshotLimitExceeded",
        ),
        Busy,
    ),
    **dict.fromkeys(("NoSuchEntity", "ResourceNotFoundException", "NotFoundException"), Gone),
    **dict.fromkeys(
        ("ValidationError", "ValidationException", "IdempotentParameterMismatch", "UnsupportedOperation"), Unusable
    ),
}
EXPIRED = frozenset(code for code, kind in KINDS.items() if kind is CredentialsExpired)
THROTTLED = frozenset(code for code, kind in KINDS.items() if kind is Throttled)


def kind_of(code: str, status: int) -> type[AwsError]:
    """The class for an error code; the HTTP status decides only where the code says nothing.

    The code goes first because EC2 answers some refusals, InsufficientInstanceCapacity among them, with status 500.
    """
    if code in KINDS:
        return KINDS[code]
    if code.endswith((".NotFound", "NotFoundException")):
        return Gone
    if status >= 500:
        return OutcomeUnknown
    if code.startswith(("Invalid", "Missing", "Malformed", "Unknown")):
        return Unusable
    return AwsError


def from_client_error(error: botocore_errors.ClientError, operation: str) -> AwsError:
    answer: Any = error.response
    details, metadata = answer.get("Error", {}), answer.get("ResponseMetadata", {})
    code = str(details.get("Code", "Unknown"))
    kind = kind_of(code, int(metadata.get("HTTPStatusCode", 0)))
    return kind(code, str(details.get("Message", "")), operation, str(metadata.get("RequestId", "")))


@contextmanager
def translated_errors(operation: str) -> Iterator[None]:
    """Raise ours instead of botocore's; an AwsError passes unchanged."""
    try:
        yield
    except botocore_errors.ClientError as error:
        raise from_client_error(error, operation) from error
    except (botocore_errors.NoCredentialsError, botocore_errors.PartialCredentialsError) as error:
        raise NoIdentity(type(error).__name__, str(error), operation) from error
    except (botocore_errors.ParamValidationError, botocore_errors.InvalidRegionError) as error:
        raise Unusable(type(error).__name__, str(error), operation) from error
    except (botocore_errors.BotoCoreError, ResponseParserError) as error:
        # Timeouts, resets, a proxy's page instead of an answer: for a change all of them leave the outcome open.
        raise OutcomeUnknown(type(error).__name__, str(error), operation) from error
