"""Train the demo net and see in TensorBoard where it looks: hook and listener of a session, callback of Keras.

python examples/training_tensorboard.py [LOGDIR [STEPS]]     then     tensorboard --logdir LOGDIR
"""

import sys
from functools import partial

import tensorflow.compat.v1 as tf
from numpy.random import RandomState
from tensorflow.keras import Sequential, layers

from gradcam_tf1 import GradCamCallback, GradCamGraph, GradCamHook, GradCamSaverListener, TrainingMaps
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_scenes
from gradcam_tf1.nets.train_demo import CHANNELS, network_in_variables, training_batch

PATHS, CLASSES = zip(*[(scene.path, sorted(scene.boxes)[:2]) for scene in demo_scenes()[:3]])
MAPS = partial(TrainingMaps, PATHS, partial(GradCamGraph, preset="inception", labels=DEMO_CLASSES), CLASSES)


def in_session(logdir, steps, hook_of):
    with tf.Graph().as_default():
        images, logits, averages = network_in_variables(training=True)
        labels = tf.placeholder(tf.float32, logits.shape)
        loss = tf.losses.sigmoid_cross_entropy(labels, logits)
        train = tf.train.AdamOptimizer(4e-3).minimize(loss, tf.train.get_or_create_global_step())
        hooks = [hook_of(MAPS(build=partial(network_in_variables, training=False)))]
        with tf.train.MonitoredTrainingSession(checkpoint_dir=logdir, hooks=hooks) as session:
            for n in range(steps):
                session.run([train, averages], dict(zip((images, labels), training_batch(RandomState(n), 32))))


def with_keras(callback, steps):
    blocks = [(layers.Conv2D(n, 3, 1 + (n < 64), "same"), layers.BatchNormalization(), layers.ReLU()) for n in CHANNELS]
    head = layers.GlobalAveragePooling2D(), layers.Dense(len(DEMO_CLASSES), "sigmoid")
    model = Sequential([layers.InputLayer((96, 128, 3)), *sum(blocks, ()), *head])
    model.compile("adam", "binary_crossentropy")
    model.fit(*training_batch(RandomState(1), 8 * steps), 32, epochs=8, verbose=2, callbacks=[callback])


def main(folder="out/training", steps=300):
    in_session(f"{folder}/hook", int(steps), partial(GradCamHook, every_n_steps=max(1, int(steps) // 8)))
    saver = partial(tf.train.CheckpointSaverHook, f"{folder}/listener", save_steps=max(1, int(steps) // 8))
    in_session(f"{folder}/listener", int(steps), lambda maps: saver(listeners=[GradCamSaverListener(maps)]))
    with_keras(GradCamCallback(MAPS(logdir=f"{folder}/callback"), every_n_epochs=1), int(steps))


if __name__ == "__main__":
    main(*sys.argv[1:])
