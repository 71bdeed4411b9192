# SPDX-License-Identifier: Apache-2.0
"""The history of the schema, as alembic runs it. Forward only: expand first, contract a release later."""
