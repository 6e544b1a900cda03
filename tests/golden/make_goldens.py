"""Makes PyTorch's numbers that the crate is tested against: narrow.safetensors and lecture.safetensors.

    python make_goldens.py [--out DIR]

What each file holds stands in README.md beside this script. Everything random comes from the
integer hash below, never from PyTorch's generators, so that Rust can make the same values bit by bit.

The recipe, all in unsigned 32-bit arithmetic that wraps:

    hash(x):  x ^= x >> 16;  x *= 0x21f0aaad;  x ^= x >> 15;  x *= 0x735a2d97;  x ^= x >> 15

Weights. Tensor t of conv1.weight, conv1.bias, conv2.weight, conv2.bias, fc1.weight, fc1.bias,
fc2.weight, fc2.bias (t = 0 to 7, PyTorch's layouts, row-major), element i:

    h = hash(((t + 1) << 24) + i)
    u = (h >> 8) / 2^24                      exact in f32
    k = 1 / sqrt(fan_in)                     computed in f64, rounded to f32 once
    value = (2 u - 1) * k                    2 u - 1 is exact in f32; one f32 multiplication

fan_in is that of the layer's weight, for its bias too: 9, 9 * conv1, 144 * conv2, hidden. These
are the bounds of PyTorch's default initialisation.

Images. A linear congruential generator, s = s * 1664525 + 1013904223 from s = 32, stepped
once a pixel in row-major order; its top byte b = s >> 24. A pixel in the stroke of its label (columns
2 * label + 3 to 2 * label + 6, rows 4 to 23) is 128 + b / 2, any other is b / 4, integer division.
Then (byte / 255 - 0.1307) / 0.3081 in f32. The noise leaves max-pooling no ties whose
gradient could go either way. Of the starts 1 to 399, 32 has the widest margin: with the initial
weights, no ReLU and no pooling of either net is closer than 4e-6 to deciding otherwise. In four
trials, relative noise of up to 1e-6 on the pixels moved no tensor by more than 3.1e-5 (relative L2),
ten steps of Adam included, so that a difference of 1e-4 is a difference in kind.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from lecture_net import Net
from safetensors.torch import save_file
from torch.nn import functional as F

LABELS = [3, 1, 4, 1, 5, 9, 2, 6]
MEAN, STD = np.float32(0.1307), np.float32(0.3081)
IMAGE_SEED = 32
STEPS = 10
SAMPLES = 1000
WIDTHS = {
    "narrow": {"conv1": 4, "conv2": 8, "hidden": 16},
    "lecture": {"conv1": 32, "conv2": 64, "hidden": 128},
}


def hash32(x: np.ndarray) -> np.ndarray:
    """An invertible mix of 32 bits (the finaliser of splitmix32), elementwise."""
    x = x.astype(np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x21F0AAAD)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x735A2D97)
    x ^= x >> np.uint32(15)
    return x


def initial_weights(net: Net) -> dict[str, torch.Tensor]:
    """The weights that the recipe gives for the shapes of `net`, by name."""
    fan_in = {name: layer.weight[0].numel() for name, layer in net.named_children()}
    weights = {}
    for t, (name, parameter) in enumerate(net.named_parameters()):
        i = np.arange(parameter.numel(), dtype=np.uint32)
        h = hash32(i + np.uint32((t + 1) << 24))
        u = (h >> np.uint32(8)).astype(np.float32) / np.float32(2**24)
        k = np.float32(1.0 / np.sqrt(np.float64(fan_in[name.split(".")[0]])))
        values = (np.float32(2) * u - np.float32(1)) * k
        assert values.dtype == np.float32
        weights[name] = torch.from_numpy(values.reshape(tuple(parameter.shape)))
    return weights


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """The fixed batch: images [8, 1, 28, 28] f32, normalised, and labels [8] i64."""
    state = IMAGE_SEED
    pixels = np.zeros((len(LABELS), 1, 28, 28), dtype=np.uint8)
    for n, label in enumerate(LABELS):
        for row in range(28):
            for column in range(28):
                state = (state * 1664525 + 1013904223) % 2**32
                byte = state >> 24
                stroke = 4 <= row <= 23 and 2 * label + 3 <= column <= 2 * label + 6
                pixels[n, 0, row, column] = 128 + byte // 2 if stroke else byte // 4
    images = (pixels.astype(np.float32) / np.float32(255) - MEAN) / STD
    return torch.from_numpy(images), torch.tensor(LABELS)


def train(net: Net, optimizer: torch.optim.Optimizer, images, labels) -> torch.Tensor:
    """Full-batch steps; returns the loss before each of them, [STEPS]."""
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def goldens(widths: dict[str, int], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Every number of a net, whole tensors, computed in `dtype`."""
    start = initial_weights(Net(**widths))
    images, labels = batch()
    images = images.to(dtype)

    def fresh() -> Net:
        net = Net(**widths).to(dtype)
        net.load_state_dict(start, strict=True)
        return net

    out = {"images": images.clone(), "labels": labels.to(dtype)}
    out |= {f"weights/{name}": value.to(dtype) for name, value in start.items()}

    net = fresh()
    pixels = images.clone().requires_grad_(True)
    logits = net(pixels)
    loss = F.cross_entropy(logits, labels)
    # One sample's logits do not depend on another's pixels, so the gradient of the sum is the
    # gradient of each sample's class score.
    score = logits.gather(1, labels[:, None]).sum()
    (input_gradient,) = torch.autograd.grad(score, pixels, retain_graph=True)
    loss.backward()
    out["logits"] = logits.detach()
    out["loss"] = loss.detach().reshape(1)
    out["input_gradient"] = input_gradient.reshape(len(labels), 784)
    out["loss_input_gradient"] = pixels.grad.reshape(len(labels), 784)
    out |= {f"grad/{name}": p.grad.clone() for name, p in net.named_parameters()}

    for kind, make in {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
        "adam": lambda p: torch.optim.Adam(p, lr=1e-3),
    }.items():
        net = fresh()
        out[f"{kind}/losses"] = train(net, make(net.parameters()), images, labels)
        out |= {f"{kind}/{name}": p.detach().clone() for name, p in net.named_parameters()}
    return out


