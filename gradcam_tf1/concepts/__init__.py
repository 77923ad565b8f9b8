"""Concepts of a layer: factors of its features over a folder, and directions that a user names."""
