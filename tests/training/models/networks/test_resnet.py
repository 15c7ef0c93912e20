import json
import struct

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from training.config import ImageNetSettings
from training.errors import BadModelError, BadSettingError
from training.models.networks.paper_network import BatchNorm
from training.models.networks.resnet import (
    BasicBlock,
    ResNet18,
    Shortcut,
    load_imagenet_weights,
)
from training.models.networks.weights import StoredTensor, read_header


def network(seed: int = 0, n_patterns: int = 6, **changes) -> ResNet18:
    generator = torch.Generator().manual_seed(seed)
    settings = ImageNetSettings(**{"weights": "random"} | changes)
    return ResNet18(settings, n_patterns, generator)


def names_of_torchvision() -> dict[str, tuple[int, ...]]:
    """All tensors but the head's and the counts of batches, with their shapes."""

    def norm(at: str, maps: int) -> dict[str, tuple[int, ...]]:
        parts = ("weight", "bias", "running_mean", "running_var")
        return {f"{at}.{part}": (maps,) for part in parts}

    found = {"conv1.weight": (64, 3, 7, 7)} | norm("bn1", 64)
    before = 64
    for stage, maps in enumerate((64, 128, 256, 512), 1):
        for block in (0, 1):
            at = f"layer{stage}.{block}"
            found[f"{at}.conv1.weight"] = (maps, before, 3, 3)
            found[f"{at}.conv2.weight"] = (maps, maps, 3, 3)
            found |= norm(f"{at}.bn1", maps) | norm(f"{at}.bn2", maps)
            if stage > 1 and block == 0:
                found[f"{at}.downsample.0.weight"] = (maps, before, 1, 1)
                found |= norm(f"{at}.downsample.1", maps)
            before = maps
    return found


@pytest.fixture(scope="module")
def imagenet() -> dict[str, Tensor]:
    """What a file holds, with numbers of ours."""
    generator = torch.Generator().manual_seed(7)
    tensors = {}
    for name, shape in names_of_torchvision().items():
        values = torch.rand(shape, generator=generator)
        if len(shape) == 4:
            values = (values - 0.5) * (6 / (shape[1] * shape[2] ** 2)) ** 0.5
        tensors[name] = values
        if name.endswith("running_var"):
            count = name.replace("running_var", "num_batches_tracked")
            tensors[count] = torch.tensor(5)
    tensors["fc.weight"] = torch.rand(1000, 512, generator=generator)
    tensors["fc.bias"] = torch.rand(1000, generator=generator)
    return tensors


@pytest.fixture
def weights_path(tmp_path, imagenet):
    path = tmp_path / "resnet18.safetensors"
    save_file(imagenet, path)
    return path


def test_names_and_shapes_are_those_of_torchvision():
    shapes = {name: tuple(t.shape) for name, t in network().state_dict().items()}
    head = {"fc.weight": (6, 512), "fc.bias": (6,)}
    assert shapes == names_of_torchvision() | head


def test_the_state_is_float32_alone():
    assert {t.dtype for t in network().state_dict().values()} == {torch.float32}


def test_the_number_of_parameters():
    """11,689,512 with ImageNet's 1,000 classes, as torchvision prints it."""
    count = sum(p.numel() for p in network(n_patterns=1000).parameters())
    assert count == 11_689_512


