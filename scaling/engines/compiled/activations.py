"""The non-linearities of the hidden layers on vectors: each returns its value and its slope.

The slope is stored beside the value for the backward pass, and dropout multiplies both.
"""

import math

from scaling.engines.compiled.lanewise import exponential, is_positive, maximum, minimum
from scaling.models.architecture import TWIST

# x p(x^2) / q(x^2), error below 3e-7 where |x| < SATURATED; beyond, tanh is +-1 in float32.
# Source: Eigen's ptanh_float (MathFunctionsImpl.h).
SATURATED = 7.9053111


def make_tanh(jit):
    """Return tanh(x): the hyperbolic tangent of a vector."""

    @jit
    def tanh(x):
        x = minimum(maximum(x, -SATURATED), SATURATED)
        s = x * x
        p = s * -2.76076847742355e-16 + 2.00018790482477e-13
        p = p * s + -8.60467152213735e-11
        p = p * s + 5.12229709037114e-08
        p = p * s + 1.48572235717979e-05
        p = p * s + 6.37261928875436e-04
        p = p * s + 4.89352455891786e-03
        q = s * 1.19825839466702e-06 + 1.18534705686654e-04
        q = q * s + 2.26843463243900e-03
        q = q * s + 4.89352518554385e-03
        return x * p / q

    return tanh


def make_normal(jit):
    """Return normal(z) -> (probability of at most z, density at z) of the normal distribution."""
    root_half, density_at_0 = 0.5**0.5, (2 * math.pi) ** -0.5

    @jit
    def normal(z):
        """Evaluate the error function as x p(x^2) / q(x^2), error below 2e-7; beyond 4 it is 1.

        Source: XLA's ErfImpl32 (xla/hlo/builder/lib/math.cc).
        """
        x = minimum(maximum(z * root_half, -4.0), 4.0)
        s = x * x
        p = s * -2.72614225801306e-10 + 2.77068142495902e-08
        p = p * s + -2.10102402082508e-06
        p = p * s + -5.69250639462346e-05
        p = p * s + -7.34990630326855e-04
        p = p * s + -2.95459980854025e-03
        p = p * s + -1.60960333262415e-02
        q = s * -1.45660718464996e-05 + -2.13374055278905e-04
        q = q * s + -1.68282697438203e-03
        q = q * s + -7.37332916720468e-03
        q = q * s + -1.42647390514189e-02
        return x * p / q * 0.5 + 0.5, exponential(z * z * -0.5) * density_at_0

    return normal


def make_activation(name, jit):
    """Return activate(z) -> (value, slope), both vectors."""
    tanh, normal = make_tanh(jit), make_normal(jit)

    @jit
    def tanh_and_slope(z):
        value = tanh(z)
        return value, 1.0 - value * value

    @jit
    def relu_and_slope(z):
        return maximum(z, 0.0), is_positive(z)

    @jit
    def scaled_tanh_and_slope(z):
        value = tanh(z * (2 / 3))
        return value * 1.7159, (1.0 - value * value) * (1.7159 * 2 / 3)

    @jit
    def twisted_tanh_and_slope(z):
        value = tanh(z * (2 / 3))
        return value * 1.7159 + z * TWIST, (1.0 - value * value) * (1.7159 * 2 / 3) + TWIST

    @jit
    def gelu_and_slope(z):
        probability, density = normal(z)
        return z * probability, probability + z * density

    return {
        "tanh": tanh_and_slope,
        "relu": relu_and_slope,
        "scaled_tanh": scaled_tanh_and_slope,
        "twisted_tanh": twisted_tanh_and_slope,
        "gelu": gelu_and_slope,
    }[name]
