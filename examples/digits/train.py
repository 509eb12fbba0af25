#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trains the digit classifier of this folder for one tinyODIN core and writes its chip image.

  train.py           trains, writes digits.h5 and baseline.json, prints accuracies
  train.py --check   trains again and compares every weight, neuron and attribute with digits.h5; writes nothing

Needs numpy and h5py (versions: README.md). Takes about half a minute on one core, no random number that is not seeded.

The forward pass of the training is the chip's own: integer weights -8..7, integer potentials, neurons that fire in the
middle of an image and reset to zero, one event after the other. Only the gradient is a stand-in (straight through
rounding and firing). It is rounded to a binary fraction before it enters a sum, so all sums are exact in float64: the
weights do not depend on the order in which a BLAS adds.
"""
import argparse
import json
import os
import platform
import sys

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import h5py
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = 1

# The core. digits.c has the same numbers; README.md explains them.
INPUTS = 64                # rows 0..63: one per pixel
READOUT_ROW = 64           # +READOUT_WEIGHT to every output neuron
HIDDEN = slice(65, 246)
OUTPUT = slice(246, 256)
PASSES = 4                 # a pixel of value p spikes in pass t = 0..3 if p >= 4 * t + 2
READOUT_EVENTS = 40
CLEAR_EVENTS = 17          # LEAK_ALL with leak 127: 17 * 127 > 2048
READOUT_WEIGHT = 7
LEAK = 127
OUT_OF_REACH = 4095
OUTPUT_THRESHOLD = READOUT_EVENTS * READOUT_WEIGHT - 10

# The training, chosen by cross-validation over the seven tenths that are not held out.
EPOCHS = 80
BATCH = 128
RATE = 0.1
HIDDEN_THRESHOLD = 40      # to start with
SKIPPED_INPUTS = 0.2       # fraction of input spikes left out at random while training
TEMPERATURE = 0.2          # softmax of potential * TEMPERATURE

N_HIDDEN = HIDDEN.stop - HIDDEN.start
NOTHING = INPUTS           # index of "no spike" in padded spike lists


def load():
    table = np.loadtxt(os.path.join(HERE, "digits.csv"), delimiter=",", dtype=np.int64)
    tenth = np.arange(len(table)) % 10
    return table[:, :64], table[:, 64], tenth


def spike_rows(pixels):
    """Rows that one image drives, in order."""
    return np.concatenate([np.flatnonzero(pixels >= 4 * t + 2) for t in range(PASSES)])


def padded_rows(images):
    lists = [spike_rows(pixels) for pixels in images]
    rows = np.full((len(lists), max(map(len, lists))), NOTHING)
    for row, spikes in zip(rows, lists):
        row[:len(spikes)] = spikes
    return rows


def count_rows(rows):
    return np.stack([(rows == i).sum(axis=1) for i in range(INPUTS)], axis=1).astype(np.float64)


def hidden_spikes(rows, weights, threshold):
    """Spikes of each hidden neuron for a batch of spike lists: integrate, fire at >= threshold, reset to zero."""
    weights = np.vstack([weights, np.zeros(weights.shape[1])])
    potential = np.zeros((len(rows), weights.shape[1]))
    spikes = np.zeros_like(potential)
    for row in rows.T:
        potential += weights[row]
        fired = potential >= threshold
        spikes += fired
        potential[fired] = 0
    return spikes


class Adam:
    def __init__(self, params):
        self.params, self.step_count = params, 0
        self.mean = [np.zeros_like(p) for p in params]
        self.square = [np.zeros_like(p) for p in params]

    def step(self, gradients, rates):
        self.step_count += 1
        mean_scale = 1 - 0.9 ** self.step_count
        square_scale = 1 - 0.999 ** self.step_count
        for p, g, m, s, rate in zip(self.params, gradients, self.mean, self.square, rates):
            m += 0.1 * (g - m)
            s += 0.001 * (g * g - s)
            p -= rate * (m / mean_scale) / (np.sqrt(s / square_scale) + 1e-8)


def exact(x):
    """Rounds to multiples of 2^-24, so that products with small integers add up without rounding."""
    return np.rint(x * 2.0**24) * 2.0**-24


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def cosine(epoch, epochs):
    return 0.5 * (1 + np.cos(np.pi * epoch / epochs))


def codes(weights):
    return np.clip(np.rint(weights), -8, 7)


def train_chip(images, labels):
    """Returns integers: input weights [64][hidden], output weights [hidden][10], thresholds [hidden], biases [10]."""
    rng = np.random.default_rng(SEED)
    w1 = rng.random((INPUTS, N_HIDDEN)) * 8 - 4
    w2 = rng.random((N_HIDDEN, 10)) * 8 - 4
    threshold = np.full(N_HIDDEN, float(HIDDEN_THRESHOLD))
    bias = np.zeros(10)
    adam = Adam([w1, w2, threshold, bias])
    all_rows, target = padded_rows(images), np.eye(10)[labels]
    for epoch in range(EPOCHS):
        rate = RATE * cosine(epoch, EPOCHS)
        order = rng.permutation(len(images))
        for start in range(0, len(order), BATCH):
            chosen = order[start:start + BATCH]
            rows = all_rows[chosen]
            rows = np.where(rng.random(rows.shape) < SKIPPED_INPUTS, NOTHING, rows)
            q1, q2, fire_at = codes(w1), codes(w2), np.rint(threshold)
            counts = count_rows(rows)
            spikes = hidden_spikes(rows, q1, fire_at)
            potential = spikes @ q2 + np.rint(bias)
            error = exact(softmax(potential * TEMPERATURE) - target[chosen])
            # A neuron that fired, or came near to it, passes gradient: d spikes / d input = 1 / threshold.
            live = (spikes > 0) | (counts @ q1 > -0.5 * fire_at)
            slope = exact(error @ q2.T * live / fire_at)
            adam.step([counts.T @ slope, spikes.T @ error, exact(-slope * np.maximum(spikes, 0.5)).sum(axis=0),
                       error.sum(axis=0)], [rate, rate, 4 * rate, 4 * rate])
            np.clip(w1, -8.4, 7.4, out=w1)
            np.clip(w2, -8.4, 7.4, out=w2)
            np.clip(threshold, 8, 1000, out=threshold)
    return codes(w1), codes(w2), np.rint(threshold), np.rint(bias)


def build_core(w1, w2, threshold, bias):
    """Lays the network out in one core: weights [256][256] (row = pre, column = post) and the neurons."""
    weights = np.zeros((256, 256), dtype=np.int8)
    weights[:INPUTS, HIDDEN] = w1
    weights[HIDDEN, OUTPUT] = w2
    weights[READOUT_ROW, OUTPUT] = READOUT_WEIGHT
    thresholds = np.full(256, OUT_OF_REACH, dtype=np.int32)
    thresholds[HIDDEN] = threshold
    thresholds[OUTPUT] = OUTPUT_THRESHOLD - bias
    enabled = np.zeros(256, dtype=np.uint8)
    enabled[HIDDEN] = enabled[OUTPUT] = 1
    return {"weights": weights[None], "neurons/threshold": thresholds[None],
            "neurons/leak": np.full((1, 256), LEAK, dtype=np.int32),
            "neurons/potential": np.zeros((1, 256), dtype=np.int32), "neurons/enabled": enabled[None]}


ATTRIBUTES = {"open_loop": 0, "max_neuron": 255, "output_source": 0}


class Chip:
    """tinyODIN in closed loop, as its datasheet has it (sections 8, 10, 11)."""

    def __init__(self, core):
        self.weights = core["weights"][0].astype(np.int64)
        self.threshold = core["neurons/threshold"][0]
        self.leak = core["neurons/leak"][0]
        self.enabled = core["neurons/enabled"][0] == 1
        self.potential = core["neurons/potential"][0].astype(np.int64)

    def settle(self, potential):
        fired = (potential >= 0) & (potential >= self.threshold)
        self.potential = np.where(fired, 0, potential)
        return np.flatnonzero(fired & self.enabled)

    def leak_all(self):
        left = np.maximum(np.abs(self.potential) - self.leak, 0)
        return self.settle(np.sign(self.potential) * left)

    def spike(self, row):
        """Drives a row and all that follows from it; returns the neurons that fired, in order."""
        queue, out = [row], []
        while queue:
            fired = self.settle(np.clip(self.potential + self.weights[queue[0]], -2048, 2047))
            out.extend(fired)
            queue.extend(fired[:128 - len(queue)])
            queue.pop(0)
        return out


def classify(chip, pixels):
    """Class of an image: the first output neuron that spikes; -1 if none does."""
    out = [neuron for row in [*spike_rows(pixels), *[READOUT_ROW] * READOUT_EVENTS] for neuron in chip.spike(row)]
    for _ in range(CLEAR_EVENTS):
        out.extend(chip.leak_all())
    first = [neuron - OUTPUT.start for neuron in out if neuron >= OUTPUT.start]
    return first[0] if first else -1


def chip_accuracy(core, images, labels):
    chip = Chip(core)
    guesses = np.array([classify(chip, pixels) for pixels in images])
    return int((guesses == labels).sum()), len(labels)


def train_float(images, labels, hidden):
    """A float network on pixels / 16: ReLU layer of `hidden` units, or none at all (logistic regression)."""
    rng = np.random.default_rng(SEED)
    sizes = [INPUTS, *([hidden] if hidden else []), 10]
    params = []
    for n_in, n_out in zip(sizes, sizes[1:]):
        params += [(rng.random((n_in, n_out)) * 2 - 1) * np.sqrt(6 / n_in), np.zeros(n_out)]
    adam = Adam(params)
    x, target = images / 16, np.eye(10)[labels]
    for epoch in range(EPOCHS):
        order = rng.permutation(len(x))
        for start in range(0, len(x), BATCH):
            chosen = order[start:start + BATCH]
            layers = [x[chosen]]
            for w, b in zip(params[:-2:2], params[1:-2:2]):
                layers.append(np.maximum(layers[-1] @ w + b, 0))
            error = (softmax(layers[-1] @ params[-2] + params[-1]) - target[chosen]) / len(chosen)
            gradients = []
            for layer, w in zip(layers[::-1], params[-2::-2]):
                gradients = [layer.T @ error, error.sum(axis=0)] + gradients
                error = (error @ w.T) * (layer > 0)
            adam.step(gradients, [0.01 * cosine(epoch, EPOCHS)] * len(params))
    return params


def float_accuracy(params, images, labels):
    x = images / 16
    for w, b in zip(params[:-2:2], params[1:-2:2]):
        x = np.maximum(x @ w + b, 0)
    return int(((x @ params[-2] + params[-1]).argmax(axis=1) == labels).sum()), len(labels)


def say(what, right_of):
    right, total = right_of
    print(f"{what}: {right}/{total} = {100 * right / total:.2f} %", flush=True)


def write_image(path, core):
    with h5py.File(path, "w") as file:
        file.attrs["format"] = np.bytes_("nmhal-image")
        file.attrs["schema"] = np.int64(1)
        file.attrs["board"] = np.bytes_("tinyodin")
        for name, data in core.items():
            file.create_dataset(name, data=data)
        group = file.create_group("attributes")
        for key, value in ATTRIBUTES.items():
            group.attrs[key] = np.int64(value)


def differences(path, core):
    with h5py.File(path, "r") as file:
        found = [f"{name}: {np.sum(file[name][...] != data)} of {data.size} values differ"
                 for name, data in core.items() if not np.array_equal(file[name][...], data)]
        found += [f"{key} differs" for key, value in ATTRIBUTES.items() if file["attributes"].attrs[key] != value]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare with the committed image, write nothing")
    args = parser.parse_args()
    image_path = os.path.join(HERE, "digits.h5")
    images, labels, tenth = load()
    held = np.isin(tenth, [2, 5, 8])
    validation = tenth == 0
    fit = ~held & ~validation
    print(f"python {platform.python_version()}, numpy {np.__version__}, h5py {h5py.__version__}, seed {SEED}")

    core = build_core(*train_chip(images[fit], labels[fit]))
    say(f"trained on {fit.sum()} images: chip, validation images",
        chip_accuracy(core, images[validation], labels[validation]))
    core = build_core(*train_chip(images[~held], labels[~held]))
    if args.check:
        found = differences(image_path, core)
        print("\n".join(found) or "digits.h5 is what this script trains")
        return 1 if found else 0
    write_image(image_path, core)
    perceptron = train_float(images[~held], labels[~held], N_HIDDEN)
    logistic = train_float(images[~held], labels[~held], 0)

    # Everything is decided and written; only now the held-out images are looked at.
    held_images, held_labels = images[held], labels[held]
    say(f"trained on {(~held).sum()} images: chip, held-out images", chip_accuracy(core, held_images, held_labels))
    baseline = {"float_mlp": float_accuracy(perceptron, held_images, held_labels),
                "float_logistic_regression": float_accuracy(logistic, held_images, held_labels)}
    for name, right_of in baseline.items():
        say(f"{name.replace('_', ' ')}, held-out images", right_of)
    with open(os.path.join(HERE, "baseline.json"), "w", encoding="ascii") as file:
        percent = {name + "_percent": round(100 * right / total, 2) for name, (right, total) in baseline.items()}
        file.write(json.dumps(percent, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
