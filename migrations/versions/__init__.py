# SPDX-License-Identifier: Apache-2.0
"""One numbered file for each step of the schema; one table a step, since MySQL's DDL cannot be rolled back."""
