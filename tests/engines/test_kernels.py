"""Test kernels: independent of each other, and never used when they compute otherwise."""

import platform
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest
from kernels import Kind as Named
from kernels import digests, rotations
from stored_kernels import RELU, TANH, OnDisk, stored_file

from scaling.engines.compiled import agreement, kernel_cache, kernel_file
from scaling.engines.compiled.kernels import Kernels, Kind
from scaling.engines.compiled.native import Native, Processor, emit
from scaling.engines.compiled.self_check import digest
from scaling.errors import InputError

# Of other tests too, so that the suite compiles few.
KINDS: list[Named] = [
    ("tanh", "sgd", 1),
    ("relu", "adamw", 1),
    ("gelu", "momentum", 1),
]
ALL: list[Named] = [
    *product(
        ("tanh", "relu", "scaled_tanh", "twisted_tanh", "gelu"),
        ("sgd", "scaled_sgd", "momentum", "adamw"),
        (1,),
    ),
    *product(("tanh", "gelu"), ("sgd", "adamw"), (2, 3, 4, 8)),
]


@pytest.mark.parametrize("kinds", [KINDS, pytest.param(ALL, marks=pytest.mark.slow)])
@pytest.mark.timeout(7200)
def test_no_kernel_bears_on_another_in_any_order(kinds: list[Named]) -> None:
    """Each is compiled in a process of its own; every pair is loaded in both orders."""
    alone = {kind: digests([kind])[0][0] for kind in kinds}
    assert len(set(alone.values())) == len(kinds)
    for order in rotations(kinds):
        first, again, said = digests(order)
        assert first == again == [alone[kind] for kind in order]
        assert said == "", "something was compiled, or named"