def reference(state: dict[str, Tensor], images: Tensor) -> Tensor:
    """He et al. 2015, table 1, written once more from the names alone."""

    def conv(x: Tensor, at: str, stride: int, padding: int) -> Tensor:
        return functional.conv2d(x, state[f"{at}.weight"], None, stride, padding)

    def norm(x: Tensor, at: str) -> Tensor:
        weight, bias, mean, variance = (
            state[f"{at}.{part}"].view(-1, 1, 1)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    x = (torch.cat([images] * 3, dim=1) - mean) / deviation
    x = norm(conv(x, "conv1", 2, 3), "bn1").relu()
    x = functional.max_pool2d(x, 3, 2, 1)
    for stage in (1, 2, 3, 4):
        for block in (0, 1):
            at, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            kept = x
            if stride == 2:
                kept = norm(conv(x, f"{at}.downsample.0", 2, 0), f"{at}.downsample.1")
            x = norm(conv(x, f"{at}.conv1", stride, 1), f"{at}.bn1").relu()
            x = norm(conv(x, f"{at}.conv2", 1, 1), f"{at}.bn2")
            x = (x + kept).relu()
    pooled = functional.adaptive_avg_pool2d(x, 1).flatten(1)
    return functional.linear(pooled, state["fc.weight"], state["fc.bias"])


def test_the_logits_are_those_of_the_paper(weights_path):
    ours = network(weights=str(weights_path)).eval()
    images = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = reference(ours.state_dict(), images)
        assert torch.allclose(ours(images), expected, rtol=1e-4, atol=1e-4)


def test_a_shortcut_is_added_before_the_last_relu():
    """With second convolutions of zero, a block returns its rectified input."""
    block = BasicBlock(4, 4, 1).eval()
    nn.init.zeros_(block.conv2.weight)
    maps = torch.randn(2, 4, 5, 5)
    assert torch.equal(block(maps), maps.relu())


def test_random_weights_start_as_he_et_al_derive():
    some = network()
    for module in some.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            deviation = float(module.weight.detach().std())
            assert deviation == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)
    assert float(some.fc.weight.detach().std()) == pytest.approx(0.01, rel=0.05)
    assert not some.fc.bias.any()


def test_the_generator_decides_the_weights():
    first = network(seed=3).state_dict()
    torch.manual_seed(9)
    again, other = network(seed=3).state_dict(), network(seed=4).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_no_weights_is_a_sentence():
    with pytest.raises(BadSettingError) as caught:
        network(weights="")
    for word in ("none are downloaded", "resnet18.tv_in1k", "'random'", "safetensors"):
        assert word in str(caught.value)


def test_weights_come_from_the_file_but_the_head(weights_path, imagenet):
    state = network(weights=str(weights_path)).state_dict()
    drawn = network().state_dict()
    for name in names_of_torchvision():
        assert torch.equal(state[name], imagenet[name])
    assert torch.equal(state["fc.weight"], drawn["fc.weight"])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read(tmp_path, imagenet, dtype):
    path = tmp_path / "half.safetensors"
    save_file({k: v.to(dtype) for k, v in imagenet.items() if v.ndim}, path)
    state = network(weights=str(path)).state_dict()
    assert state["conv1.weight"].dtype == torch.float32
    assert torch.equal(
        state["conv1.weight"], imagenet["conv1.weight"].to(dtype).float()
    )


def without(name):
    return lambda tensors: {k: v for k, v in tensors.items() if k != name}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (without("layer3.1.bn2.running_var"), "layer3.1.bn2.running_var is missing"),
        (lambda t: t | {"conv9.weight": torch.ones(2)}, "conv9.weight is not part"),
        (
            lambda t: t | {"conv1.weight": torch.ones(64, 1, 7, 7)},
            r"conv1.weight has the shape \(64, 1, 7, 7\), not \(64, 3, 7, 7\)",
        ),
        (lambda t: t | {"bn1.bias": torch.ones(64).double()}, "is of type F64"),
        (lambda t: t | {"bn1.bias": torch.full((64,), torch.nan)}, "cannot be right"),
        (lambda t: t | {"bn1.running_var": -torch.ones(64)}, "cannot be right"),
    ],
)
def test_a_file_that_does_not_fit_leaves_the_network_alone(
    tmp_path, imagenet, change, fault
):
    path = tmp_path / "other.safetensors"
    save_file(change(imagenet), path)
    some = network()
    before = {name: tensor.clone() for name, tensor in some.state_dict().items()}
    with pytest.raises(BadModelError, match=fault) as caught:
        load_imagenet_weights(some, path)
    assert "give a safetensors file of ResNet-18 weights" in str(caught.value)
    assert all(torch.equal(before[k], v) for k, v in some.state_dict().items())


