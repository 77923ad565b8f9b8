"""Why a run of a net failed, in one sentence that says what to do."""

from __future__ import annotations

import re

from gradcam_tf1.engine.built_once import made_of
from gradcam_tf1.tf_runtime import OUR_SCOPE, tf

_HEADLINE = re.compile(r"Graph execution error:|\d+ root error\(s\) found")
_NUMBERED = re.compile(r"^ *\(0\) [A-Za-z ]+: ")  # "(0) Invalid argument: ", the first of several errors
_NO_KERNEL = re.compile("No OpKernel was registered|mixed precision is disallowed|not yet implemented")
NAME_TENSORS = (
    "name a layer (and logits) with one row per image, or the input, logits and layer of one of the parts "
    "(--input, --logits, --layer)"
)


def run_message(error: tf.errors.OpError) -> str:
    """Return the reason of a failed run, the op, and what to do."""
    place, cure = "", ""
    if error.op is not None:
        place = f" at '{error.op.name}' ({error.op.type})"
        if error.op.name.startswith(OUR_SCOPE) and not error.op.outputs:
            place = ""  # the message of our own assertion is complete
        elif error.op.name.startswith(OUR_SCOPE):
            place = f" at {made_of(error.op.outputs[0])} ({error.op.type})"
            cure = f"; {NAME_TENSORS}" if isinstance(error, tf.errors.InvalidArgumentError) else ""
    lines = [line for line in error.message.splitlines() if line.strip() and not _HEADLINE.match(line)]
    # TensorFlow 2 puts the reason after a stack trace and a line "Node: 'name'"
    after = [number + 1 for number, line in enumerate(lines[:-1]) if line.startswith("Node:")]
    message = f"the net failed{place}: {_NUMBERED.sub('', lines[after[0] if after else 0]).strip()}"
    half = _half_type(error)
    if half and _NO_KERNEL.search(message):
        cure = f". TensorFlow {tf.VERSION} does not compute this op in {half} here; export the net in float32"
    if "NHWC" in message:
        message += ". TensorFlow 1.15 computes channels-first (NCHW) layers on a GPU only; TensorFlow 2 also on the CPU"
    return message + cure


def _half_type(error: tf.errors.OpError) -> str:
    """Return "bfloat16" or "float16" if the op that failed computes in it, else ""; TensorFlow 2 may not name it."""
    names = [] if error.op is None else [t.dtype.base_dtype.name for t in (*error.op.inputs, *error.op.outputs)]
    for half, attribute in (("bfloat16", "DT_BFLOAT16"), ("float16", "DT_HALF")):
        if half in names or attribute in error.message:
            return half
    return ""
