# SPDX-License-Identifier: Apache-2.0
"""What the workloads of a host hold of it, each once: those recorded for it, found on it, or on their way. Pure."""

from host_agent.usage.holding import INCOMING, ORPHAN, OUTGOING, RECORDED, Holding, Usage
from host_agent.usage.inputs import FINISHED, RELEASED, FoundWorkloads, Migration, RecordedWorkload
from host_agent.usage.union import usage

__all__ = [
    "FINISHED",
    "INCOMING",
    "ORPHAN",
    "OUTGOING",
    "RECORDED",
    "RELEASED",
    "FoundWorkloads",
    "Holding",
    "Migration",
    "RecordedWorkload",
    "Usage",
    "usage",
]
