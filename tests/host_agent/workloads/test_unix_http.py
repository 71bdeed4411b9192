# SPDX-License-Identifier: Apache-2.0
"""HTTP over a unix socket: every way in which an answer can come, and every way in which it can fail to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_agent.workloads.unix_http import (
    AnswerLate,
    AnswerUnreadable,
    NobodyListens,
    RequestRefused,
    SocketAbsent,
    SocketForbidden,
    UnixHttp,
    UnixHttpError,
)
from tests.host_agent.workloads.sockets import recorded, speaking, without_privileges


def answer(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def says(data: bytes, *, after: int = 1) -> Callable[[socket.socket], None]:
    """Send these bytes once so many requests have come."""

    def converse(connection: socket.socket) -> None:
        await_requests(connection, after)
        connection.sendall(data)

    return converse


def await_requests(connection: socket.socket, count: int) -> None:
    got = b""
    while got.count(b"\r\n\r\n") < count:
        data = connection.recv(1 << 16)
        assert data, "the client went away"
        got += data


def stays(data: bytes, released: threading.Event) -> Callable[[socket.socket], None]:
    """Send these bytes, and then nothing until the test releases the connection."""

    def converse(connection: socket.socket) -> None:
        says(data)(connection)
        released.wait(30)

    return converse


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sock"


class TestAnswersThatAreGood:
    @pytest.mark.parametrize(
        "data",
        [
            answer(b'{"a": 1}'),
            answer(b'{"a": 1}', headers="Connection: close\r\n"),
            b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"a":\r\n3;x=y\r\n 1}\r\n0\r\n\r\n',
            b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"a": 1}\r\n0\r\nTrailer: 1\r\n\r\n',
            b'HTTP/1.0 200 OK\r\n\r\n{"a": 1}',
            b'HTTP/1.1 200 \r\nConnection: close\r\n\r\n{"a": 1}',
        ],
    )
    def test_each_form_of_a_body_is_read(self, path: Path, data: bytes) -> None:
        with speaking(path, says(data)) as server, UnixHttp(server) as http:
            assert http.get("/x") == {"a": 1}

    def test_it_may_come_byte_by_byte(self, path: Path) -> None:
        def drips(connection: socket.socket) -> None:
            await_requests(connection, 1)
            for byte in answer(b"[1, 2]"):
                connection.sendall(bytes([byte]))

        with speaking(path, drips) as server, UnixHttp(server) as http:
            assert http.get("/x") == [1, 2]

    def test_nothing_is_null(self, path: Path) -> None:
        with speaking(path, says(b"HTTP/1.1 204 No Content\r\n\r\n")) as server, UnixHttp(server) as http:
            assert http.get("/x") is None

    def test_one_connection_serves_many_requests(self, path: Path) -> None:
        def serves(connection: socket.socket) -> None:
            for number in range(3):
                says(answer(str(number).encode()))(connection)

        with speaking(path, serves) as server, UnixHttp(server) as http:
            assert [http.get("/x"), http.get("/y"), http.get("/z")] == [0, 1, 2]

    def test_answers_in_one_piece_are_taken_apart(self, path: Path) -> None:
        data = answer(b"1") + answer(b'{"message": "gone"}', status="404 Not Found") + answer(b"3")
        with speaking(path, says(data, after=3)) as server, UnixHttp(server) as http:
            first, second, third = http.get_each(["/1", "/2", "/3"])
        assert (first, third) == (1, 3)
        assert isinstance(second, RequestRefused)
        assert second.status == 404
        assert str(second) == f"{path}: HTTP status 404: gone"

    def test_a_thousand_requests_do_not_stop_a_server_that_sends_much(self, tmp_path: Path) -> None:
        with recorded(tmp_path) as engine, UnixHttp(str(engine.path)) as http:
            engine.answers["/big"] = "x" * 20_000
            assert sum(len(text) for text in http.get_each(["/big"] * 1000)) == 20_000_000


class TestConnectionsThatEnd:
    def test_a_server_that_closes_after_each_answer_is_asked_again(self, path: Path) -> None:
        closing = [says(answer(str(n).encode(), headers="Connection: close\r\n")) for n in range(4)]
        with speaking(path, *closing) as server, UnixHttp(server) as http:
            assert list(http.get_each(["/x"] * 4)) == [0, 1, 2, 3]

    def test_one_that_closes_without_a_word_in_between_too(self, path: Path) -> None:
        with (
            speaking(path, says(answer(b"1") + answer(b"2"), after=4), says(answer(b"3") + answer(b"4"))) as server,
            UnixHttp(server) as http,
        ):
            assert list(http.get_each(["/x"] * 4)) == [1, 2, 3, 4]

    def test_a_kept_connection_that_ended_meanwhile_is_replaced(self, path: Path) -> None:
        with speaking(path, says(answer(b"1")), says(answer(b"2"))) as server, UnixHttp(server) as http:
            assert [http.get("/x"), http.get("/x")] == [1, 2]

    def test_one_that_never_says_anything_is_not_asked_for_ever(self, path: Path) -> None:
        with (
            speaking(path, says(answer(b"1")), says(b""), says(b"")) as server,
            UnixHttp(server) as http,
            pytest.raises(NobodyListens, match="closed without an answer"),
        ):
            list(http.get_each(["/x"] * 2))

    def test_a_caller_that_stops_in_the_middle_does_not_read_old_answers_later(self, path: Path) -> None:
        with (
            speaking(path, says(answer(b"1") + answer(b"2"), after=2), says(answer(b"3"))) as server,
            UnixHttp(server) as http,
        ):
            answers = http.get_each(["/1", "/2"])
            assert next(answers) == 1
            del answers
            assert http.get("/3") == 3


class TestWhatGoesWrong:
    def test_no_socket(self, path: Path) -> None:
        with UnixHttp(str(path)) as http, pytest.raises(SocketAbsent, match="no such socket"):
            http.get("/x")

    def test_a_file_where_a_folder_should_be(self, path: Path) -> None:
        path.touch()
        with UnixHttp(f"{path}/sock") as http, pytest.raises(SocketAbsent):
            http.get("/x")

    @pytest.mark.parametrize("closed", ["closed", "closed/sock"])
    def test_permission_denied(self, tmp_path: Path, closed: str) -> None:
        (tmp_path / "closed").mkdir()
        with speaking(tmp_path / "closed" / "sock") as server, UnixHttp(server) as http:
            (tmp_path / closed).chmod(0)
            with without_privileges(), pytest.raises(SocketForbidden, match="permission denied"):
                http.get("/x")
            (tmp_path / closed).chmod(0o700)

    def test_nobody_listens(self, path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
            with UnixHttp(str(path)) as http, pytest.raises(NobodyListens, match="refused"):
                http.get("/x")

    def test_a_name_too_long_for_a_socket(self, path: Path) -> None:
        with UnixHttp(f"/{'x' * 200}") as http, pytest.raises(NobodyListens, match="too long"):
            http.get("/x")

    @pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200 OK\r\n", answer(b'{"a": 1}')[:-4]])
    def test_silence_ends_at_the_time_limit(self, path: Path, data: bytes) -> None:
        released = threading.Event()
        with speaking(path, stays(data, released)) as server, UnixHttp(server, time_limit_seconds=0.2) as http:
            started = time.monotonic()
            with pytest.raises(AnswerLate, match=r"within 0\.2 s"):
                http.get("/x")
            assert 0.15 < time.monotonic() - started < 5
            released.set()

    def test_the_limit_is_for_the_whole_answer(self, path: Path) -> None:
        released = threading.Event()

        def drips(connection: socket.socket) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not released.wait(0.05):
                connection.sendall(b" ")

        with speaking(path, drips) as server, UnixHttp(server, time_limit_seconds=0.3) as http:
            with pytest.raises(AnswerLate):
                http.get("/x")
            released.set()

    def test_a_full_queue_of_connections_is_late(self, path: Path) -> None:
        waiting: list[socket.socket] = []
        with socket.socket(socket.AF_UNIX) as frozen:
            frozen.bind(str(path))
            frozen.listen(0)
            try:
                for _ in range(4):
                    waiting.append(one := socket.socket(socket.AF_UNIX))
                    one.setblocking(False)
                    if one.connect_ex(str(path)):
                        break
                with UnixHttp(str(path), time_limit_seconds=0.2) as http, pytest.raises(AnswerLate):
                    http.get("/x")
            finally:
                for one in waiting:
                    one.close()

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"220 mail ready\r\n\r\n", "no HTTP"),
            (b"\0" * 100_000, "no HTTP"),
            (b"HTTP/2 200\r\n\r\n", "no HTTP"),
            (answer(b"<html>"), "no JSON"),
            (answer(b""), "no JSON"),
            (answer(b"[" * 100_000), "no JSON"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "without its size"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", "larger than 200000 bytes"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", "larger than 200000 bytes"),
            (b"HTTP/1.0 200 OK\r\n\r\n" + b" " * 300_000, "larger than 200000 bytes"),
        ],
    )
    def test_what_is_no_answer(self, path: Path, data: bytes, reason: str) -> None:
        with (
            speaking(path, says(data)) as server,
            UnixHttp(server, most_bytes=200_000, time_limit_seconds=5) as http,
            pytest.raises(AnswerUnreadable, match=reason),
        ):
            http.get("/x")

    def test_a_connection_that_breaks_in_the_middle(self, path: Path) -> None:
        with (
            speaking(path, says(answer(b'{"a": 1}')[:-4])) as server,
            UnixHttp(server) as http,
            pytest.raises(NobodyListens, match="in the middle"),
        ):
            http.get("/x")

    @pytest.mark.parametrize(("body", "text"), [(b'{"message": "no"}', "500: no"), (b"<html>", "500"), (b"[1]", "500")])
    def test_an_error_of_the_server_is_said(self, path: Path, body: bytes, text: str) -> None:
        data = answer(body, status="500 Internal Server Error")
        with (
            speaking(path, says(data)) as server,
            UnixHttp(server) as http,
            pytest.raises(RequestRefused, match=f"HTTP status {text}$"),
        ):
            http.get("/x")

    def test_after_an_error_the_next_request_has_a_new_connection(self, path: Path) -> None:
        with speaking(path, says(b"garbage\r\n\r\n"), says(answer(b"7"))) as server, UnixHttp(server) as http:
            with pytest.raises(AnswerUnreadable):
                http.get("/x")
            assert http.get("/x") == 7

    @given(pieces=st.lists(st.sampled_from([answer(b"1"), b"HTTP/1.1 200 OK\r\n", b"\r\n", b"0\r\n", b"\xff", b"5"])))
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_garbage_raises_anything_else(self, path: Path, pieces: Sequence[bytes]) -> None:
        path.unlink(missing_ok=True)
        with (
            speaking(path, says(b"".join(pieces))) as server,
            UnixHttp(server, time_limit_seconds=5) as http,
            suppress(UnixHttpError),
        ):
            http.get("/x")
