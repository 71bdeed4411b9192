# SPDX-License-Identifier: Apache-2.0
"""The sample file and the options' page are what the program says."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_agent import sample
from host_agent.options import OPTIONS
from host_agent.settings import load

TOP = Path(__file__).resolve().parents[2]
SAMPLE = TOP / "etc" / "host-agent.conf.sample"
PAGE = TOP / "docs" / "configuration.md"


def test_the_committed_sample_is_the_programs() -> None:
    assert SAMPLE.read_text() == sample.as_conf(), "write it anew: host-agent config sample"


def test_the_options_page_has_the_programs_table() -> None:
    table = PAGE.read_text().partition("<!-- options -->\n")[2].partition("<!-- /options -->")[0]
    assert table == sample.as_markdown(), "write it anew: host-agent config sample -f markdown"


@pytest.mark.parametrize(
    ("section", "name"), [(s, option.dest) for s, options in OPTIONS.items() for option in options]
)
def test_every_option_is_in_both(section: str, name: str) -> None:
    assert f"\n#{name} = " in SAMPLE.read_text().partition(f"\n[{section}]\n")[2]
    assert f"| `[{section}] {name}` |" in PAGE.read_text()


def test_the_sample_is_a_file_that_can_be_used() -> None:
    assert load([str(SAMPLE)], environ={}).origins == {}


def test_a_line_taken_from_the_sample_keeps_its_default(tmp_path: Path) -> None:
    conf = tmp_path / "agent.conf"
    conf.write_text(SAMPLE.read_text().replace("#refresh_interval", "refresh_interval"))

    configuration = load([str(conf)], environ={})

    assert configuration.origins == {("agent", "refresh_interval"): str(conf)}
    assert configuration.settings.agent.refresh_interval == 60
