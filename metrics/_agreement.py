"""How far numbers, ranks, distributions and raters agree: the mathematics that metrics share.

Sources: concordance: Lin, "A concordance correlation coefficient to evaluate reproducibility",
Biometrics 45, 1989, with population moments. Jensen-Shannon divergence: Lin, IEEE Trans. Inf.
Theory 37, 1991. Alpha: Krippendorff, "Computing Krippendorff's alpha-reliability", 2011, nominal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics._base import Unscorable

Vector = NDArray[np.float64]
Variance = Literal["population", "sample"]
VARIANCES = ("population", "sample")


class Entropy(NamedTuple):
    """Entropy of votes; few raters bias it low, so that their number belongs to it."""

    bits: float
    raters: int


def moments(estimate: ArrayLike, reference: ArrayLike) -> Vector:
    """Return ``[n, sum x, sum y, sum xx, sum yy, sum xy]``; sums over recordings add up."""
    x, y = _pair(estimate, reference)
    return np.array([x.size, x.sum(), y.sum(), x @ x, y @ y, x @ y])


def ccc_of(sums: Vector, *, variance: Variance = "population") -> Vector:
    """Return the concordance of added `moments`, shape ``(..., 6)`` to ``(...)``; NaN for 0 / 0."""
    n, x, y, xx, yy, xy = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        unbias = n / (n - 1) if variance == "sample" else 1.0
        mean_x, mean_y = x / n, y / n
        covariance = (xy / n - mean_x * mean_y) * unbias
        spread = (xx / n - mean_x**2 + yy / n - mean_y**2) * unbias
        return 2 * covariance / (spread + (mean_x - mean_y) ** 2)


def ccc(estimate: ArrayLike, reference: ArrayLike, *, variance: Variance = "population") -> float:
    """Return Lin's concordance correlation coefficient, -1 to 1 (best 1).

    2 cov(x, y) / (var(x) + var(y) + (mean(x) - mean(y))^2): 1 only where x equals y.

    Args:
        estimate: shape ``(n,)``.
        reference: shape ``(n,)``.
        variance: "population" (divided by n: Lin 1989) or "sample" (by n - 1: torchmetrics). The
            difference of means has no such factor, so that the two differ.

    Raises:
        ValueError: shapes that differ or are not ``(n,)``; another `variance`.
        Unscorable: fewer than two values, or one side is constant; the blame is on that side.
    """
    one_of("variance", variance, VARIANCES)
    x, y = _pair(estimate, reference)
    refuse_constant(x, y)
    shift = y.mean()  # a common shift changes nothing but the rounding
    return float(ccc_of(moments(x - shift, y - shift), variance=variance))


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Return Pearson's correlation, -1 to 1.

    Raises:
        ValueError: shapes that differ or are not ``(n,)``.
        Unscorable: fewer than two values, or one side is constant.
    """
    a, b = _pair(x, y)
    refuse_constant(a, b)
    a, b = a - a.mean(), b - b.mean()
    a, b = a / np.sqrt(a @ a), b / np.sqrt(b @ b)
    return float(np.clip(a @ b, -1, 1))


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Return Spearman's rank correlation, -1 to 1; ties share the mean of their ranks.

    Raises:
        ValueError: shapes that differ or are not ``(n,)``.
        Unscorable: fewer than two values, or one side is constant.
    """
    a, b = _pair(x, y)
    refuse_constant(a, b)
    return pearson(mid_ranks(a), mid_ranks(b))


def mid_ranks(values: ArrayLike) -> Vector:
    """Return ranks from 1, shape ``(n,)``; equal values get the mean of the ranks they take up."""
    _, group, count = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[group]


def jsd(p: ArrayLike, q: ArrayLike) -> float:
    """Return the Jensen-Shannon divergence of two distributions in bits, 0 (equal) to 1.

    Raises:
        ValueError: not two distributions over the same labels.
    """
    a, b = _distributions(p, q)
    middle = (a + b) / 2
    return float(np.clip((_relative(a, middle) + _relative(b, middle)) / 2 / np.log(2), 0, 1))


def kl(p: ArrayLike, q: ArrayLike, *, epsilon: float) -> float:
    """Return the divergence of `q` from `p`, sum p log(p / q), in nats (best 0).

    Args:
        p: what is held true, shape ``(k,)``.
        q: what is judged, shape ``(k,)``; becomes (q + epsilon) / (1 + k epsilon), so that a label
            it excludes costs much but not everything.
        epsilon: above 0.

    Raises:
        ValueError: not two distributions over the same labels, or `epsilon` is not above 0.
    """
    if not epsilon > 0:
        msg = f"epsilon must be above 0, got {epsilon}"
        raise ValueError(msg)
    a, b = _distributions(p, q)
    return _relative(a, (b + epsilon) / (1 + b.size * epsilon))


def entropy(votes: Mapping[str, int] | ArrayLike) -> Entropy:
    """Return the entropy of votes in bits, and how many votes there were.

    Raises:
        ValueError: a negative count.
        Unscorable: nobody voted.
    """
    counts = np.asarray(list(votes.values()) if isinstance(votes, Mapping) else votes, dtype=float)
    _check_counts(counts)
    total = counts.sum()
    if not total:
        msg = "there are no votes"
        raise Unscorable(msg)
    shares = counts[counts > 0] / total
    return Entropy(float(-(shares @ np.log2(shares))) + 0.0, int(total))


def krippendorff_alpha(votes: ArrayLike) -> float:
    """Return Krippendorff's alpha for nominal labels: 1 agreement, 0 chance, below 0 worse.

    1 - D_o / D_e from the coincidences: a unit with m votes gives each of its ordered pairs the
    weight 1 / (m - 1). A unit with fewer than two votes says nothing and is left out.

    Args:
        votes: how often each label was given to each unit, shape ``(units, labels)``.

    Raises:
        ValueError: another shape, or a negative count.
        Unscorable: no unit has two votes, or all votes are for one label.
    """
    counts = np.asarray(votes, dtype=np.float64)
    if counts.ndim != 2:
        msg = f"votes must be of shape (units, labels), got {counts.shape}"
        raise ValueError(msg)
    _check_counts(counts)
    raters = counts.sum(axis=1)
    counts, raters = counts[raters >= 2], raters[raters >= 2]
    totals = counts.sum(axis=0)
    n = totals.sum()
    expected = n**2 - totals @ totals  # ordered pairs of unlike labels, times n (n - 1)
    if not expected > 0:
        msg = "all votes are for one label" if n else "no recording has two votes"
        raise Unscorable(msg)
    observed = ((raters**2 - (counts**2).sum(axis=1)) / (raters - 1)).sum()
    return float(1 - (n - 1) * observed / expected)


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse a value that is not among the known ones.

    Raises:
        ValueError: with those that are known.
    """
    if value not in known:
        msg = f"{name} takes one of {', '.join(known)}, got {value!r}"
        raise ValueError(msg)


