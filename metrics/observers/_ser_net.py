"""The network of `ser_small`: log mel spectra in, eight emotions out. Kept apart: it needs torch.

Sizes are ours. Residual blocks: He, Zhang, Ren and Sun, CVPR 2016, arXiv:1512.03385. Pooling: mean
and standard deviation over time, weighted by attention: Okabe, Koshinaka and Shinoda,
Interspeech 2018, arXiv:1803.10963.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


class Block(nn.Module):
    """Two convolutions around which the input passes."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        same = stride == 1 and before == after
        self.past = nn.Identity() if same else nn.Conv2d(before, after, 1, stride)

    def forward(self, x: Tensor) -> Tensor:  # (B, before, T, F) -> (B, after, T / s, F / s)
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.past(x))


class SerNet(nn.Module):
    """Four blocks, attention over time, an embedding, and a linear layer to the labels."""

    def __init__(self, bands: int, labels: int, width: int = 24, embedding: int = 128):
        super().__init__()
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        self.stem = nn.Conv2d(1, width, 5, 2, 2, bias=False)
        self.norm = nn.BatchNorm2d(width)
        pairs = itertools.pairwise(widths)
        self.blocks = nn.ModuleList(
            Block(before, after, 1 if i == 0 else 2) for i, (before, after) in enumerate(pairs)
        )
        high = -(-bands // 16)  # what is left of the bands after four halvings
        self.squeeze = nn.Conv1d(widths[-1] * high, 256, 1)
        self.attention = nn.Sequential(nn.Conv1d(256, 64, 1), nn.Tanh(), nn.Conv1d(64, 256, 1))
        self.drop = nn.Dropout(0.3)
        self.embed = nn.Linear(512, embedding)
        self.decide = nn.Linear(embedding, labels)

    def forward(self, mels: Tensor) -> tuple[Tensor, Tensor]:
        """Return embeddings ``(B, E)`` and logits ``(B, labels)`` of ``(B, T, bands)``."""
        x = torch.relu(self.norm(self.stem(mels[:, None])))  # (B, W, T/2, F/2)
        for block in self.blocks:
            x = block(x)
        x = x.permute(0, 1, 3, 2).flatten(1, 2)  # (B, 8W * F/16, T/16)
        x = torch.relu(self.squeeze(x))  # (B, 256, T/16)
        weight = torch.softmax(self.attention(x).float(), dim=-1)
        mean = (weight * x).sum(-1)
        spread = ((weight * x**2).sum(-1) - mean**2).clamp(min=1e-6).sqrt()
        embedding = self.embed(self.drop(torch.cat([mean, spread], dim=1)))
        return embedding, self.decide(self.drop(torch.relu(embedding)))


def export(net: SerNet, sizes: dict[str, int], path: Path, card: dict[str, Any]) -> None:
    """Write float16 weights with the sizes inside, and the card beside them as JSON."""
    tensors = {k: v.detach().cpu().contiguous() for k, v in net.state_dict().items()}
    half = {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}
    save_file(half, path, metadata={"sizes": json.dumps(sizes, sort_keys=True)})
    text = json.dumps(card, indent=1, sort_keys=True, ensure_ascii=False)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


def restore(path: Path) -> SerNet:
    """Return the network of a file that `export` wrote, in float32, for inference."""
    with safe_open(path, "pt") as file:
        net = SerNet(**json.loads(file.metadata()["sizes"]))
        net.load_state_dict({k: file.get_tensor(k) for k in file.keys()})
    return net.eval()
