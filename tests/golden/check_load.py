"""Proves that a file saved by Glassbox loads in PyTorch and predicts the same.

    python check_load.py FILE [--expect EXPECTED] [--tolerance 1e-4]

FILE is loaded by safetensors.torch.load_file into the lecture's Net by
load_state_dict(strict=True). EXPECTED is a safetensors file with `images` [N, 1, 28, 28] or
[N, 784], normalised, and `probabilities` [N, 10], the predictions to compare with. Exits with 1 where
the file does not load, or where any probability is off by more than the tolerance.
"""

import argparse
import sys

import torch
from lecture_net import Net
from safetensors.torch import load_file


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--expect")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    torch.set_num_threads(1)

    net = Net().eval()
    try:
        net.load_state_dict(load_file(args.file), strict=True)
    except Exception as error:  # whatever the reason, the file does not load
        print(f"{args.file} does not load: {error}", file=sys.stderr)
        return 1
    parameters = sum(p.numel() for p in net.parameters())
    print(f"{args.file} loads: {parameters:,} parameters")
    if args.expect is None:
        return 0

    expected = load_file(args.expect)
    with torch.no_grad():
        images = expected["images"].float().reshape(-1, 1, 28, 28)
        got = torch.softmax(net(images), dim=1)
    wanted = expected["probabilities"].float().reshape(-1, 10)
    if wanted.shape != got.shape or got.numel() == 0:
        print(f"{args.expect}: {tuple(wanted.shape)} probabilities for {len(images)} images", file=sys.stderr)
        return 1
    error = (got - wanted).abs().max().item()
    # Not `error > tolerance`: NaN must fail too.
    good = error <= args.tolerance
    print(f"{len(images)} predictions, largest difference {error:.2e}: {'same' if good else 'DIFFERENT'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
