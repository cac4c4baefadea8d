"""Files of motions for other programs."""
