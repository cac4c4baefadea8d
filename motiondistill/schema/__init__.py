"""What jobs can be told, beside what stands with their loops, and within which ranges."""
