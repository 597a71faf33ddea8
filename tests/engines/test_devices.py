"""Test on a machine without a GPU what a GPU needs of the engines."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from scaling.engines.population.products import _patches, windows
from scaling.engines.reference import deterministic


def test_no_step_mixes_devices() -> None:
    script = Path(__file__).parents[1] / "support" / "on_another_device.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 14


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"),
    [((5, 5), (2, 2), (1, 1)), ((3, 2), (2, 3), (2, 3)), ((2, 2), (3, 3), (1, 1))],
)
def test_a_gpus_patches_are_a_cores(
    kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]
) -> None:
    gradients = []
    x, weights = torch.randn(3, 4, 11, 9), None
    for patches in (_patches, windows):
        x_ = x.clone().requires_grad_()
        seen = patches(x_, kernel, stride, dilation)
        weights = torch.randn_like(seen) if weights is None else weights
        gradients.append((seen.detach(), *torch.autograd.grad((seen * weights).sum(), x_)))
    assert (gradients[0][0] == gradients[1][0]).all()
    torch.testing.assert_close(*gradients)


def test_training_is_in_full_precision_whatever_was_set() -> None:
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with deterministic():
            assert torch.get_float32_matmul_precision() == "highest"
            assert not torch.backends.cuda.matmul.allow_tf32
            assert not torch.backends.cudnn.allow_tf32
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
