"""A SIMD vector of float32 lanes as a numba type, and tiles of vectors in registers.

The types lower to LLVM's vectors without CPU intrinsics, so that LLVM compiles one source to
AVX-512, AVX2, SSE2 or NEON. No C compiler is needed.

A tile is a small array that is indexed by constants in unrolled loops only. LLVM keeps all its
elements in registers, which it never does for a numpy array (3 to 15 times slower, measured).

Loads and stores are unchecked unless the operations are made with `checked=True`; then an index
outside its array raises IndexError.
"""

import operator
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

FLOAT, INT = ir.FloatType(), ir.IntType(32)
ALIGNMENT = 4  # bytes: a vector may begin at any float, and aligned ones are not slower for it


def ir_vector(lanes):
    return ir.VectorType(FLOAT, lanes)


def ir_constant(lanes, number):
    return ir.Constant(ir_vector(lanes), [float(number)] * lanes)


def _shuffle(builder, vector, lanes):
    order = ir.Constant(ir.VectorType(INT, len(lanes)), lanes)
    return builder.shuffle_vector(vector, vector, order)


def ir_splat(builder, number, lanes):
    one = builder.insert_element(
        ir.Constant(ir_vector(lanes), ir.Undefined), number, ir.Constant(INT, 0)
    )
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(INT, lanes), [0] * lanes))


class Vector(types.Type):
    """`lanes` float32."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(f"Vector({lanes})")


class Tile(types.Type):
    """`count` vectors, indexed by constants."""

    def __init__(self, lanes: int, count: int, checked: bool) -> None:
        self.lanes, self.count, self.checked = lanes, count, checked
        super().__init__(f"Tile({lanes}, {count}, {checked})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        super().__init__(manager, vector, ir_vector(vector.lanes))


@register_model(Tile)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager, tile):
        super().__init__(manager, tile, ir_vector(tile.lanes).as_pointer())


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorOps:
    """Operations for vectors of one number of lanes, to be called from compiled code."""

    lanes: int
    checked: bool
    load: Any  # load(array, i): array[i : i + lanes] of a flat float32 array
    store: Any  # store(array, i, vector)
    load_repeated: Any  # load_repeated(array, i): lanes / copies numbers, repeated to fill a vector
    add_copies: Any  # add_copies(array, i, vector): adds the sum of the vector's parts to the array
    broadcast: Any  # broadcast(array, i): array[i] in every lane
    splat: Any  # splat(number): the number in every lane
    tile: Any  # tile(count): that many vectors of zeros


def vector_ops(lanes: int, *, copies: int = 1, checked: bool = False) -> VectorOps:
    """Return the operations for vectors of this many lanes, a power of two, in `copies` parts."""
    vector = Vector(lanes)
    part = lanes // copies
    parts = [list(range(k * part, (k + 1) * part)) for k in range(copies)]

    @intrinsic
    def load(_, array, i):
        def generate(context, builder, signature, args):
            at = _address(context, builder, signature.args[0], args, lanes, checked)
            return builder.load(builder.bitcast(at, ir_vector(lanes).as_pointer()), align=ALIGNMENT)

        return vector(array, types.intp), generate

    @intrinsic
    def store(_, array, i, value):
        def generate(context, builder, signature, args):
            at = _address(context, builder, signature.args[0], args, lanes, checked)
            at = builder.bitcast(at, ir_vector(lanes).as_pointer())
            builder.store(args[2], at, align=ALIGNMENT)
            return context.get_dummy_value()

        return types.void(array, types.intp, vector), generate

    @intrinsic
    def load_repeated(_, array, i):
        def generate(context, builder, signature, args):
            at = _address(context, builder, signature.args[0], args, part, checked)
            few = builder.load(builder.bitcast(at, ir_vector(part).as_pointer()), align=ALIGNMENT)
            return _shuffle(builder, few, list(range(part)) * copies)

        return vector(array, types.intp), generate

    @intrinsic
    def add_copies(_, array, i, value):
        def generate(context, builder, signature, args):
            at = _address(context, builder, signature.args[0], args, part, checked)
            at = builder.bitcast(at, ir_vector(part).as_pointer())
            total = _shuffle(builder, args[2], parts[0])
            for lanes_of_part in parts[1:]:
                total = builder.fadd(total, _shuffle(builder, args[2], lanes_of_part))
            total = builder.fadd(builder.load(at, align=ALIGNMENT), total)
            builder.store(total, at, align=ALIGNMENT)
            return context.get_dummy_value()

        return types.void(array, types.intp, vector), generate

    @intrinsic
    def broadcast(_, array, i):
        def generate(context, builder, signature, args):
            at = _address(context, builder, signature.args[0], args, 1, checked)
            return ir_splat(builder, builder.load(at), lanes)

        return vector(array, types.intp), generate

    @intrinsic
    def splat(_, number):
        def generate(context, builder, signature, args):
            return ir_splat(builder, args[0], lanes)

        return vector(types.float32), generate

    @intrinsic(prefer_literal=True)
    def tile(_, count):
        if not isinstance(count, types.IntegerLiteral):
            return None
        n = count.literal_value

        def generate(context, builder, signature, args):
            with builder.goto_entry_block():
                at = builder.alloca(ir.ArrayType(ir_vector(lanes), n))
            first = builder.bitcast(at, ir_vector(lanes).as_pointer())
            for i in range(n):
                at = builder.gep(first, [ir.Constant(INT, i)], inbounds=True)
                builder.store(ir_constant(lanes, 0.0), at)
            return first

        return Tile(lanes, n, checked)(count), generate

    return VectorOps(
        lanes=lanes,
        checked=checked,
        load=load,
        store=store,
        load_repeated=load_repeated,
        add_copies=add_copies,
        broadcast=broadcast,
        splat=splat,
        tile=tile,
    )


# tile[i] and tile[i] = vector


@type_callable(operator.getitem)
def _typed_get(context):
    def result(tile, i):
        fits = isinstance(tile, Tile) and isinstance(i, types.Integer)
        return Vector(tile.lanes) if fits else None

    return result


@type_callable(operator.setitem)
def _typed_set(context):
    def result(tile, i, value):
        return types.none if isinstance(tile, Tile) and isinstance(value, Vector) else None

    return result


@lower_builtin(operator.getitem, Tile, types.Integer)
def _get(context, builder, signature, args):
    return builder.load(_element(context, builder, signature, args))


@lower_builtin(operator.setitem, Tile, types.Integer, Vector)
def _set(context, builder, signature, args):
    builder.store(args[2], _element(context, builder, signature, args))
    return context.get_dummy_value()


def _element(context, builder, signature, args):
    tile = signature.args[0]
    if tile.checked:
        end = ir.Constant(args[1].type, tile.count)
        cgutils.do_boundscheck(context, builder, args[1], end)
    return builder.gep(args[0], [args[1]], inbounds=True)


def _address(context, builder, array_type, args, count, checked):
    """Return the address of `count` floats from index args[1] of the array args[0]."""
    array = context.make_array(array_type)(context, builder, args[0])
    if checked:
        last = builder.add(args[1], ir.Constant(args[1].type, count - 1))
        for index in (args[1], last):
            cgutils.do_boundscheck(context, builder, index, array.nitems)
    return builder.gep(array.data, [args[1]], inbounds=True)