@pytest.mark.parametrize(
    ("kind", "part", "constant"),
    [
        (TANH, "train", 4.89352455891786e-03),  # of tanh
        (TANH, "outputs", 2.26843463243900e-03),
        (TANH, "train", 7.9053111),  # where it saturates
        (RELU, "train", 1e-8),  # of AdamW
        (RELU, "train", 1e-32),  # below which its averages are 0
    ],
)
def test_a_kernel_with_one_constant_changed_is_named_and_made_again(
    kind: Kind,
    part: str,
    constant: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, key, stored = stored_file(kind)
    was, changed = (np.float32(constant * by).tobytes() for by in (1, 1.5))
    assert was in stored.codes[part]
    forged = stored.codes | {part: stored.codes[part].replace(was, changed)}
    monkeypatch.setenv("SCALING_CACHE_DIR", str(tmp_path))
    path = kernel_file.private_folder() / f"{key}.kernel"
    kernel_file.write(path, key, replace(stored, codes=forged))
    made: list[Kind] = []

    def compiled(kind: Kind, key: str, path: Path) -> None:
        made.append(kind)
        kernel_file.write(path, key, stored)

    monkeypatch.setattr(kernel_cache, "_compile", compiled)
    kernels = kernel_cache.load_kernels.__wrapped__(kind)
    said = capsys.readouterr().err
    assert "does not compute what it did when it was made" in said
    assert str(path) in said
    assert made == [kind]
    assert digest(kernels, kind) == stored.digest


@pytest.mark.parametrize(
    "kind",
    [
        TANH,
        RELU,
        *(
            pytest.param(Kind(width=1, activation=name, optimizer=how), marks=pytest.mark.slow)
            for name, how in (
                ("gelu", "momentum"),
                ("gelu", "adamw"),
                ("twisted_tanh", "scaled_sgd"),
            )
        ),
    ],
    ids=str,
)
def test_every_constant_bears_on_the_digest(kind: Kind) -> None:
    """Sixteen times as large, or as small: a bit of its exponent."""
    _, _, stored = stored_file(kind)
    flipped = 0
    for part, code in stored.codes.items():
        for section in llvm.ObjectFileRef.from_data(code).sections():
            if section.name() != b".rodata.cst4":
                continue
            at = code.find(section.data())
            for i in range(at, at + len(section.data()), 4):
                word = np.frombuffer(code[i : i + 4], np.uint32) ^ np.uint32(1 << 25)
                forged = stored.codes | {part: code[:i] + word.tobytes() + code[i + 4 :]}
                kernels = kernel_cache.link(kind, forged, Processor.here())
                assert digest(kernels, kind) != stored.digest, f"{part}, byte {i}"
                flipped += 1
    if platform.machine() == "x86_64" and sys.platform == "linux":  # elsewhere named otherwise
        assert flipped > 40


def test_a_kernel_that_stays_wrong_is_never_used(
    copied_kernel: OnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, key, stored = copied_kernel
    wrong = replace(stored, digest="0" * 64)
    kernel_file.write(path, key, wrong)
    monkeypatch.setattr(kernel_cache, "_compile", lambda *_: kernel_file.write(path, key, wrong))
    with pytest.raises(InputError, match="still does not compute what it should"):
        kernel_cache.load_kernels.__wrapped__(TANH)


def test_two_processes_with_an_empty_cache_compile_once(tmp_path: Path) -> None:
    def one(_: int) -> tuple[list[str], str]:
        first, _, said = digests(KINDS[:1], SCALING_CACHE_DIR=str(tmp_path))
        return first, said

    with ThreadPoolExecutor(2) as pool:
        (one_found, one_said), (other_found, other_said) = pool.map(one, range(2))
    assert one_found == other_found
    assert (one_said + other_said).count("compiling the engine") == 1
    (folder,) = tmp_path.iterdir()
    assert len(list(folder.glob("*.kernel"))) == 1
    assert not list(folder.glob(".part-*"))


def test_sources_that_changed_since_a_process_began_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALING_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(kernel_cache, "CHECKSUMS", ["of an older source"])
    with pytest.raises(InputError, match="changed while a process that uses them was running"):
        kernel_cache.load_kernels.__wrapped__(TANH)


def test_a_kernel_that_does_not_train_as_autograd_does_is_refused() -> None:
    """Here the kernels of another activation; nothing of it is stored (compile_kernel.py)."""
    agreement.check_agreement(TANH, kernel_cache.load_kernels(TANH))
    with pytest.raises(InputError, match="does not compute what PyTorch does"):
        agreement.check_agreement(replace(TANH, activation="relu"), kernel_cache.load_kernels(TANH))


def test_a_kernel_that_evaluates_otherwise_is_refused() -> None:
    """The outputs give every stored loss, miss and prediction."""
    sound = kernel_cache.load_kernels(TANH)

    nothing = lambda *args: args[2].fill(0)  # noqa: E731
    with pytest.raises(InputError, match="an image has loss"):
        agreement.check_agreement(TANH, Kernels(sound.train, nothing))


def test_nothing_of_the_working_directory_is_run_in_compiling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALING_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("numba", "numpy", "random", "scaling"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hostile')", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.chdir(tmp_path)
    assert digest(kernel_cache.load_kernels.__wrapped__(TANH), TANH)


def test_a_compilation_that_fails_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALING_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(InputError, match=r"cannot be made on this machine .*--engine reference"):
        kernel_cache.load_kernels.__wrapped__(TANH)


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.astype(np.float64),
        lambda a: a[::2],
        lambda a: a.reshape(1, -1),
        lambda a: a.tolist(),
    ],
)
def test_a_kernel_refuses_arrays_that_it_was_not_made_for(
    change: Callable[[np.ndarray], object],
) -> None:
    with pytest.raises(TypeError, match="expected a contiguous array 1-d of float32"):
        kernel_cache.load_kernels(TANH).outputs(change(np.zeros(8, np.float32)), None, None, None)


def test_machine_code_that_needs_more_than_the_c_library_is_refused() -> None:
    import numba

    function = numba.njit(lambda n: np.zeros(n).sum())  # allocates, by numba's own memory
    function.compile((numba.int64,))
    with pytest.raises(RuntimeError, match="machine code that needs"):
        emit(function, (numba.int64,), "sum", Processor.here())


def test_machine_code_is_the_same_whatever_was_compiled_before() -> None:
    """And it runs as the function did, under a name that another one has too."""
    import numba

    def code(by: float) -> tuple[bytes, float]:
        helper = numba.njit(lambda a: a[0] * by, _nrt=False)
        function = numba.njit(lambda a, n: np.int64(helper(a)) + n, _nrt=False)
        signature = (numba.float32[::1], numba.int64)
        function.compile(signature)
        made = emit(function, signature, "f", Processor.here())
        loaded = Native(made, "f", signature, Processor.here())
        return made, loaded(np.array([2], np.float32), 1)

    (first, result), (other, other_result), (again, _) = code(3), code(5), code(3)
    assert (result, other_result) == (7, 11)
    assert first == again != other


def test_a_program_that_ends_in_compiling_leaves_no_part(tmp_path: Path) -> None:
    asked = ("1", "tanh", "sgd", "no such key", str(tmp_path / "a.kernel"))
    done = subprocess.run(
        [sys.executable, "-m", "scaling.engines.compiled.compile_kernel", *asked],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "end it and run the command again" in done.stdout
