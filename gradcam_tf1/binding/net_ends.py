"""The two ends of a net: the tensor that takes the images, and the tensor of the class scores."""

from __future__ import annotations

from typing import List, Sequence, Tuple

from gradcam_tf1.binding.array_nets import array_rank, is_array, only_array
from gradcam_tf1.binding.batch_axes import follow_axes
from gradcam_tf1.binding.clip_nets import frame_order
from gradcam_tf1.binding.decoded import ImageTensor
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.input_candidates import choose_input, image_sources, nothing_takes_images, requested_input
from gradcam_tf1.binding.logits import choose_logits, requested_logits
from gradcam_tf1.binding.replicas import first_replica
from gradcam_tf1.binding.score_heads import Head
from gradcam_tf1.binding.streams import whole_image
from gradcam_tf1.binding.tensor_names import find_tensor
from gradcam_tf1.binding.token_nets import TokenInput, embedded_in, token_inputs
from gradcam_tf1.errors import BindingError
from gradcam_tf1.types import KeyTensors


def find_ends(
    index: GraphIndex, requested: KeyTensors, declared_inputs: Sequence[str], declared_outputs: Sequence[str]
) -> Tuple[ImageTensor, Head, str]:
    """Find the image input and the class scores, and follow the batch axis from the input.

    Parameters
    ----------
    index : GraphIndex
        The graph; its `axes` are set.
    requested : KeyTensors
        What the user named.
    declared_inputs, declared_outputs : sequence of str
        Tensors that the model file declares.

    Returns
    -------
    (ImageTensor, Head, str)
        The input, the class scores, and the reason for this input.

    Raises
    ------
    BindingError
        If nothing takes images, if there are no class scores, or if one of the two lies inside a loop.
    """
    sources = _sources(index, requested)
    if not sources:
        raise BindingError(nothing_takes_images(index))
    index.axes = follow_axes(index, [item.tensor for item in sources], lambda name: has_batch_axis(index, name))
    if requested.logits is not None:
        head = requested_logits(index, requested.logits, sources)
    else:
        head = choose_logits(index, sources, declared_outputs)
    fed = {find_tensor(index.graph, key).name for key in requested.feed}
    source, why = choose_input(index, sources, declared_inputs, head.scores, fed)
    whole = whole_image(index, source, head.scores)
    if whole != source:
        index.axes = follow_axes(index, [whole.tensor], lambda name: has_batch_axis(index, name))
        source, why = whole, f"the net cuts it into parts, and more than '{source.tensor}' reaches the scores"
    for name in (source.tensor, head.scores):
        if name in index.looped:
            raise BindingError(
                f"'{name}' lies inside a loop, where a tensor has one value per round and can be neither fed nor "
                "fetched; name a tensor before or after the loop"
            )
    if frame_order(index, source.tensor) is not None:
        why = "floats in the shape of clips, whose frames pass the convolutions one by one"
    elif embedded_in(index, source.tensor) is not None:
        why = "the embeddings of token ids"
    elif array_rank(index, source.tensor) is not None:
        why = "the only floats that reach a convolution, in the shape of signals or volumes"
    why = "named by the user" if requested.input is not None else why
    replica = first_replica(index, source, head)
    if replica is None:
        return source, head, why
    index.axes = follow_axes(index, [replica.source.tensor], lambda name: has_batch_axis(index, name))
    return replica.source, replica.head, f"{why}; {replica.why}"


def _sources(index: GraphIndex, requested: KeyTensors) -> List[ImageTensor]:
    if requested.input is None:
        array = only_array(index)
        images = image_sources(index) if array is None else [array]
        texts = token_inputs(index)[:1]
        ids = {text.ids for text in texts}  # Keras takes ids as floats, which look like a signal
        others = [item for item in images if item.tensor not in ids and item.origin not in ids]
        return others or [_texts(text) for text in texts] or images
    name = find_tensor(index.graph, requested.input).name
    tokens = embedded_in(index, name)
    if tokens is not None:
        return [_texts(tokens)]
    return [ImageTensor(name) if is_array(index, name) else requested_input(index, requested.input)]


def _texts(tokens: TokenInput) -> ImageTensor:
    return ImageTensor(tokens.embedded, texts=True)


def has_batch_axis(index: GraphIndex, images: str) -> bool:
    """Return whether the first axis of an input counts images."""
    return index.rank(images) != 3 or array_rank(index, images) is not None
