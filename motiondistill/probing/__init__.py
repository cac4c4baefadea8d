"""What a prior knows about motion: forward alone, and in the gradients that it gives."""
