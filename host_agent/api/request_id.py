# SPDX-License-Identifier: Apache-2.0
"""An id for each request, in its answer and in every line that the log has of it."""

from __future__ import annotations

import logging
import time
import uuid
from urllib.parse import quote

import falcon

__all__ = ["RequestId"]

LOG = logging.getLogger(__name__)


class RequestId:
    """Gives each request its id and logs it when it is answered."""

    def process_request(self, request: falcon.Request, _response: falcon.Response) -> None:
        """Begin."""
        request.context.request_id = f"req-{uuid.uuid4()}"
        request.context.started = time.perf_counter()

    def process_response(
        self, request: falcon.Request, response: falcon.Response, _resource: object, _succeeded: bool
    ) -> None:
        """Name it in the answer and in the log."""
        request_id = request.context.request_id
        for header in ("x-openstack-request-id", "x-compute-request-id"):
            response.set_header(header, request_id)
        milliseconds = (time.perf_counter() - request.context.started) * 1000
        identity = getattr(request.context, "identity", None)
        trouble = getattr(request.context, "trouble", "")
        LOG.log(
            logging.WARNING if trouble else logging.INFO,
            "%s %s %s %s by %s in %.1f ms%s",
            request_id,
            request.method,
            # As it came: decoded it may have ends of lines in it, and letters that steer terminals.
            quote(request.path),
            response.status_code,
            "nobody" if identity is None else identity.name,
            milliseconds,
            f": {trouble}" if trouble else "",
            extra={"request_id": request_id},
        )