def with_header(header: bytes, rest: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + rest


def test_a_file_cut_short(weights_path):
    weights_path.write_bytes(weights_path.read_bytes()[:-1000])
    with pytest.raises(BadModelError, match="damaged"):
        network(weights=str(weights_path))


def test_tensors_that_overlap(tmp_path, imagenet):
    """Shapes as promised, all in the same bytes: no header of safetensors."""
    claims = {
        name: {"dtype": "F32", "shape": list(shape), "data_offsets": [0, 4]}
        for name, shape in names_of_torchvision().items()
    }
    path = tmp_path / "overlap.safetensors"
    path.write_bytes(with_header(json.dumps(claims).encode(), b"\0" * 4))
    with pytest.raises(BadModelError, match="damaged"):
        network(weights=str(path))


def test_a_file_that_is_too_large(weights_path):
    with weights_path.open("r+b") as stream:
        stream.truncate(200_000_001)
    with pytest.raises(BadModelError, match="larger than 200 MB"):
        network(weights=str(weights_path))


def test_no_such_file(tmp_path):
    with pytest.raises(BadModelError, match="there is no such model"):
        network(weights=str(tmp_path / "none.safetensors"))
    with pytest.raises(BadModelError, match="there is no such model"):
        network(weights=str(tmp_path))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04",
        b"PK\x03\x04 a torch.save file",
        struct.pack("<Q", 2**40) + b"{}",
        struct.pack("<Q", 1_000_001) + b"{}" + b" " * 999_999,
        with_header(b"pick"),
        with_header(b"[]"),
        with_header(b"[" * 200_000),
        with_header(b'{"a": 1}'),
        with_header(b'{"a": {"dtype": "F32"}}'),
        with_header(b'{"a": {"dtype": 1, "shape": [1]}}'),
        with_header(b'{"a": {"dtype": "F32", "shape": [-1]}}'),
        with_header(b'{"a": {"dtype": "F32", "shape": [true]}}'),
        with_header(b'{"a": {"dtype": "F32", "shape": [1.5]}}'),
        with_header(b'{"a": {"dtype": "F32", "dtype": "F16", "shape": [1]}}'),
    ],
)
def test_hostile_headers(tmp_path, content):
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadModelError, match=r"the weights are damaged; copy it"):
        read_header(path, "copy it")


def test_a_header_is_read(tmp_path):
    path = tmp_path / "good.safetensors"
    tensors = {"a": torch.ones(2, 3), "b": torch.tensor(1)}
    save_file(tensors, path, metadata={"format": "pt"})
    assert read_header(path) == {
        "a": StoredTensor("F32", (2, 3)),
        "b": StoredTensor("I64", ()),
    }


@pytest.mark.parametrize(
    ("tune", "beginnings"),
    [("all", ("",)), ("last-block", ("layer4.", "fc.")), ("head", ("fc.",))],
)
def test_what_is_tuned_moves_and_the_rest_stays(tune, beginnings):
    some = network(tune=tune, input_size=64)
    some.train()
    before = {name: tensor.clone() for name, tensor in some.state_dict().items()}
    fitted = [p for p in some.parameters() if p.requires_grad]
    descent = torch.optim.SGD(fitted, lr=0.1)
    images = torch.rand(4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    functional.cross_entropy(some(images), torch.arange(4)).backward()
    descent.step()
    after = some.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name in before if name.startswith(beginnings)}


def test_frozen_batch_normalisation_stays_in_evaluation():
    some = network(tune="last-block").train()
    modes = {
        name: module.training
        for name, module in some.named_modules()
        if isinstance(module, BatchNorm)
    }
    assert len(modes) == 20
    assert {name for name, mode in modes.items() if mode} == {
        name for name in modes if name.startswith("layer4")
    }
    assert some.layer4.training
    assert not some.eval().layer4[0].bn1.training


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_shortcut_is_a_strided_convolution(side, stride):
    shortcut = Shortcut(3, 5, stride)
    maps = torch.rand(2, 3, side, side)
    expected = functional.conv2d(maps, shortcut.weight, None, stride)
    torch.testing.assert_close(shortcut(maps), expected)
