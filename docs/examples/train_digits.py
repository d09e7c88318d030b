"""Softmax regression on handwritten digits, from scratch, on NumPy, JAX and PyTorch alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
from sklearn.datasets import load_digits

import anysoftmax as asm

Array = Any  # of whichever library
Gradient = Callable[..., Array]


def loss(weights: Array, images: Array, labels: Array) -> Array:
    """Tell how surprised the model is by the labels, on the mean."""
    return asm.cross_entropy(images @ weights, labels)


def gradient_on_numpy(weights: Array, images: Array, labels: Array) -> Array:
    """Differentiate the loss by hand: the chain rule, once."""
    return images.T @ asm.cross_entropy_grad(images @ weights, labels)


gradient_on_jax = jax.grad(jax.jit(loss))


def gradient_on_torch(weights: Array, images: Array, labels: Array) -> Array:
    """Differentiate the loss backwards."""
    weights = weights.detach().requires_grad_()
    loss(weights, images, labels).backward()
    return weights.grad


def train(gradient: Gradient, weights: Array, images: Array, labels: Array) -> Array:
    """Walk down the slope of the loss: 300 steps, all images in each."""
    for _ in range(300):
        weights = weights - 0.25 * gradient(weights, images, labels)
    return weights


LIBRARIES = {
    "NumPy": (np.asarray, gradient_on_numpy),
    "JAX": (jax.numpy.asarray, gradient_on_jax),
    "PyTorch": (torch.asarray, gradient_on_torch),
}


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return 1797 images of 8 x 8 pixels from 0 to 1, and what they show.

    The constant pixel behind each image has the biases of the classes for its weights.
    """
    images, labels = load_digits(return_X_y=True)
    return np.hstack([images / 16, np.ones((len(images), 1))]), labels


def main() -> None:
    """Train on 1200 images with each library, and try the weights on the other 597."""
    images, labels = digits()
    start = np.zeros((65, 10))
    for name, (asarray, gradient) in LIBRARIES.items():
        with jax.enable_x64(True):  # float64, as the others have it without asking
            known = asarray(images[:1200]), asarray(labels[:1200])
            weights = train(gradient, asarray(start), *known)
            before, after = (float(loss(w, *known)) for w in (asarray(start), weights))
        guesses = (images[1200:] @ np.asarray(weights)).argmax(axis=-1)
        right = np.sum(guesses == labels[1200:])
        print(
            f"{name:8} loss {before:.4f} -> {after:.4f}, {right} of {len(guesses)} new ones right"
        )


if __name__ == "__main__":
    main()