def sampled(values: torch.Tensor, seed: int) -> dict[str, torch.Tensor]:
    """The L2 norm of a tensor and up to SAMPLES of its entries, chosen by the hash."""
    flat = values.flatten()
    if flat.numel() <= SAMPLES:
        indices = np.arange(flat.numel())
    else:
        order = hash32(np.arange(flat.numel(), dtype=np.uint32) + np.uint32((seed + 100) << 24))
        indices = np.sort(np.argsort(order, kind="stable")[:SAMPLES])
    indices = torch.from_numpy(indices.astype(np.int64))
    return {
        # Indices stay below 2^24, so f32 holds them exactly.
        "indices": indices.to(torch.float32),
        "values": flat[indices],
        "norm": flat.double().norm().float().reshape(1),
    }


def thin(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Replaces the big tensors by samples, and drops the weights that the recipe makes."""
    out, seed = {}, 0
    for name, values in tensors.items():
        group, _, rest = name.partition("/")
        if group == "weights":
            continue
        if group in ("grad", "sgd", "adam") and rest != "losses":
            out |= {f"{name}/{part}": value for part, value in sampled(values, seed).items()}
            seed += 1
        else:
            out[name] = values
    return out


def conditioning(single: dict, double: dict) -> str:
    """How far f32 is from f64, as the largest relative L2 error of a tensor."""
    errors = {
        name: ((single[name].double() - value).norm() / value.norm()).item()
        for name, value in double.items()
    }
    worst = max(errors, key=errors.get)
    return f"largest relative L2 error of f32 against f64: {errors[worst]:.1e} ({worst})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name, widths in WIDTHS.items():
        single = goldens(widths, torch.float32)
        print(f"{name}: {conditioning(single, goldens(widths, torch.float64))}")
        print("  sgd ", [round(v, 4) for v in single["sgd/losses"].tolist()])
        print("  adam", [round(v, 4) for v in single["adam/losses"].tolist()])
        tensors = thin(single) if name == "lecture" else single
        tensors = {key: value.to(torch.float32).contiguous() for key, value in tensors.items()}
        path = out / f"{name}.safetensors"
        save_file(tensors, path, metadata={"torch": torch.__version__.split("+")[0]})
        print(f"  {path.name}: {len(tensors)} tensors, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
