"""What the fuzzer damages: one small whole file (or folder) of every kind."""

from __future__ import annotations

import os
import pickle
import zipfile


def write_seeds(folder):
    """Small whole files of all kinds in `folder`."""
    import h5py
    import numpy as np
    from loader_nets import freeze, net_session, save_checkpoint, save_saved_model

    from gradcam_tf1 import tf_runtime as runtime
    from gradcam_tf1.tf_runtime import tf

    def path(name):
        return os.path.join(folder, name)

    with net_session() as session:
        frozen = freeze(session)
        with open(path("net.pb"), "wb") as file:
            file.write(frozen.SerializeToString())
        with open(path("net.pbtxt"), "w") as file:
            file.write(str(frozen))
        save_saved_model(session, path("saved"))
    with net_session(training=True) as session:
        save_checkpoint(session, folder)
    with net_session() as session, session.graph.as_default():
        tf.train.Saver(write_version=tf.train.SaverDef.V1).save(session, path("single.ckpt"), write_state=False)
    if runtime.IS_TF2:
        save_functions(path("functions"))
    keras = runtime.keras()
    with tf.Graph().as_default() as graph, tf.Session(graph=graph).as_default():
        stack = [keras.layers.Conv2D(3, 3, name="conv1_1", input_shape=(8, 8, 3)), keras.layers.Flatten()]
        keras.models.Sequential([*stack, keras.layers.Dense(4)]).save(path("net.h5"))
    kernel, bias = np.zeros((3, 3, 3, 4), np.float32), np.zeros(4, np.float32)
    with h5py.File(path("block.h5"), "w") as file:
        file.attrs["layer_names"] = [b"block1_conv1"]
        group = file.create_group("block1_conv1")
        group.attrs["weight_names"] = [b"block1_conv1_W_1:0", b"block1_conv1_b_1:0"]
        group["block1_conv1_W_1:0"], group["block1_conv1_b_1:0"] = kernel, bias
    np.save(path("vgg.npy"), {"conv1_1": [kernel, bias]})
    np.savez(path("vgg.npz"), conv1_1_W=kernel, conv1_1_b=bias)
    with zipfile.ZipFile(path("vgg.pth"), "w") as archive:
        archive.writestr("vgg/data.pkl", pickle.dumps({"features.0.weight": [1.0] * 20}, protocol=2))
        archive.writestr("vgg/data/0", kernel.tobytes())
    for name, text in {
        "labels.txt": "tench, Tinca tinca\ngoldfish\n",
        "ids.txt": "0:tench\n1:goldfish\n",
        "labels.json": '{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}',
        "dict.txt": "{0: 'tench, Tinca tinca',\n 1: 'goldfish'}",
        "labels.csv": "id,name\n0,tench\n1,goldfish\n",
    }.items():
        with open(path(name), "w") as file:
            file.write(text)


def save_functions(folder):
    """A SavedModel of TensorFlow 2: the net in functions, with a branch and a loop; a table is filled."""
    import numpy as np
    import tensorflow

    module = tensorflow.Module()
    module.kernel = tensorflow.Variable(np.full((3, 3, 3, 4), 0.1, np.float32))
    module.weights = tensorflow.Variable(np.eye(4, dtype=np.float32))
    keys = tensorflow.lookup.KeyValueTensorInitializer(["a", "b"], [1.0, 2.0])
    module.table = tensorflow.lookup.StaticHashTable(keys, 0.0)

    @tensorflow.function(input_signature=[tensorflow.TensorSpec([None, 9, 9, 3], tensorflow.float32, name="images")])
    def serve(images):
        features = tensorflow.nn.relu(tensorflow.nn.conv2d(images, module.kernel, 1, "SAME"))
        turns = tensorflow.while_loop(lambda n: n < 3, lambda n: n + 1, [tensorflow.constant(0)])[0]
        factor = tensorflow.cond(turns > 2, lambda: 2.0, lambda: 0.5)
        return {"logits": tensorflow.matmul(tensorflow.reduce_mean(features, [1, 2]) * factor, module.weights)}

    module.serve = serve
    tensorflow.saved_model.save(module, folder, signatures={"serving_default": serve})
