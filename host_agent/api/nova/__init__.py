# SPDX-License-Identifier: Apache-2.0
"""Nova's wire format, as its clients know it: ``/v2.1/os-hypervisors`` and its kin."""
