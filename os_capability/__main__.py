# SPDX-License-Identifier: Apache-2.0
"""``python -m os_capability`` is the command `os-capability`."""

import sys

from os_capability.cli import main

sys.exit(main())
