"""Released files of every layout are read; nothing in one can run."""

import collections
import pickle
import random
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from workbench.conversion.released_file import read_released
from workbench.engine.checkpoint import save_final
from workbench.errors import BadInput, MissingInput

WEIGHTS = {
    "module.stem.conv1.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "module.stem.conv1.norm.bias": np.array([1.5, -2], dtype=np.float64),
}
LOCATION = Path(__file__).with_name("was_run")


class Runs:
    """Makes a file when it is unpickled without a guard."""

    def __reduce__(self):
        return (Path.touch, (LOCATION,))


def tensors() -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value) for name, value in WEIGHTS.items()}


def torch_zip(path: Path) -> None:
    # A training's file: an optimizer beside the weights, and NumPy's numbers among its values.
    beside = {"optimizer": {"lr": np.float64(0.1)}, "iteration": 7}
    torch.save({"model": collections.OrderedDict(tensors()), **beside}, path)


def torch_legacy(path: Path) -> None:
    torch.save({"state_dict": tensors()}, path, _use_new_zipfile_serialization=False)


def arrays(protocol: int):
    def write(path: Path) -> None:
        content = {"model": WEIGHTS, "__author__": "Detectron2 Model Zoo"}
        path.write_bytes(pickle.dumps(content, protocol=protocol))

    return write


def pickled_tensors(path: Path) -> None:
    path.write_bytes(pickle.dumps({"model": tensors(), "matching_heuristics": True}))


LAYOUTS = {
    "zip": torch_zip,
    "legacy": torch_legacy,
    "arrays-2": arrays(2),
    "arrays-4": arrays(4),
    "arrays-5": arrays(5),
    "pickled-tensors": pickled_tensors,
    "bare": lambda path: torch.save(tensors(), path),
}


@pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_gives_the_same_tensors(write, tmp_path: Path) -> None:
    write(tmp_path / "model.any")
    released = read_released(tmp_path / "model.any")
    assert list(released.tensors) == ["stem.conv1.weight", "stem.conv1.norm.bias"]
    for name, value in WEIGHTS.items():
        found = released.tensors[name.removeprefix("module.")]
        assert found.dtype == torch.from_numpy(value).dtype
        assert found.tolist() == value.tolist()


def test_what_is_beside_the_weights_is_named(tmp_path: Path) -> None:
    torch_zip(tmp_path / "model.pth")
    assert read_released(tmp_path / "model.pth").beside == ["iteration", "optimizer"]


def python2(protocol: int) -> bytes:
    """Return what Python 2 wrote for {"a": array}; UTF-8 would read its bytes as fewer letters."""
    raw = np.array([[1.5, -2]], "<f4").tobytes()[:-2] + "é".encode()
    if protocol == 2:
        array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        dtype = b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNN" + 2 * b"J\xff\xff\xff\xff"
        values = b"(K\x01K\x01K\x02\x86" + dtype + b"K\x00tb\x89U\x08" + raw + b"tb"
        return b"\x80\x02}U\x01a" + array + values + b"s."
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    dtype = b"cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
    text = "".join(f"\\x{byte:02x}" for byte in raw).encode()
    values = b"(I1\n(I1\nL2L\nt" + dtype + b"I00\nS'" + text + b"'\ntb"
    return b"(dS'a'\n" + array + values + b"s."


@pytest.mark.parametrize("protocol", [0, 2])
def test_pickles_of_python_2(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(python2(protocol))
    wanted = pickle.loads(path.read_bytes(), encoding="latin1")["a"]
    assert read_released(path).tensors["a"].tolist() == wanted.tolist()


ARRAYS = {
    "big-endian": np.array([[1, 2], [3, 4]], dtype=">f8"),
    "no-dimension": np.array(7),
    "number": np.float32(2.5),
    "empty": np.zeros((0, 3), dtype=np.float32),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "transposed": np.arange(24, dtype=np.int16).reshape(2, 3, 4)[:, ::2].transpose(2, 0, 1),
    "half": np.array([0.5, -1], dtype=np.float16),
    "bytes": np.frombuffer("é".encode(), np.uint8),
    "bool": np.array([True, False]),
}


@pytest.mark.parametrize("value", ARRAYS.values(), ids=ARRAYS)
@pytest.mark.parametrize("writer", [*range(6), "zip", "legacy"])
@pytest.mark.parametrize("core", [b"numpy.core.", b"numpy._core."], ids=["numpy-1", "numpy-2"])
def test_every_kind_of_array(value: np.ndarray, writer, core: bytes, tmp_path: Path) -> None:
    content = {"model": {"a": value}}
    path = tmp_path / "model.any"
    if isinstance(writer, int):
        path.write_bytes(pickle.dumps(content, protocol=writer))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=writer == "zip")
    if writer in (0, 1, 2, 3, "zip", "legacy"):
        replace_in(path, b"cnumpy._core.", b"c" + core)
    found = read_released(path).tensors["a"].numpy()
    assert found.dtype == value.dtype.newbyteorder("=")
    assert found.shape == value.shape
    assert found.tolist() == value.tolist()


