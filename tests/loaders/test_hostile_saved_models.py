"""SavedModels of unknown origin: the graph that was checked is the one that is loaded; no code is run."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from loader_nets import IMAGES, LOGITS, logits_of, net_session, save_saved_model

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders import load
from gradcam_tf1.loaders import saved_model as loader
from gradcam_tf1.tf_runtime import tf

ROWS_GIVEN = np.random.RandomState(3).rand(2, 5, 3).astype(np.float32).reshape(2, 15)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two TF2 SavedModels with different weights, and what each computes."""
    if not runtime.IS_TF2:
        pytest.skip("flattened on TensorFlow 2 only")
    found = []
    for factor in (1.0, -2.0):
        folder = tmp_path_factory.mktemp("functions")
        save_functions(folder, np.full((15, 4), factor, np.float32))
        found.append((folder, ROWS_GIVEN.astype(np.float64) @ np.full((15, 4), factor)))
    return found


def save_functions(folder, kernel):
    import tensorflow

    module = tensorflow.Module()
    module.kernel = tensorflow.Variable(kernel)

    @tensorflow.function(input_signature=[tensorflow.TensorSpec([None, 15], tensorflow.float32, name="x")])
    def serve(x):
        return {"y": tensorflow.matmul(x, module.kernel)}

    module.serve = serve
    tensorflow.saved_model.save(module, str(folder), signatures={"serving_default": serve})


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    """A TF1 graph with an initialiser that makes a file, which TensorFlow's own loader runs."""
    folder = tmp_path_factory.mktemp("evil")
    canary = tmp_path_factory.mktemp("canary") / "canary"
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 15], "x")
        y = tf.identity(x * 2, name="y")
        write = tf.write_file(str(canary), "x")
        info = {"x": tf.saved_model.build_tensor_info(x)}, {"y": tf.saved_model.build_tensor_info(y)}
        signature = tf.saved_model.signature_def_utils.build_signature_def(*info)
        builder = tf.saved_model.builder.SavedModelBuilder(str(folder / "model"))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature}, main_op=write)
        builder.save()
    return folder / "model", canary


def parsed(folder, name="saved_model.pb"):
    return runtime.saved_model_message().FromString((folder / name).read_bytes())


def computed(model):
    return logits_of(model, ROWS_GIVEN, model.inputs[0], model.outputs[0])


def test_two_graphs_of_the_same_tags(two, evil, tmp_path):
    """TensorFlow would take the first of two such graphs."""
    here = tmp_path / "here"
    shutil.copytree(str(two[0][0]), str(here))
    saved = parsed(evil[0])
    saved.MergeFrom(parsed(two[0][0]))
    assert [list(meta.meta_info_def.tags) for meta in saved.meta_graphs] == [["serve"], ["serve"]]
    for tags in (["serve"], ["serve", "serve"]):  # TensorFlow compares sets
        saved.meta_graphs[0].meta_info_def.tags[:] = tags
        (here / "saved_model.pb").write_bytes(saved.SerializeToString())
        with pytest.raises(ModelFileError, match="has two graphs tagged 'serve', and one is expected for each tag"):
            load(here)
    assert not evil[1].exists()


def test_two_graphs_of_other_tags(tmp_path):
    """On both runtimes; a comma in a name does not separate tags."""
    with net_session() as session:
        wanted = session.run(LOGITS, {"images:0": IMAGES})
        save_saved_model(session, tmp_path / "here")
    saved = parsed(tmp_path / "here")
    saved.meta_graphs.add().CopyFrom(saved.meta_graphs[0])
    del saved.meta_graphs[1].graph_def.node[:]
    saved.meta_graphs[1].meta_info_def.tags[:] = ["serve", "gpu"]
    saved.meta_graphs.add().CopyFrom(saved.meta_graphs[1])
    saved.meta_graphs[2].meta_info_def.tags[:] = ["gpu,serve"]
    (tmp_path / "here" / "saved_model.pb").write_bytes(saved.SerializeToString())
    np.testing.assert_array_equal(logits_of(load(tmp_path / "here")), wanted)
    with pytest.raises(ModelFileError, match="the graph has no nodes"):
        load(tmp_path / "here", tag="gpu,serve")
    with pytest.raises(
        ModelFileError, match="has no graph tagged 'cpu'; tags found: 'gpu,serve', 'gpu,serve', 'serve'"
    ):
        load(tmp_path / "here", tag="cpu")


