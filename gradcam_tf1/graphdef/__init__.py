"""Recognise, check and repair model files and GraphDef messages before a graph is imported.

In: paths of any content, checkpoint files, GraphDef messages and the values of variables.
Out: the kind of a file, private copies of checked files, and a frozen GraphDef that is safe to import.
Never: a session, a run of an op, a change to the user's files.
"""