def replace_in(path: Path, old: bytes, new: bytes) -> None:
    """Replace bytes of a pickle, also of the one in a zip file."""
    if not zipfile.is_zipfile(path):
        path.write_bytes(path.read_bytes().replace(old, new))
        return
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part.replace(old, new))


def write_pickle(content, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


@pytest.mark.parametrize("save", [torch.save, write_pickle])
def test_what_modules_hold(save, tmp_path: Path) -> None:
    path = tmp_path / "model.any"
    layer = torch.nn.Linear(2, 3)
    state = layer.state_dict()
    assert state._metadata
    save({"model": state}, path)
    assert torch.equal(read_released(path).tensors["weight"], layer.weight)
    # Attributes that would hide methods.
    state.get = state.keys = "hidden"
    save(state, path)
    assert list(read_released(path).tensors) == ["weight", "bias"]
    save({"model": dict(layer.named_parameters()), "tied": layer.weight}, path)
    released = read_released(path)
    assert torch.equal(released.tensors["bias"], layer.bias)
    assert not released.tensors["bias"].requires_grad
    assert released.beside == ["tied"]


def test_a_prefix_is_taken_off_where_every_name_has_it(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    names = ["module.stem.weight", "stem.weight"]
    torch.save({name: torch.ones(1) for name in names}, path)
    assert list(read_released(path).tensors) == names


class Asks:
    """Pickles as a call, with a state that the result is given."""

    def __init__(self, call, *arguments, state=None) -> None:
        self.what = (call, arguments, state)

    def __reduce__(self):
        return self.what


def array_of(dtype, data: bytes, shape=(1,), fortran=False) -> Asks:
    state = (1, shape, dtype, fortran, data)
    return Asks(np._core.multiarray._reconstruct, np.ndarray, (0,), b"b", state=state)


def disguised(code: str, flags: int) -> Asks:
    """A dtype of objects whose flags say that it holds none."""
    state = (3, "|", None, ("f",), {"f": (np.dtype("O"), 0)}, 8, 8, flags)
    return Asks(np.dtype, code, False, True, state=state)


def as_tensor(offset, size, stride, *more) -> Asks:
    storage = torch.arange(4.0).storage()
    rebuild = torch._utils._rebuild_tensor_v2
    return Asks(rebuild, storage, offset, size, stride, False, None, *more)


def hostile_storage(path: Path) -> None:
    """A pickled tensor whose storage is itself a pickle that runs."""
    inner = path.with_suffix(".inner")
    torch.save(Runs(), inner)
    load = Asks(torch.storage._load_from_bytes, inner.read_bytes())
    write_pickle({"model": {"a": load}}, path)
    inner.unlink()


def raw(data: bytes):
    return lambda path: path.write_bytes(data)


def weight(value, save=write_pickle):
    return lambda path: save({"a": value}, path)


def legacy(content, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def with_state(function: bytes, state) -> bytes:
    return b"\x80\x02c" + function + pickle.dumps(state, 2)[2:-1] + b"b."


POINTER = struct.pack("<Q", 0xDEADBEEF0)
F8 = np.dtype("f8")
ENCODE = b"\x80\x02c_codecs\nencode\n"
# What each file is, and what is said about it.
HOSTILE = {
    "zip": (weight(Runs(), torch.save), "holds more"),
    "legacy": (weight(Runs(), legacy), "holds more"),
    "pickle": (weight(Runs()), "asks for"),
    "protocol-0": (raw(b"cos\nsystem\n(S'exit 1'\ntR."), "asks for os.system"),
    "storage": (hostile_storage, "a damaged storage"),
    "no-storage": (weight(Asks(torch.storage._load_from_bytes, b"")), "a damaged storage"),
    "objects": (weight(np.array([Runs()], dtype=object)), "asks for"),
    "builtins": (raw(b"cnumpy.core.builtins\neval\n(S'1'\ntR."), "asks for"),
    "memo": (raw(b"Nr" + struct.pack("<I", 2**32 - 1) + b"."), "holds a NoneType"),
    "huge-bytes": (raw(b"\x8e" + b"\xff" * 7 + b"\x7f."), "cut off"),
    "huge-bytearray": (raw(b"\x96" + b"\xff" * 7 + b"\x7f."), "cut off"),
    "many-bytes": (raw(b"c__builtin__\nbytes\n(I9000000000000000\ntR."), "damaged"),
    "huge-array": (weight(array_of(F8, b"", (9 * 10**15,))), "0 bytes for an array"),
    "short-array": (weight(array_of(F8, b"1" * 8, (2,))), "8 bytes for an array"),
    "negative-array": (weight(array_of(F8, b"1" * 8, (-1, -1))), "without bytes, shape"),
    "deep-array": (weight(array_of(F8, b"1" * 8, (1,) * 65)), "without bytes, shape"),
    "order-of-array": (weight(array_of(F8, b"1" * 8, (1,), F8)), "order of dimensions"),
    "array-of-lists": (weight(array_of(F8, [1.0])), "without bytes"),
    "array-of-nothing": (weight(array_of(None, b"")), "without a dtype"),
    "array-anew": (weight(Asks(np._core.multiarray._reconstruct)), "a: is no array of numbers"),
    "void-of-objects": (weight(array_of(disguised("V8", 0), POINTER)), "a: is no array"),
    "float-of-objects": (weight(array_of(disguised("f8", 0), POINTER)), "has parts"),
    "objects-of-bytes": (weight(array_of(disguised("O8", 0), POINTER)), "a: is no array"),
    "object-scalar": (
        weight(Asks(np._core.multiarray.scalar, disguised("V8", 0), POINTER)), "a: is no array",
    ),
    "zip-void-of-objects": (
        weight(array_of(disguised("V8", 0), POINTER), torch.save), "a: is no array",
    ),
    "zip-float-of-objects": (
        weight(array_of(disguised("f8", 0), POINTER), torch.save), "has parts",
    ),
    "legacy-object-scalar": (
        weight(Asks(np._core.multiarray.scalar, disguised("O8", 0), POINTER), legacy),
        "a: is no array",
    ),
    "dtype-of-a-list": (weight(Asks(np.dtype, ["f8"])), "without a code"),
    "long-double": (weight(np.ones(1, np.longdouble)), "a: is no array of numbers (f16)"),
    "zip-long-double": (
        weight(np.ones(1, np.longdouble), torch.save), "a: is no array of numbers (f16)",
    ),
    "complex": (weight(np.ones(1, np.complex64)), "a: is no array of numbers (c8)"),
    "text-array": (weight(np.array(["a"])), "a: is no array of numbers (U1)"),
    "function-state": (
        raw(with_state(b"torch._utils\n_rebuild_tensor_v2\n", (None, {"__defaults__": (1,)}))),
        "sets a state of a function",
    ),
    "class-state": (raw(with_state(b"numpy\ndtype\n", {"code": 1})), "sets a state of a"),
    "dict-state": (raw(b"}}b."), "sets a state of a dict"),
    "calls-text": (raw(b"S'a'\n)R."), "calls what is no function"),
    "calls-with-dict": (raw(b"cnumpy\nndarray\n}R."), "damaged"),
    "new-object": (raw(b"cnumpy\nndarray\n)\x81."), "asks for NEWOBJ"),
    "extension": (raw(b"\x82\x01."), "asks for EXT1"),
    "persistent": (raw(b"Na\nQ."), "damaged"),
    "number-as-name": (raw(b"K\x01K\x01\x93."), "damaged"),
    "name-of-lines": (
        raw(b"\x8c\x01a\x8c\x0b\x1b[1mb\nc\x1b[0m\x93."), "asks for a.?[1mb?c?[0m",
    ),
    "codec": (raw(ENCODE + b"X\x01\x00\x00\x00aX\x03\x00\x00\x00zip\x86R."), "unknown encoding"),
    "keys": (raw(b"ccollections\nOrderedDict\n(((NNtttR."), "neither text nor number"),
    "keys-of-weights": (raw(b"}K\x01K\x01s."), "no name of a tensor: 1"),
    "beyond-storage": (weight(as_tensor(0, (5,), (1,))), "exceeds its storage"),
    "offset": (weight(as_tensor(4, (1,), (1,))), "exceeds its storage"),
    "negative-offset": (weight(as_tensor(-1, (1,), (1,))), "without storage, size"),
    "negative-size": (weight(as_tensor(0, (-1,), (1,))), "without storage, size"),
    "negative-stride": (weight(as_tensor(3, (2,), (-1,))), "without storage, size"),
    "strides": (weight(as_tensor(0, (2, 2), (1,))), "damaged"),
    "overflow": (weight(as_tensor(0, (2**40, 2**40), (0, 0))), "no tensor"),
    "metadata": (weight(as_tensor(0, (1,), (1,), {"neg": True})), "damaged"),
    "spread": (weight(as_tensor(0, (2**40,), (0,))), "tensors of 4398046511104 bytes in a file"),
    "zip-spread": (
        weight(torch.ones(1).expand(2**40), torch.save), "tensors of 4398046511104 bytes",
    ),
    "zip-overflow": (weight(as_tensor(0, (2**40, 2**40), (0, 0)), torch.save), "damaged"),
    "zip-negative-stride": (weight(as_tensor(3, (2,), (-1,)), torch.save), "damaged"),
    "zip-sparse": (weight(torch.eye(2).to_sparse(), torch.save), "a: is no array of numbers"),
    "zip-complex": (weight(torch.ones(1, dtype=torch.cfloat), torch.save), "a: is no array"),
    "zip-meta": (weight(torch.ones(1, device="meta"), torch.save), "a: is no array of numbers"),
    "zip-keys": (lambda path: torch.save({(1,): torch.ones(1)}, path), "name of a tensor: tuple"),
}  # fmt: skip

READ_ALL = """
import sys
from pathlib import Path
from workbench.conversion.released_file import read_released
from workbench.errors import BadInput
for path in sorted(Path(sys.argv[1]).iterdir()):
    print("\\n" + path.name, end="\\t", flush=True)
    try:
        read_released(path)
    except BadInput as error:
        print(error, end="")
    except BaseException as error:
        print("NOT CAUGHT", repr(error), end="")
"""


def read_apart(folder: Path) -> dict[str, str]:
    """Read all files of a folder in another process, so that its crash is seen; return the errors.

    A file at which it crashed has an empty one.
    """
    command = [sys.executable, "-c", READ_ALL, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stderr == ""
    lines = (line.partition("\t") for line in done.stdout.splitlines() if line)
    return {name: said for name, _, said in lines}


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("hostile")
    for name, (write, _) in HOSTILE.items():
        write(folder / name)
    return read_apart(folder)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_and_not_run(name: str, errors: dict[str, str]) -> None:
    said = errors.get(name, "")
    assert f"{name}: " in said
    assert HOSTILE[name][1] in said
    assert said.isprintable()
    assert not LOCATION.exists()


@pytest.mark.parametrize("save", [torch.save, legacy])
def test_unknown_objects_are_named_without_advice(save, tmp_path: Path) -> None:
    save({"model": {}, "args": collections.UserDict()}, tmp_path / "model.pth")
    with pytest.raises(BadInput) as caught:
        read_released(tmp_path / "model.pth")
    said = str(caught.value)
    assert "GLOBAL collections.UserDict was not an allowed global" in said
    assert said.endswith("get the released file again")
    assert said.isprintable()
    assert "convert" not in said and "safe" not in said and "weights_only" not in said


def test_changed_bytes_are_read_or_refused(tmp_path: Path) -> None:
    rng = random.Random(0)
    for layout in ("arrays-2", "arrays-5", "pickled-tensors"):
        LAYOUTS[layout](tmp_path / layout)
        whole = (tmp_path / layout).read_bytes()
        (tmp_path / layout).unlink()
        for number in range(100):
            changed = bytearray(whole)
            for _ in range(rng.randint(1, 3)):
                changed[rng.randrange(len(whole))] = rng.randrange(256)
            (tmp_path / f"{layout}-{number}").write_bytes(changed)
    errors = read_apart(tmp_path)
    assert len(errors) == 300
    assert not [said for said in errors.values() if "NOT CAUGHT" in said]


@pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.98])
def test_cut_files_are_refused(write, kept: float, tmp_path: Path) -> None:
    write(tmp_path / "model.any")
    whole = (tmp_path / "model.any").read_bytes()
    cut = tmp_path / "cut.any"
    cut.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(BadInput, match=r"cut\.any"):
        read_released(cut)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    path = tmp_path / "file.pth"
    with pytest.raises(MissingInput, match=r"file\.pth"):
        read_released(path)
    save_final(path, {"a": torch.ones(1)}, {"config": ""})
    with pytest.raises(BadInput, match="converted already"):
        read_released(path)
    torch.save([1, 2], path)
    with pytest.raises(BadInput, match="list"):
        read_released(path)
    torch.save({"model": {}}, path)
    with pytest.raises(BadInput, match="no weights"):
        read_released(path)
    torch.save({"model": {"a": "text"}}, path)
    with pytest.raises(BadInput, match="no array of numbers"):
        read_released(path)
