"""The latent ablation: clips that no body stands behind, changed as priors ask."""
