"""The input, the class scores, the feature maps and the feeds of a frozen graph.

In: an imported graph, what its file declares, and what the user names.
Out: a `Binding` of tensor names with one reason for each, warnings, and all candidates where the search fails.
Never: a change to the graph, a run of the net, a silent guess.
"""
