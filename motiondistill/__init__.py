"""Text-to-motion by score distillation from frozen video diffusion models."""
