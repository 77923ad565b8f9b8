"""Send a model to the executors of a cluster: one file, once per executor, checked where it arrives."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from typing import Any

from pyspark import SparkFiles

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders import whole
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LoadedModel


@dataclass(frozen=True)
class SentModel:
    """A model that Spark sends to each executor as one file.

    The file is the frozen graph that `load` made of a model of any form, so that folders (SavedModels) and sets of
    files (checkpoints) need no way of their own.

    Attributes
    ----------
    name : str
        Name of the file; it contains the hash of its content.
    sha256 : str
        The hash.
    facts : LoadedModel
        What `load` found besides the graph.
    """

    name: str
    sha256: str
    facts: LoadedModel

    def load(self) -> LoadedModel:
        """Read the executor's copy. Raises ModelFileError if it is not what was sent."""
        path = SparkFiles.get(self.name)
        with open(path, "rb") as file:
            content = file.read()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise ModelFileError(f"{path!r} is not the model that the driver sent ({len(content):,} bytes); try again")
        graph_def = tf.GraphDef()
        graph_def.ParseFromString(content)
        return replace(self.facts, graph_def=graph_def)


def send_model(context: Any, loaded: LoadedModel) -> SentModel:
    """Send a model to the executors; a second call sends nothing.

    Parameters
    ----------
    context : SparkContext
        Of the cluster.
    loaded : LoadedModel
        The model.

    Raises
    ------
    ModelFileError
        If it is larger than 2 GB.
    """
    try:
        content = whole(loaded).graph_def.SerializeToString(deterministic=True)
    except ValueError as error:
        raise ModelFileError(f"{loaded.source}: a model of more than 2 GB cannot be sent as one graph") from error
    digest = hashlib.sha256(content).hexdigest()
    name = f"gradcam_tf1-{digest[:32]}.pb"
    if not any(each.rpartition("/")[2] == name for each in context.listFiles):
        folder = tempfile.mkdtemp(prefix="gradcam_tf1-")  # executors fetch the file as they start, until the end
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(content)
        context.addFile(path)
    return SentModel(name, digest, replace(loaded, graph_def=None, apart=None))
