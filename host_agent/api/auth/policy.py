# SPDX-License-Identifier: Apache-2.0
"""Who may do what in Keystone's world: a rule for each operation, with Nova's names and Nova's defaults."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_config import cfg

from host_agent.api.operation import PUBLIC
from host_agent.api.routes import ROUTES
from host_agent.errors import ConfigError

__all__ = ["Policy", "Rule", "rules", "sample"]

LOG = logging.getLogger(__name__)

# Those that Nova's files refer to.
_SHARED = {
    "context_is_admin": "role:admin",
    "admin_api": "rule:context_is_admin",
    "project_reader_api": "role:reader",
    "project_reader_or_admin": "rule:project_reader_api or rule:context_is_admin",
}
_ADMIN, _ANYBODY = "rule:context_is_admin", "@"
# What Nova lets everybody do that has a token.
_OPEN = frozenset({"os_compute_api:os-availability-zone:list"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a policy file.

    Attributes:
        check: who may, in oslo.policy's language.
        summary: of what it protects, a sentence for each operation.
        paths: ``METHOD path``, in the order of the routes.
    """

    name: str
    check: str
    summary: str
    paths: tuple[str, ...]


def rules() -> tuple[Rule, ...]:
    """Give the rules of everything that is served and not public, by name, with their defaults."""
    summaries: dict[str, dict[str, None]] = {}
    paths: dict[str, dict[str, None]] = {}
    for route in ROUTES:
        for method, operation in route.operations.items():
            for name in operation.rules if operation.role != PUBLIC else ():
                summaries.setdefault(name, {})[operation.summary] = None
                paths.setdefault(name, {})[f"{method} {route.path}"] = None
    return tuple(
        Rule(name, _ANYBODY if name in _OPEN else _ADMIN, " ".join(summaries[name]), tuple(paths[name]))
        for name in sorted(summaries)
    )


def sample() -> str:
    """Give the sample policy file: every rule with what it protects and its default, commented out."""
    lines = ["# Who may do what where `[api] auth` is keystone. A line that is commented out shows the default."]
    lines += ["", "# What the others refer to.", *(f'#"{name}": "{check}"' for name, check in _SHARED.items())]
    for rule in rules():
        # With and without a project before it, a path of Nova's is the same.
        paths = [path for path in rule.paths if "{project_id}" not in path]
        lines += ["", *textwrap.wrap(rule.summary, 98, initial_indent="# ", subsequent_indent="# ")]
        lines += [*(f"# {path}" for path in paths), f'#"{rule.name}": "{rule.check}"']
    return "\n".join(lines) + "\n"


class Policy:
    """The rules in effect: those of a file, the defaults for the rest."""

    def __init__(self, policy_file: str | None) -> None:
        """Read them.

        Raises:
            ConfigError: the file cannot be read, or is no policy, or oslo.policy is not installed.
        """
        try:
            from oslo_policy import policy
        except ModuleNotFoundError as error:
            reason = f"needs {error.name}: pip install 'os-capability[keystone]'"
            raise ConfigError(f"[api] auth = keystone {reason}") from None
        checks = {**_SHARED, **{rule.name: rule.check for rule in rules()}}
        if policy_file is not None:
            checks |= _given(policy_file, checks.keys())
        options = cfg.ConfigOpts()
        options([], default_config_files=[], default_config_dirs=[])
        self._enforcer = policy.Enforcer(options, rules=policy.Rules.from_dict(checks), use_conf=False)
        try:
            self._enforcer.check_rules(raise_on_violation=True)
        except policy.InvalidDefinitionError as error:
            raise ConfigError(f"[api] policy_file = {policy_file} is not valid: {error}") from None

    def permits(self, rule: str, credentials: Mapping[str, Any]) -> bool:
        """Tell whether the bearer of `credentials` may do what `rule` protects."""
        # Nobody's project owns a host: whoever asks, asks for his own.
        target = {name: credentials.get(name) for name in ("project_id", "user_id")}
        return bool(self._enforcer.enforce(rule, target, dict(credentials)))


def _given(path: str, known: Collection[str]) -> Mapping[str, str]:
    """Read a policy file.

    Raises:
        ConfigError: names the file, and what is wrong with it.
    """
    from oslo_policy import policy

    where = f"[api] policy_file = {path} is not valid"
    try:
        given: Mapping[str, str] = policy.parse_file_contents(Path(path).read_text())
    except OSError as error:
        raise ConfigError(f"{where}: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{where}: it is no YAML") from None
    if not isinstance(given, dict) or not all(isinstance(check, str) for check in given.values()):
        raise ConfigError(f"{where}: each line has to be the name of a rule and its check, both in quotes")
    # Nova's own file has many that protect nothing here; so does one that is misspelt.
    unknown = sorted(given.keys() - known)
    if unknown:
        LOG.warning("%s has rules that protect nothing here: %s", path, ", ".join(unknown))
    return given
