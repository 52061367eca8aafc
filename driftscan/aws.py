"""AWS: clients, pages, and errors in words. The one home of boto3."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from driftscan import __version__
from driftscan.errors import UsageError
from driftscan.model.names import show


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds until a connection is there, and until an answer begins; and how often a call is tried when AWS throttles
    or fails, with growing pauses."""

    connect: float = 10
    read: float = 60
    attempts: int = 8


_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AllAccessDisabled", "403"}
_CREDENTIALS = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "SlowDown",
    "503",
}
_LOG_IN = "Log in (`aws sso login`), name a profile (AWS_PROFILE), or set the AWS_* variables."


USUAL = Patience()


def client(service: str, region: str = "", profile: str = "", patience: Patience = USUAL) -> Any:
    """A client with time limits and retries; empty region and profile: as the environment and ~/.aws say.
    $DRIFTSCAN_AWS_ENDPOINT_URL, else $AWS_ENDPOINT_URL, leads it elsewhere. UsageError if there is no region, no
    such profile, or ~/.aws cannot be read."""
    import boto3  # noqa: PLC0415 - 200 ms, paid only by who asks AWS
    from botocore.config import Config  # noqa: PLC0415 - comes with boto3

    settings = Config(
        connect_timeout=patience.connect,
        read_timeout=patience.read,
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        user_agent_extra=f"driftscan/{__version__}",
    )
    endpoint = os.environ.get("DRIFTSCAN_AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT_URL") or None
    with explained(service):
        session: Any = boto3.Session(profile_name=profile or None, region_name=region or None)
        return session.client(service, endpoint_url=endpoint, config=settings)


def paginate(service_client: Any, operation: str, key: str, **parameters: Any) -> Iterator[dict[str, Any]]:
    """The items under `key` on all pages of a listing operation (`describe_instances`). UsageError if AWS refuses."""
    with explained(service_client.meta.service_model.service_name):
        for page in service_client.get_paginator(operation).paginate(**parameters):
            yield from page.get(key, ())


@contextmanager
def explained(service: str) -> Iterator[None]:
    """botocore's errors as UsageError: what AWS said, and what to do."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - comes with boto3

    try:
        yield
    except ClientError as error:
        raise _refused(service, error) from error
    except BotoCoreError as error:
        raise _failed(service, error) from error


def _refused(service: str, error: Any) -> UsageError:
    said = error.response.get("Error", {})
    code, message = str(said.get("Code", "")), show(str(said.get("Message", "")))
    action = f"{service}:{error.operation_name}"
    if code in _DENIED:
        return UsageError(f"AWS denies {action}: {message}", f"Allow {action} in the IAM policy of these credentials.")
    if code in _CREDENTIALS:
        return UsageError(f"AWS does not accept the credentials ({code}): {message}", _LOG_IN)
    if code in _THROTTLED:
        hint = "Try again later, or narrow the request to fewer regions or a tag."
        attempts = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0) + 1
        return UsageError(f"AWS throttles {action} ({code}), also after {attempts} attempts", hint)
    return UsageError(f"AWS refuses {action}: {show(code)}: {message}", "Check the names in the request.")


def _failed(service: str, error: Any) -> UsageError:
    name, text = type(error).__name__, show(str(error))
    if "Credential" in name or "Token" in name:
        return UsageError(f"no AWS credentials for {service}: {text}", _LOG_IN)
    if name in {"NoRegionError", "InvalidRegionError"}:
        return UsageError(f"no AWS region for {service}: {text}", "Name one: region=eu-west-1, or set AWS_REGION.")
    if name in {"ProfileNotFound", "ConfigNotFound", "ConfigParseError"}:
        return UsageError(f"AWS configuration: {text}", "`aws configure list-profiles` shows the profiles there are.")
    hint = "Check the network, the region's name, and AWS_ENDPOINT_URL if it is set."
    return UsageError(f"AWS {service} cannot be asked: {text}", hint)
