"""The methods: from features, gradients and probes of a net to raw maps, one function and one row each.

In come a run's numbers or a `ProbeBase`, out go numpy maps before the closing ReLU. This package never opens a net,
runs a session or writes a file; the engine does, through the abstract classes in `interfaces`.
"""

from __future__ import annotations

from gradcam_tf1.methods.catalogue import METHOD_GROUPS as METHOD_GROUPS
from gradcam_tf1.methods.catalogue import METHODS as METHODS
from gradcam_tf1.methods.catalogue import method_row as method_row
from gradcam_tf1.methods.catalogue import register as register
from gradcam_tf1.methods.catalogue import without_gradients as without_gradients
from gradcam_tf1.methods.choices import MethodChoice as MethodChoice
from gradcam_tf1.methods.choices import choose_methods as choose_methods
from gradcam_tf1.methods.choices import method as method
from gradcam_tf1.methods.families import LayerMethod as LayerMethod
from gradcam_tf1.methods.families import NumpyMethod as NumpyMethod
from gradcam_tf1.methods.families import PixelMethod as PixelMethod
from gradcam_tf1.methods.families import ProductMethod as ProductMethod
from gradcam_tf1.methods.iterated import IteratedMethod as IteratedMethod
from gradcam_tf1.methods.options import Option as Option