@pytest.mark.parametrize("kind", ["pb", "pbtxt", "cpb"])
def test_another_file_in_the_folder_is_not_loaded(kind, two, evil, tmp_path):
    """net.pb must not be checked and saved_model.pb loaded."""
    here = tmp_path / "here"
    shutil.copytree(str(two[0][0]), str(here))
    os.rename(str(here / "saved_model.pb"), str(here / "net.pb"))
    data = parsed(evil[0])
    content = str(data).encode() if kind == "pbtxt" else data.SerializeToString()
    (here / f"saved_model.{kind}").write_bytes(content)
    np.testing.assert_allclose(computed(load(here / "net.pb")), two[0][1], rtol=1e-5)
    assert not evil[1].exists()
    os.rename(str(here / "net.pb"), str(here / "saved_model.pb"))
    np.testing.assert_allclose(computed(load(here)), two[0][1], rtol=1e-5)
    assert not evil[1].exists()


def test_files_that_change_between_look_and_use(two, evil, tmp_path, monkeypatch):
    here = tmp_path / "here"
    shutil.copytree(str(two[0][0]), str(here))
    real = loader.flatten_saved_model

    def after_a_change(*given):
        shutil.copy(str(evil[0] / "saved_model.pb"), str(here / "saved_model.pb"))
        for path in (two[1][0] / "variables").iterdir():
            shutil.copy(str(path), str(here / "variables" / path.name))
        return real(*given)

    monkeypatch.setattr(loader, "flatten_saved_model", after_a_change)
    np.testing.assert_allclose(computed(load(here)), two[0][1], rtol=1e-5)
    assert not evil[1].exists()


def test_functions_that_the_file_does_not_list(tmp_path):
    """TensorFlow calls what an object names as its initialiser, whether the file lists the function or not."""
    if not runtime.IS_TF2:
        pytest.skip("flattened on TensorFlow 2 only")
    save_with_initialiser(tmp_path / "here", str(tmp_path / "canary"))
    saved = parsed(tmp_path / "here")
    meta = saved.meta_graphs[0]
    evil = next(function for function in meta.graph_def.library.function if "initializer" in function.signature.name)
    name = evil.signature.name
    with pytest.raises(ModelFileError, match=f"the op SaveV2 .* of the function '{name}'.*--trust-model"):
        load(tmp_path / "here")
    del evil.signature.output_arg[:]
    evil.ret.clear()
    for node in meta.object_graph_def.nodes:
        if name in (*node.function.concrete_functions, node.bare_concrete_function.concrete_function_name):
            node.bare_concrete_function.Clear()
            node.bare_concrete_function.concrete_function_name = name
    del meta.object_graph_def.concrete_functions[name]
    (tmp_path / "here" / "saved_model.pb").write_bytes(saved.SerializeToString())
    with pytest.raises(ModelFileError, match=f"TensorFlow cannot load this SavedModel: .*{name}"):
        load(tmp_path / "here")
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def save_with_initialiser(folder, target):
    """A SavedModel with a table whose initialiser saves a number into a file."""
    import tensorflow

    class Table(tensorflow.saved_model.experimental.TrackableResource):
        def _create_resource(self):
            return tensorflow.raw_ops.MutableHashTableV2(
                key_dtype=tensorflow.string, value_dtype=tensorflow.float32, shared_name="table"
            )

        def _initialize(self):
            tensorflow.raw_ops.SaveV2(prefix=target, tensor_names=["x"], shape_and_slices=[""], tensors=[1.0])

    module = tensorflow.Module()
    module.table = Table()
    assert module.table.resource_handle is not None

    @tensorflow.function(input_signature=[tensorflow.TensorSpec([None, 15], tensorflow.float32, name="x")])
    def serve(x):
        return {"y": x * 2.0}

    module.serve = serve
    tensorflow.saved_model.save(module, str(folder), signatures={"serving_default": serve})


