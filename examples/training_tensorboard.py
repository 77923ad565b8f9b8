"""Train the demo net and see in TensorBoard where it looks: a hook for sessions, a callback for Keras.

python examples/training_tensorboard.py [LOGDIR [STEPS]]     then     tensorboard --logdir LOGDIR
"""

import sys
from functools import partial

import tensorflow.compat.v1 as tf
from numpy.random import RandomState
from tensorflow.keras import Sequential, layers, losses

from gradcam_tf1 import GradCamCallback, GradCamGraph, GradCamHook, TrainingMaps
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_scenes
from gradcam_tf1.nets.train_demo import CHANNELS, network_in_variables, training_batch

PATHS, CLASSES = zip(*[(scene.path, sorted(scene.boxes)[:2]) for scene in demo_scenes()[:3]])
MAPS = partial(TrainingMaps, PATHS, partial(GradCamGraph, preset="inception", labels=DEMO_CLASSES), CLASSES)


def with_hook(logdir, steps):
    with tf.Graph().as_default():
        images, logits, averages = network_in_variables(training=True)
        labels = tf.placeholder(tf.float32, [None, len(DEMO_CLASSES)])
        loss = tf.losses.sigmoid_cross_entropy(labels, logits)
        train = tf.train.AdamOptimizer(4e-3).minimize(loss, tf.train.get_or_create_global_step())
        hook = GradCamHook(MAPS(build=partial(network_in_variables, training=False)), every_n_steps=max(1, steps // 8))
        with tf.train.MonitoredTrainingSession(checkpoint_dir=logdir, hooks=[hook]) as session:
            for step in range(steps):
                session.run([train, averages], dict(zip((images, labels), training_batch(RandomState(step), 32))))


def with_callback(logdir, steps):
    conv = partial(layers.Conv2D, kernel_size=3, padding="same")
    blocks = [(conv(n, strides=1 + (n < 64)), layers.BatchNormalization(), layers.ReLU()) for n in CHANNELS]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(len(DEMO_CLASSES))]
    model = Sequential([layers.InputLayer((96, 128, 3)), *sum(blocks, ()), *head])
    model.compile("adam", losses.BinaryCrossentropy(from_logits=True))
    callback = GradCamCallback(MAPS(logdir=logdir), every_n_epochs=1)
    model.fit(*training_batch(RandomState(1), 8 * steps), 32, epochs=8, verbose=2, callbacks=[callback])


def main(folder="out/training", steps="300"):
    with_hook(f"{folder}/hook", int(steps))
    with_callback(f"{folder}/callback", int(steps))


if __name__ == "__main__":
    main(*sys.argv[1:])
