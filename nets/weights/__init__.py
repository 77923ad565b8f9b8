"""Readers of VGG weights, one module per file format; each returns layers by name, kernels HWIO."""
