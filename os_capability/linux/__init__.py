# SPDX-License-Identifier: Apache-2.0
"""Linux: kernel text in, frozen values out.

`host_root` opens files and `lscpu_source` asks lscpu; nothing else touches the machine. The parsers are pure, the
readers join a root with the parsers, the driver joins the readers.
"""
