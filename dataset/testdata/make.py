"""Makes the files beside it. They were made with Python 3.11, NumPy 2.4.6,
Pillow 13.0.0 and safetensors 0.8.0:

    python make.py

Every file holds images whose elements count up from 0, so that a test can tell
where each of them has gone.
"""

import os

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

here = os.path.dirname(os.path.abspath(__file__))


def count(shape, dtype):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def path(name):
    return os.path.join(here, name)


labels = np.array([2, 0, 1])

# Stored, uint8, labels as NumPy makes them (int64).
np.savez(path("stored.npz"), x_train=count((3, 2, 2), "u1"), y_train=labels, x_test=count((1, 2, 2), "u1"), y_test=labels[:1])
# Compressed, float32 with channels, labels [n, 1], all three parts.
np.savez_compressed(
    path("compressed.npz"),
    train_images=count((3, 2, 1, 2), "f4"), train_labels=labels.reshape(3, 1).astype("u1"),
    val_images=count((2, 2, 1, 2), "f4"), val_labels=np.array([[5], [0]], "i4"),
    test_images=count((1, 2, 1, 2), "f4"), test_labels=np.array([[3]], "u2"),
)
# First index varies fastest, as column-major programs save it.
np.savez(path("fortran.npz"), x=np.asfortranarray(count((3, 2, 4), "f8")), y=np.asfortranarray(labels))
np.savez(path("fortran4.npz"), x=np.asfortranarray(count((3, 2, 4, 3), "u1")), y=labels)
np.savez(path("bigendian.npz"), x=count((3, 2, 2), ">f4"), y=labels.astype(">i2"))
np.savez(path("half.npz"), x=count((3, 2, 2), "f2"), y=labels.astype("i1"))
# What must be refused.
np.savez(path("objects.npz"), x=count((3, 2, 2), "u1"), y=np.array([2, None, 1], dtype=object))
np.savez(path("records.npz"), x=count((3, 2, 2), "u1"), y=np.zeros(3, dtype=[("label", "i4"), ("weight", "f4")]))
np.savez(path("nan.npz"), x=np.array([[[0, 1]], [[np.nan, 3]]], "f4"), y=labels[:2])

save_file(
    {"x_train": count((3, 2, 2), "u1"), "y_train": labels, "x_test": count((1, 2, 2), "u1"), "y_test": labels[:1].astype("i4")},
    path("numpy.safetensors"),
)

# 4×4 pixels of 0, 16, …, 240 in the kinds of pixel that files come in.
grey = Image.fromarray((16 * np.arange(16)).reshape(4, 4).astype("u1"))
grey.save(path("grey.png"))
grey.convert("LA").save(path("grey-alpha.png"))
grey.convert("P").save(path("grey-palette.png"))
grey.convert("RGB").save(path("grey-rgb.bmp"))
grey.save(path("grey.gif"))
Image.fromarray((257 * 16 * np.arange(16)).reshape(4, 4).astype("u2")).save(path("grey-16bit.png"))
Image.new("L", (4, 4), 128).save(path("grey.jpg"))
Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(path("red-cmyk.jpg"))
