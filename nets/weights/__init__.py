"""Readers of VGG weights, one module for each kind of file.

In: the path of a weights file.
Out: layer name -> (kernel, bias), kernels HWIO.
Never: code from a file.
"""
