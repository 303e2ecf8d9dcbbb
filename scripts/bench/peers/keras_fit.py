"""Keras' own way to train the reference network on MNIST: fit, then evaluate.

Prints samples a second of every epoch but the first, and the seconds of the
whole process from its start.
"""

import os
import time

BEGIN = time.time()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import argparse
import json
import resource
import statistics
import sys

flags = argparse.ArgumentParser()
flags.add_argument("--data", required=True)
flags.add_argument("--threads", type=int, default=2)
flags.add_argument("--batch", type=int, default=32)
flags.add_argument("--epochs", type=int, default=5)
o = flags.parse_args()

import tensorflow as tf

tf.config.threading.set_intra_op_parallelism_threads(o.threads)
tf.config.threading.set_inter_op_parallelism_threads(o.threads)
import keras
from keras import layers

import mnist


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.begin = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.begin)


x, y = mnist.load(o.data, "train")
test = mnist.load(o.data, "t10k")
model = keras.Sequential([
    keras.Input((28, 28, 1)),
    layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2),
    layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2),
    layers.Conv2D(64, 3, activation="relu"), layers.Flatten(),
    layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax"),
])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
clock = Clock()
model.fit(x[..., None], y, batch_size=o.batch, epochs=o.epochs, verbose=0, callbacks=[clock])
_, accuracy = model.evaluate(test[0][..., None], test[1], verbose=0)
later = statistics.median(clock.seconds[1:] or clock.seconds)
print(json.dumps({
    "version": f"{keras.__version__} / TensorFlow {tf.__version__}",
    "samples_per_second": len(x) / later,
    "accuracy": accuracy,
    "seconds": time.time() - BEGIN,
    "peak_rss_bytes": (1 if sys.platform == "darwin" else 1024) * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
}))
