"""The lecture's network in PyTorch, shared by the scripts of this folder.

conv 3x3 -> ReLU -> conv 3x3 -> ReLU -> max-pool 2 -> flatten -> linear -> ReLU -> linear.
No dropout, so a forward pass is the same in training and in evaluation.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    """Images [B, 1, 28, 28], normalised -> logits [B, 10].

    The defaults are the lecture's widths: 1,199,882 parameters.
    """

    def __init__(self, conv1: int = 32, conv2: int = 64, hidden: int = 128, classes: int = 10):
        super().__init__()
        self.conv1 = nn.Conv2d(1, conv1, 3)
        self.conv2 = nn.Conv2d(conv1, conv2, 3)
        self.fc1 = nn.Linear(conv2 * 12 * 12, hidden)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.conv1(images))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)
