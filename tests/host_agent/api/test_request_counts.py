# SPDX-License-Identifier: Apache-2.0
"""What several threads and processes counted adds up, whichever of them is asked."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from math import inf
from pathlib import Path

from host_agent.api.request_counts import BOUNDS, Counted, RequestCounts

OPERATIONS = (("/one", "GET"), ("/two/{id}", "PUT"))

# In a process of its own: here there may be threads, which a fork does not take along.
FORKS = """
import os, sys
from pathlib import Path
from host_agent.api.request_counts import RequestCounts
counts = RequestCounts((("/one", "GET"), ("/two/{id}", "PUT")), Path(sys.argv[1]))
counts.add("/one", "GET", 200, 0.25)
for _ in range(3):
    if not os.fork():
        for _ in range(1000):
            counts.add("/one", "GET", 200, 0.25)
        os._exit(0)
for _ in range(3):
    os.wait()
"""


def by_route(counts: RequestCounts) -> dict[str, Counted]:
    return {one.route: one for one in counts}


def test_nothing_is_told_of_what_nobody_asked_for() -> None:
    assert list(RequestCounts(OPERATIONS)) == []


def test_a_request_is_counted_by_its_status_and_its_time() -> None:
    counts = RequestCounts(OPERATIONS)
    for status, seconds in ((200, 0.005), (204, 0.006), (404, 0.1), (503, 99.0)):
        counts.add("/one", "GET", status, seconds)

    (one,) = counts
    assert (one.route, one.method) == ("/one", "GET")
    assert one.by_class == (0, 2, 0, 1, 1)
    assert dict(zip((*BOUNDS, inf), one.by_bound, strict=True)) == {
        **dict.fromkeys(BOUNDS, 0),
        **dict.fromkeys((0.005, 0.01, 0.1, inf), 1),
    }
    assert one.seconds == 0.005 + 0.006 + 0.1 + 99.0


def test_made_up_paths_and_methods_are_one_row() -> None:
    counts = RequestCounts(OPERATIONS)
    counts.add(None, "GET", 404, 0.001)
    counts.add("/one", "BREW", 418, 0.001)
    counts.add("/three", "GET", 999, 0.001)

    assert [(one.route, one.method, sum(one.by_class)) for one in counts] == [("unmatched", "any", 3)]


def test_no_thread_loses_a_count(tmp_path: Path) -> None:
    counts = RequestCounts(OPERATIONS, tmp_path)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def count() -> None:
        for _ in range(1000):
            counts.add("/one", "GET", 200, 0.5)

    try:
        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)

    assert by_route(counts)["/one"].by_class == (0, 4000, 0, 0, 0)
    assert by_route(counts)["/one"].seconds == 2000


def test_every_process_tells_the_sum_of_all_and_those_that_ended_count(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORKS, str(tmp_path)], check=True)
    first, second = RequestCounts(OPERATIONS, tmp_path), RequestCounts(OPERATIONS, tmp_path)
    first.add("/two/{id}", "PUT", 201, 0.125)

    assert by_route(first) == by_route(second)
    assert by_route(first)["/one"].by_class == (0, 3001, 0, 0, 0)
    assert by_route(first)["/one"].seconds == 750.25
    assert by_route(first)["/two/{id}"].by_class == (0, 1, 0, 0, 0)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_process_goes_on_where_one_of_its_id_ended(tmp_path: Path) -> None:
    RequestCounts(OPERATIONS, tmp_path).add("/one", "GET", 200, 0.5)
    again = RequestCounts(OPERATIONS, tmp_path)
    again.add("/one", "GET", 200, 0.5)

    assert by_route(again)["/one"].by_class[1] == 2
    assert [path.name.rpartition("-")[2] for path in tmp_path.iterdir()] == [str(os.getpid())]


def test_counts_of_other_routes_in_the_same_folder_are_left_alone(tmp_path: Path) -> None:
    RequestCounts((("/other", "GET"), *OPERATIONS), tmp_path).add("/other", "GET", 200, 0.5)

    assert list(RequestCounts(OPERATIONS, tmp_path)) == []
