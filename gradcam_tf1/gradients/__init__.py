"""Gradients of a TensorFlow graph: guided rules, faster kernels, why one does not arrive."""
