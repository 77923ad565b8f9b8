"""Maps as images: overlays, boxes, figures side by side, contact sheets, PNG files.

In: raw or placed maps, the original images, a `Style`.
Out: uint8 RGB images, matplotlib figures, PNG and .npy files.
Never: TensorFlow; matplotlib before a figure is made; half-written files.
"""
