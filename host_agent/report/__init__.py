# SPDX-License-Identifier: Apache-2.0
"""Where else than into the database a host's facts go."""
