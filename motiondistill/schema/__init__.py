"""Everything that jobs can be told, as frozen dataclasses whose values are the defaults."""