def test_links_are_read_once_as_files(two, tmp_path):
    """Links, as in folders of download caches."""
    here = tmp_path / "here"
    (here / "variables").mkdir(parents=True)
    os.symlink(str(two[0][0] / "saved_model.pb"), str(here / "saved_model.pb"))
    for path in (two[0][0] / "variables").iterdir():
        os.symlink(str(path), str(here / "variables" / path.name))
    np.testing.assert_allclose(computed(load(here)), two[0][1], rtol=1e-5)


def test_concatenated_messages_are_one(two, evil, tmp_path):
    """Protobuf merges fields that occur twice: the graph of the second part is added to the list of the first."""
    here = tmp_path / "here"
    shutil.copytree(str(two[0][0]), str(here))
    good, bad = (parsed(folder).SerializeToString() for folder in (two[0][0], evil[0]))
    for data in (good + bad, bad + good):
        (here / "saved_model.pb").write_bytes(data)
        with pytest.raises(ModelFileError, match="has two graphs tagged 'serve'"):
            load(here)
    assert not evil[1].exists()


def test_assets_outside_the_folder(two, tmp_path):
    """Assets are copied for trusted models only, and only from the folder."""
    here = tmp_path / "here"
    shutil.copytree(str(two[0][0]), str(here))
    saved = parsed(here)
    asset = saved.meta_graphs[0].asset_file_def.add()
    asset.tensor_info.name = "x:0"
    for name in ("../secret", "/etc/passwd", "a/../../secret", ""):
        asset.filename = name
        (here / "saved_model.pb").write_bytes(saved.SerializeToString())
        np.testing.assert_allclose(computed(load(here)), two[0][1], rtol=1e-5)
        with pytest.raises(ModelFileError, match="the asset '.*' is not a file below its folder assets"):
            load(here, trust_model=True)
    asset.filename = "words/vocab.txt"
    (here / "saved_model.pb").write_bytes(saved.SerializeToString())
    (here / "assets" / "words").mkdir(parents=True)
    (here / "assets" / "words" / "vocab.txt").write_text("a\n")
    np.testing.assert_allclose(computed(load(here, trust_model=True)), two[0][1], rtol=1e-5)


def test_trusted_initialisers_find_their_assets(tmp_path):
    if not runtime.IS_TF2:
        pytest.skip("flattened on TensorFlow 2 only")
    import tensorflow

    (tmp_path / "vocab.txt").write_text("cat\ndog\n")
    module = tensorflow.Module()
    line, number = tensorflow.lookup.TextFileIndex.WHOLE_LINE, tensorflow.lookup.TextFileIndex.LINE_NUMBER
    path = str(tmp_path / "vocab.txt")
    names = tensorflow.lookup.TextFileInitializer(path, tensorflow.string, line, tensorflow.int64, number)
    module.table = tensorflow.lookup.StaticHashTable(names, -1)

    @tensorflow.function(input_signature=[tensorflow.TensorSpec([None, 15], tensorflow.float32, name="x")])
    def serve(x):
        return {"y": x * tensorflow.cast(module.table.size(), tensorflow.float32)}

    module.serve = serve
    tensorflow.saved_model.save(module, str(tmp_path / "here"), signatures={"serving_default": serve})
    with pytest.raises(ModelFileError, match="--trust-model"):
        load(tmp_path / "here")
    assert load(tmp_path / "here", trust_model=True).outputs


@pytest.mark.parametrize("name", ["saved_model.pb", "variables.index"])
def test_pipes_are_no_models(name, tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    with net_session() as session:
        save_saved_model(session, tmp_path / "here")
    path = tmp_path / "here" / ("variables" if "variables" in name else "") / name
    path.unlink()
    os.mkfifo(str(path))
    with pytest.raises(ModelFileError, match="(not a regular file|without a model)"):
        load(tmp_path / "here")
    with pytest.raises(ModelFileError, match="not a regular file"):
        load(path)
