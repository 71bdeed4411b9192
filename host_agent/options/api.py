# SPDX-License-Identifier: Apache-2.0
"""Options of the HTTP API; docs/security.md explains them."""

from __future__ import annotations

from oslo_config import cfg

from host_agent.options.kinds import ABSOLUTE_PATH, ADDRESS, HTTP_URL

__all__ = ["API"]


def _file(name: str, default: str, help_text: str) -> cfg.Opt:
    return cfg.StrOpt(name, regex=ABSOLUTE_PATH, sample_default=default, help=help_text)


API: tuple[cfg.Opt, ...] = (
    cfg.StrOpt(
        "bind",
        default="127.0.0.1:8775",
        regex=ADDRESS,
        help="Where `host-agent api` listens: ADDRESS:PORT. Beyond the loopback `auth` has to be token or keystone.",
    ),
    cfg.StrOpt(
        "auth",
        default="none",
        choices=("none", "token", "keystone"),
        help="Who may use the API: anybody on this machine, the bearers of tokens made by `host-agent token create`, "
        "or whom Keystone knows.",
    ),
    _file(
        "policy_file",
        "<Nova's defaults>",
        "File that says who may do what where `auth` is keystone; etc/policy.yaml.sample has every rule.",
    ),
    _file("tls_certificate", "<no TLS>", "File with the server's certificate and those between it and its CA, in PEM."),
    _file("tls_key", "<no TLS>", "File with the certificate's private key, in PEM and PKCS #8, without a passphrase."),
    cfg.StrOpt(
        "public_url",
        regex=HTTP_URL,
        sample_default="<what each request names>",
        help="What clients know this server by where a proxy stands before it: links in answers begin with it.",
    ),
    cfg.IntOpt(
        "workers",
        default=2,
        min=1,
        max=64,
        help="Processes that answer; each computes one answer at a time, and has its own memory.",
    ),
    cfg.IntOpt(
        "threads",
        default=4,
        min=1,
        max=64,
        help="Requests that each of them works on at the same time; each holds one connection to the database.",
    ),
    cfg.IntOpt(
        "max_limit",
        default=1000,
        min=1,
        max=100_000,
        help="Rows that one page has at most, whatever the client asks for; Nova's and Zun's option of this name.",
    ),
    cfg.IntOpt(
        "max_body_bytes",
        default=114_688,
        min=1024,
        max=64 * 1024 * 1024,
        help="Bytes that the body of a request has at most; the default is that of OpenStack's services.",
    ),
    cfg.IntOpt(
        "max_writes_per_minute",
        default=6000,
        min=0,
        max=1_000_000,
        help="Requests that write which one client may send to each worker in a minute; 0 is any number.",
    ),
)
