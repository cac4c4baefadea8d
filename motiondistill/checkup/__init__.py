"""What works on this machine, and with which priors."""
