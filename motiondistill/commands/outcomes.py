"""How commands end, told without importing what takes time."""

from typing import Final

FAILED: Final = 1  # some runs of a batch
USAGE_ERROR: Final = 2
INTERRUPTED: Final = 130  # what shells report for a process ended by Ctrl-C

# Raised with a message that names the argument, the rule, the value and the remedy.
USER_ERRORS: Final = (
    ValueError,
    FileNotFoundError,
    FileExistsError,
    ImportError,
    FloatingPointError,
    MemoryError,
)
# And what one run of a batch may die of while the others live: devices and disks.
RUN_ERRORS: Final = (*USER_ERRORS, RuntimeError, OSError)
