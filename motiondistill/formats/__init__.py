"""Motions and meshes as files that other programs read, a file for each format."""
