"""Where images come from and how they are brought to the net's input and back.

In: folders, files, patterns, lists, archives, TFRecord and medical files, arrays.
Out: uint8 or float pixels, the fitted input, and a placement that puts maps back on the original.
Never: TensorFlow, code from a file, writing.
"""
