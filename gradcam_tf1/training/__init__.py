"""Explain a fixed set of images while a net is trained, and write the overlays as image summaries for TensorBoard.

In: a session that trains, or a Keras model, a step, and a `TrainingMaps` record.
Out: event files with tags gradcam/<method>/<image>/<class>.
Never: ops or collections in the graph that is trained; an end of the training because of an explanation, unless
requested.
"""
