"""Gradients of a TensorFlow graph.

In: a score tensor, layers or images, a rule (plain, guided, deconvnet).
Out: gradient tensors, never None; else a GradientError that names the op that blocks.
Never: runs of the net, changes to the user's graph.
"""
