# SPDX-License-Identifier: Apache-2.0
"""What ``fit`` is made of: what a machine has, what somebody wants, where it goes, and what is lacking."""
