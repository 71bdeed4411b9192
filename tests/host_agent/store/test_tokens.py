# SPDX-License-Identifier: Apache-2.0
"""Tokens of the API: told once, kept as a hash, good until they expire or are deleted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from host_agent import store
from host_agent.errors import TokenExists, TokenNotFound
from host_agent.store.engine import Engine
from host_agent.store.schema import API_TOKENS


def test_its_bearer_is_known_by_it(engine: Engine) -> None:
    token = store.create_token(engine, "grafana", "reader")

    bearer = store.bearer_of_token(engine, token)
    assert bearer is not None
    assert (bearer.name, bearer.role, bearer.expires_at) == ("grafana", "reader", None)
    assert store.list_tokens(engine) == [bearer]


def test_the_database_does_not_have_it(engine: Engine) -> None:
    token = store.create_token(engine, "grafana", "reader")

    with engine.connect() as connection:
        (row,) = connection.execute(select(*API_TOKENS.columns)).all()
    assert not [value for value in row if token in str(value)]
    assert len(token) >= 43, "256 bits"


@pytest.mark.parametrize("wrong", ["", "x", "grafana", "' OR 1=1 --", "\x00", "ÿ\udcff", "x" * 100_000])
def test_nothing_else_is_anybody(engine: Engine, wrong: str) -> None:
    token = store.create_token(engine, "grafana", "reader")

    assert store.bearer_of_token(engine, wrong) is None
    assert store.bearer_of_token(engine, token.swapcase()) is None
    assert store.bearer_of_token(engine, f"{token} ") is None


def test_one_that_has_expired_is_nobodys_and_is_listed(engine: Engine) -> None:
    old = store.create_token(engine, "old", "admin", lifetime=timedelta(days=1))
    new = store.create_token(engine, "new", "admin", lifetime=timedelta(days=1))
    with engine.begin() as connection:
        connection.execute(text("UPDATE api_tokens SET expires_at = created_at WHERE name = 'old'"))

    assert store.bearer_of_token(engine, old) is None
    assert store.bearer_of_token(engine, new) is not None
    assert [(token.name, token.is_expired) for token in store.list_tokens(engine)] == [("new", False), ("old", True)]


def test_a_lifetime_is_counted_from_now_by_the_databases_clock(engine: Engine) -> None:
    store.create_token(engine, "short", "writer", lifetime=timedelta(days=30))

    (token,) = store.list_tokens(engine)
    assert token.expires_at is not None
    assert token.expires_at - token.created_at == timedelta(days=30)


def test_one_that_is_deleted_is_nobodys(engine: Engine) -> None:
    token = store.create_token(engine, "grafana", "reader")
    store.delete_token(engine, "grafana")

    assert store.bearer_of_token(engine, token) is None
    with pytest.raises(TokenNotFound, match="'grafana'"):
        store.delete_token(engine, "grafana")


def test_of_two_with_one_name_made_at_the_same_time_one_is_made(engine: Engine) -> None:
    def make(_number: int) -> str:
        try:
            return store.create_token(engine, "grafana", "reader")
        except TokenExists:
            return ""

    with ThreadPoolExecutor(4) as pool:
        made = [token for token in pool.map(make, range(4)) if token]
    assert len(made) == len(store.list_tokens(engine)) == 1
    assert store.bearer_of_token(engine, made[0]) is not None