def refuse_constant(estimate: Vector, reference: Vector) -> None:
    """Refuse what has no spread: nothing can agree or disagree with it.

    Raises:
        Unscorable: fewer than two values, or one side is constant; the blame is on that side.
    """
    if reference.size < 2:
        msg = f"needs two values or more, got {reference.size}"
        raise Unscorable(msg)
    if np.ptp(reference) <= 1e-12 * np.abs(reference).max():
        msg = "the reference is constant"
        raise Unscorable(msg)
    if np.ptp(estimate) <= 1e-12 * np.abs(estimate).max():
        msg = "the estimate is constant"
        raise Unscorable(msg, blame="estimate")


def _pair(x: ArrayLike, y: ArrayLike) -> tuple[Vector, Vector]:
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        msg = f"need two vectors of one length, got {a.shape} and {b.shape}"
        raise ValueError(msg)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        msg = "all values must be finite"
        raise ValueError(msg)
    return a, b


def _distributions(p: ArrayLike, q: ArrayLike) -> tuple[Vector, Vector]:
    a, b = _pair(p, q)
    for name, shares in (("p", a), ("q", b)):
        if not a.size or shares.min() < 0 or abs(shares.sum() - 1) > 1e-6:
            msg = f"{name} must be shares that sum to 1, got {shares}"
            raise ValueError(msg)
    return a / a.sum(), b / b.sum()


def _relative(p: Vector, q: Vector) -> float:
    some = p > 0
    return max(0.0, float(p[some] @ np.log(p[some] / q[some])))


def _check_counts(counts: Vector) -> None:
    if counts.size and counts.min() < 0:
        msg = f"counts must not be negative, got {counts.min():g}"
        raise ValueError(msg)
