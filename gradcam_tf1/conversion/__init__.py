"""Bring a net of any form to a frozen graph for TensorFlow 1.15, and prove that it answers the same.

In: what `load` takes, or an open GradCamGraph.
Out: one .pb file, and a record of its key tensors.
Never: a file that was not read back and compared.
"""
