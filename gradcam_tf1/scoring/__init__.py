"""The scores that are explained.

In: targets as users write them, the binding, logits of any layout.
Out: `ScoreRequest` records, and the float32 score [N] that is differentiated.
Never: gradients, runs of the net, changes to the user's graph.
"""
