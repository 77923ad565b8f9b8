"""Reference nets, installed as `gradcam_tf1.nets`: VGG-11/13/16/19 and the embedded demo net."""
