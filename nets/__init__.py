"""Reference nets, installed as `gradcam_tf1.nets`: VGG-11/13/16/19 and the embedded demo net.

In: weights files of VGG nets, in any usual format.
Out: frozen graphs as `LoadedModel`, and the demo net with its scenes.
Never: a download, code from a weights file.
"""
