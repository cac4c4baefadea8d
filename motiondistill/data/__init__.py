"""Motions with captions: motion capture, retargeting, parametric actions, windows to learn from."""
