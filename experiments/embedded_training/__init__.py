"""How the embedded priors are made: clips, codec, denoisers, and one loop that trains them all."""
