# SPDX-License-Identifier: Apache-2.0
"""The catalogue: one invented machine for each thing that readers of Linux get wrong."""

from __future__ import annotations

from tests.machines.shapes import cores, numa, surroundings

SHAPES = (*cores.SHAPES, *numa.SHAPES, *surroundings.SHAPES)
