#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the accuracy again, from nothing but the spikes that the chip gave and the data file.

  recount.py SPIKES.csv DIGITS.csv

The class of an image is the output neuron (246..255) of its first output spike: lowest step, then order in the file.
"""
import csv
import sys

FIRST_OUTPUT = 246
REQUIRED_PERCENT = 95


def labels_of_held_out(path):
    with open(path, newline="", encoding="ascii") as file:
        return {index: int(row[64]) for index, row in enumerate(csv.reader(file)) if index % 10 in (2, 5, 8)}


def first_outputs(path, labels):
    """First output spike of each image as {image: (step, class)}."""
    first = {}
    with open(path, newline="", encoding="ascii") as file:
        for row in csv.DictReader(file):
            image, label, step, neuron = (int(row[key]) for key in ("image", "label", "step", "neuron"))
            if image not in labels:
                raise ValueError(f"{path}: image {image} is not held out")
            if label != labels[image]:
                raise ValueError(f"{path}: image {image} has label {label}, the data file says {labels[image]}")
            if neuron >= FIRST_OUTPUT and (image not in first or step < first[image][0]):
                first[image] = (step, neuron - FIRST_OUTPUT)
    return first


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: recount.py SPIKES.csv DIGITS.csv")
    try:
        labels = labels_of_held_out(sys.argv[2])
        first = first_outputs(sys.argv[1], labels)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        sys.exit(f"recount.py: {error!r}")
    if not labels:
        sys.exit(f"recount.py: {sys.argv[2]}: holds no held-out image")
    right = sum(image in first and first[image][1] == label for image, label in labels.items())
    print(f"accuracy    {right}/{len(labels)} = {100 * right / len(labels):.2f} %")
    if 100 * right < REQUIRED_PERCENT * len(labels):
        sys.exit(f"recount.py: below {REQUIRED_PERCENT} %")


if __name__ == "__main__":
    main()
