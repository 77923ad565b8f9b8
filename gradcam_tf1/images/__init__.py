"""Find and read images, fit them to the net's input, place maps back on them.

In: folders, files, patterns, lists, archives, TFRecord and medical files, arrays.
Out: uint8 or float pixels, the fitted input, and the placement that places maps back on the original.
Never: TensorFlow, running code from a file, writing files.
"""
