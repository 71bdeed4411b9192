#!/usr/bin/python3 -I
import sys

sys.path.insert(0, "/usr/lib/os-capability")

from os_capability.cli import main

sys.exit(main())
