# SPDX-License-Identifier: Apache-2.0
"""The answers of an OpenStack compute service as tempest publishes them: a schema for each, by microversion."""

from __future__ import annotations

import importlib
from typing import Any

import jsonschema
from tempest.lib.common.jsonschema_validator import FORMAT_CHECKER, JSONSCHEMA_VALIDATOR

__all__ = ["conform", "schema"]


def schema(module: str, name: str, version: str) -> dict[str, Any]:
    """Give the schema that tempest holds an answer against in a version."""
    folder = "v" + version.replace(".", "_")
    found: dict[str, Any] = getattr(
        importlib.import_module(f"tempest.lib.api_schema.response.compute.{folder}.{module}"), name
    )
    return found


def conform(status: int, body: object, expected: dict[str, Any]) -> None:
    """Fail where an answer is not what its schema says."""
    assert status in expected["status_code"]
    if "response_body" in expected:
        jsonschema.validate(body, expected["response_body"], cls=JSONSCHEMA_VALIDATOR, format_checker=FORMAT_CHECKER)
