"""How commands end, told without importing what takes time."""

from typing import Final

USAGE_ERROR: Final = 2
INTERRUPTED: Final = 130  # what shells report for a process ended by Ctrl-C

# Raised with a message that names the argument, the rule, the value and the remedy.
USER_ERRORS: Final = (
    ValueError,
    FileNotFoundError,
    FileExistsError,
    ImportError,
    FloatingPointError,
)
