"""Measure methods on a net and a folder of images."""
