"""The non-linearities of the hidden layers on vectors: each gives its value and its slope.

The slope is kept beside the value for the way back, whatever the function; dropout joins it there.
"""

from scaling.engines.compiled.lanewise import at_least, at_most, is_positive

# x p(x^2) / q(x^2), error below 3e-7 where |x| < SATURATED, beyond which float32 has nothing left.
# Source: Eigen's ptanh_float (MathFunctionsImpl.h).
SATURATED = 7.9053111


def make_tanh(jit):
    """The hyperbolic tangent of a vector."""

    @jit
    def tanh(x):
        x = at_most(at_least(x, -SATURATED), SATURATED)
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


def make_activation(name, jit):
    """activate(z) -> (value, slope), both vectors."""
    tanh = make_tanh(jit)

    @jit
    def tanh_and_slope(z):
        value = tanh(z)
        return value, 1.0 - value * value

    @jit
    def relu_and_slope(z):
        return at_least(z, 0.0), is_positive(z)

    return {"tanh": tanh_and_slope, "relu": relu_and_slope}[name]
