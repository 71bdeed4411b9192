# SPDX-License-Identifier: Apache-2.0
"""Pages of a list: how long one is, and the link to the next."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from host_agent.api.operation import Call

__all__ = ["next_links", "page_length"]


def page_length(call: Call) -> int:
    """Give how many rows the page has at most: ``limit``, a whole number, as far as the settings allow that many."""
    longest = call.settings.api.max_limit
    digits = (call.parameter("limit") or str(longest)).strip().lstrip("0")
    # Python takes no number of thousands of digits.
    return longest if len(digits) > len(str(longest)) else min(int(digits or "0"), longest)


def next_links(call: Call, ids: Sequence[object]) -> list[dict[str, str]]:
    """Give the links of a page: to the next one, unless this one is not full.

    Args:
        call: the request; the link is to the same path, with the same parameters.
        ids: of the rows of the page, in their order.
    """
    if not ids or len(ids) < page_length(call):
        return []
    others = {name: values for name, values in call.query.items() if name != "marker"}
    query = urlencode({**others, "marker": [str(ids[-1])]}, doseq=True)
    path = quote(call.url.removeprefix(call.root_url))
    return [{"rel": "next", "href": f"{call.root_url}{path}?{query}"}]
