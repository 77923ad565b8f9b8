"""Export a net together with its explanation, as one graph of ordinary ops.

In: a bound net, and what its signature has to compute.
Out: a SavedModel, a frozen graph or another format, inside one output folder.
Never: an op, an attribute or a custom gradient that needs this toolkit to load.
"""
