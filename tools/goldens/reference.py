"""The reference arithmetic behind the goldens: exact-precision forward passes and Muon.

Two things in transformers are not in float64 even when the model is: RMSNorm
computes in float32, and so does the rotary embedding.  `exact` replaces both, so
that a float64 model is float64 from its tokens to its loss; `forbid_float32`
proves it.
"""

import math
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS


def exact(model):
    """Makes RMSNorm and the rotary embedding of `model` compute in the model's own type."""
    for module in model.modules():
        kind = type(module).__name__
        if kind.endswith("RMSNorm"):
            module.forward = _rms_norm(module)
        elif kind.endswith("RotaryEmbedding"):
            module.forward = _rotary(module)
    return model


def _rms_norm(module):
    is_gemma = type(module).__name__.startswith("Gemma")
    epsilon = module.eps if is_gemma else module.variance_epsilon

    def forward(x):
        variance = x.pow(2).mean(-1, keepdim=True)
        weight = 1 + module.weight if is_gemma else module.weight
        return weight * (x * torch.rsqrt(variance + epsilon))

    return forward


def _frequencies(config, layer_type):
    """The frequencies and the factor of cos and sin, from transformers itself, in float64."""
    parameters = config.rope_parameters[layer_type] if layer_type else config.rope_parameters
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    if parameters["rope_type"] == "default":
        return parameters["rope_theta"] ** -(torch.arange(0, width, 2, dtype=torch.float64) / width), 1.0
    with mock.patch.multiple(torch, float=torch.float64, float32=torch.float64):
        return ROPE_INIT_FUNCTIONS[parameters["rope_type"]](config, layer_type=layer_type)


def _rotary(module):
    def forward(x, position_ids, layer_type=None):
        frequency, factor = _frequencies(module.config, layer_type)
        angle = position_ids[..., None].to(x.dtype) * frequency.to(x.dtype)
        angle = torch.cat((angle, angle), dim=-1)
        return angle.cos() * factor, angle.sin() * factor

    return forward


class forbid_float32(TorchDispatchMode):
    """Fails on any operator that yields a floating-point tensor narrower than float64."""

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **(keywords or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor) and leaf.is_floating_point():
                # The attention kernel keeps its unused random state in an empty tensor.
                assert leaf.dtype == torch.float64 or leaf.numel() == 0, f"{function} yields {leaf.dtype}"
        return result


MUON_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
MUON_EPSILON = 1e-7
MUON_ITERATIONS = 5


def orthogonalise(matrix):
    """Newton-Schulz, five quintic iterations, in the type of `matrix`.

    X = G / max(|G|_F, 1e-7), and five times X = a X + (b A + c A A) X with A = X X^T;
    a matrix with more rows than columns is transposed first and transposed back last
    (which changes the cost, not the result).
    """
    a, b, c = MUON_COEFFICIENTS
    x = matrix.mT if matrix.size(0) > matrix.size(1) else matrix
    x = x / x.norm().clamp(min=MUON_EPSILON)
    for _ in range(MUON_ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.mT if matrix.size(0) > matrix.size(1) else x


class Muon:
    """Muon as torch.optim.Muon has it, but with Newton-Schulz in the weights' own type
    (torch.optim.Muon rounds to bfloat16 there) and on slices of a stored tensor.

    For every matrix W with gradient G (after the clip), momentum m = 0.95:

        B = m B + (1 - m) G                     (B starts at zero)
        U = m B + (1 - m) G                     (Nesterov)
        O = orthogonalise(U)
        W = W (1 - lr * weight_decay)           (the base lr)
        W = W - lr * sqrt(max(1, rows / columns)) * O

    where rows is the number of outputs of the layer and columns the number of its
    inputs, however the tensor is stored.  U is invariant to the scale (1 - m), so
    B = m B + G, U = m B + G, as in Jordan's first version, gives the same O.

    `matrices` is a list of (tensor, function): the function maps the parameter, or its
    gradient, to a view of shape [outputs, inputs].
    """

    def __init__(self, matrices, lr=0.02, momentum=0.95, weight_decay=0.1):
        self.matrices = matrices
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        self.buffers = [torch.zeros_like(view(parameter.detach())) for parameter, view in matrices]

    @torch.no_grad()
    def step(self):
        m = self.momentum
        for (parameter, view), buffer in zip(self.matrices, self.buffers):
            weight, gradient = view(parameter), view(parameter.grad)
            buffer.mul_(m).add_(gradient, alpha=1 - m)
            update = orthogonalise(m * buffer + (1 - m) * gradient)
            rows, columns = weight.shape
            weight.mul_(1 - self.lr * self.weight_decay)
            weight.sub_(update, alpha=self.lr * math.sqrt(max(1.0, rows / columns)))


def check_muon():
    """Muon above against torch.optim.Muon, the latter with its Newton-Schulz kept in float64."""
    import torch.optim._muon as theirs

    original = theirs._zeropower_via_newtonschulz
    theirs._zeropower_via_newtonschulz = lambda gradient, *_: orthogonalise(gradient)
    try:
        generator = torch.Generator().manual_seed(5)
        for shape in ((12, 20), (20, 12), (16, 16)):
            start = torch.randn(shape, generator=generator, dtype=torch.float64)
            ours = start.clone().requires_grad_()
            peer = start.clone().requires_grad_()
            mine = Muon([(ours, lambda t: t)])
            optimiser = torch.optim.Muon([peer], lr=0.02, momentum=0.95, weight_decay=0.1)
            for _ in range(4):
                ours.grad = torch.randn(shape, generator=generator, dtype=torch.float64)
                peer.grad = ours.grad.clone()
                mine.step()
                optimiser.step()
            assert torch.allclose(ours, peer, rtol=0, atol=1e-13), (ours - peer).abs().max()
            # And the iteration itself, against torch's own in bfloat16.
            g = ours.grad
            rough = original(g, MUON_COEFFICIENTS, MUON_ITERATIONS, MUON_EPSILON).double()
            assert (rough - orthogonalise(g)).abs().max() < 0.05
    finally:
        theirs._zeropower_via_newtonschulz = original
