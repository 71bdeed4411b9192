# SPDX-License-Identifier: Apache-2.0
"""What runs here: one small driver for each engine, each giving `Workload` values."""
