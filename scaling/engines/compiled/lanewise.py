"""Operations on vectors, lane by lane: arithmetic, bounds, square roots, sums.

Importing this file teaches numba + - * / for them.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, type_callable

from scaling.engines.compiled.vectors import FLOAT, INT, Vector, ir_constant, ir_splat, ir_vector


def _arithmetic(python, llvm):
    """Teach numba a Python operator between vectors, or between a vector and a number."""

    @type_callable(python)
    def typed(context):
        def result(a, b):
            given = [x for x in (a, b) if isinstance(x, Vector)]
            fits = all(isinstance(x, Vector | types.Float) for x in (a, b))
            return given[0] if given and fits and len(set(given)) == 1 else None

        return result

    def lower(context, builder, signature, args):
        lanes = signature.return_type.lanes
        a, b = (
            value if isinstance(kind, Vector) else _splat_float(builder, value, lanes)
            for kind, value in zip(signature.args, args, strict=True)
        )
        return getattr(builder, llvm)(a, b)

    for pair in ((Vector, Vector), (Vector, types.Float), (types.Float, Vector)):
        lower_builtin(python, *pair)(lower)


_arithmetic(operator.add, "fadd")
_arithmetic(operator.sub, "fsub")
_arithmetic(operator.mul, "fmul")
_arithmetic(operator.truediv, "fdiv")


@intrinsic
def maximum(_, x, low):
    """Return the larger of each lane and a number; NaN stays NaN."""

    def generate(context, builder, signature, args):
        bound = ir_splat(builder, args[1], x.lanes)
        return builder.select(builder.fcmp_ordered("<", args[0], bound), bound, args[0])

    return x(x, types.float32), generate


@intrinsic
def minimum(_, x, high):
    """Return the smaller of each lane and a number; NaN stays NaN."""

    def generate(context, builder, signature, args):
        bound = ir_splat(builder, args[1], x.lanes)
        return builder.select(builder.fcmp_ordered(">", args[0], bound), bound, args[0])

    return x(x, types.float32), generate


@intrinsic
def is_positive(_, x):
    """Return 1 in lanes above 0, else 0."""

    def generate(context, builder, signature, args):
        above = builder.fcmp_ordered(">", args[0], ir_constant(x.lanes, 0.0))
        return builder.select(above, ir_constant(x.lanes, 1.0), ir_constant(x.lanes, 0.0))

    return x(x), generate


TINY = 1e-32  # far below the last digit of any sum it enters, yet far above denormal numbers


@intrinsic
def flush_tiny(_, x):
    """Return 0 in lanes nearer to 0 than TINY.

    Averages of vanished gradients decay into denormal numbers, which are slow: for the dead units
    of ReLU they took a third of a step with AdamW (measured).
    """

    def generate(context, builder, signature, args):
        below = builder.fcmp_ordered("<", args[0], ir_constant(x.lanes, TINY))
        above = builder.fcmp_ordered(">", args[0], ir_constant(x.lanes, -TINY))
        return builder.select(builder.and_(below, above), ir_constant(x.lanes, 0.0), args[0])

    return x(x), generate


@intrinsic
def exponential(_, x):
    """Return e to the power of each lane, relative error below 2e-7 from -87 to 88; 0 or so below.

    Source: Cephes, expf.c: 2**n times a polynomial of the remainder after n ln 2.
    """
    lanes = x.lanes
    integers = ir.VectorType(INT, lanes)

    def number(value):
        return ir_constant(lanes, value)

    def generate(context, builder, signature, args):
        add, multiply, subtract = builder.fadd, builder.fmul, builder.fsub
        low = number(-87.0)
        x = builder.select(builder.fcmp_ordered("<", args[0], low), low, args[0])
        nearest = add(multiply(x, number(1.44269504)), number(0.5))
        floor = ir.FunctionType(ir_vector(lanes), [ir_vector(lanes)])
        name = f"llvm.floor.v{lanes}f32"
        floor = cgutils.get_or_insert_function(builder.module, floor, name)
        n = builder.call(floor, [nearest])
        # ln 2 in two parts; n times the first is exact.
        rest = subtract(x, multiply(n, number(0.693359375)))
        rest = subtract(rest, multiply(n, number(-2.12194440e-4)))
        p = number(1.9875691500e-4)
        for coefficient in (
            1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
        ):  # fmt: skip
            p = add(multiply(p, rest), number(coefficient))
        p = add(add(multiply(multiply(p, rest), rest), rest), number(1.0))
        exponent = builder.add(builder.fptosi(n, integers), ir.Constant(integers, [127] * lanes))
        power = builder.bitcast(
            builder.shl(exponent, ir.Constant(integers, [23] * lanes)), ir_vector(lanes)
        )
        return multiply(p, power)

    return x(x), generate


@intrinsic
def square_root(_, x):
    """Return the square root of each lane, correctly rounded."""

    def generate(context, builder, signature, args):
        kind = ir.FunctionType(ir_vector(x.lanes), [ir_vector(x.lanes)])
        name = f"llvm.sqrt.v{x.lanes}f32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)

    return x(x), generate


def _sum_of(first, last):
    """Return a sum of the lanes between two fractions of a vector, by halves: 16 = 8 + 8, etc."""

    def total(_, x):
        def generate(context, builder, signature, args):
            (value,), lanes = args, list(range(int(first * x.lanes), int(last * x.lanes)))
            while len(lanes) > 1:
                half = len(lanes) // 2
                low, high = (
                    builder.shuffle_vector(
                        value, value, ir.Constant(ir.VectorType(INT, half), part)
                    )
                    for part in (lanes[:half], lanes[half:])
                )
                value, lanes = builder.fadd(low, high), list(range(half))
            return builder.extract_element(value, ir.Constant(INT, lanes[0]))

        return types.float32(x), generate

    return intrinsic(total)


sum_lanes = _sum_of(0, 1)
sum_low = _sum_of(0, 0.5)  # of the lower half
sum_high = _sum_of(0.5, 1)  # of the upper half


def _splat_float(builder, number, lanes):
    """Return a number in every lane; Python's literals are double precision and are rounded."""
    return ir_splat(
        builder, builder.fptrunc(number, FLOAT) if number.type != FLOAT else number, lanes
    )
