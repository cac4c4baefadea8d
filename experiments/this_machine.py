"""On what the figures of a page were made."""

import os
import platform


def this_machine() -> str:
    """Its architecture and its number of cores."""
    return f"{platform.machine()} ({os.cpu_count()} cores)"
