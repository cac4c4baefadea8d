"""Motions with captions: files of motion capture, retargeting, parametric actions, and windows to learn from."""
