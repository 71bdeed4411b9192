# SPDX-License-Identifier: Apache-2.0
"""``python -m host_agent`` is ``host-agent``."""

import sys

from host_agent.cli import main

sys.exit(main())
