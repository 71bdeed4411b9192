# SPDX-License-Identifier: Apache-2.0
"""The catalogue: one invented machine for each thing that readers of Linux get wrong."""

from __future__ import annotations

from tests.machines.shapes import contradictions, cores, devices, kinds, numa, surroundings

SHAPES = (*cores.SHAPES, *kinds.SHAPES, *numa.SHAPES, *contradictions.SHAPES, *devices.SHAPES, *surroundings.SHAPES)
