"""Temperature scaling as an estimator with the conventions of scikit-learn, which isn't needed.

The names X, y, sample_weight and deep are scikit-learn's, which passes some of them by name.
"""

from __future__ import annotations

import sys
from typing import Any, Self

import numpy as np
from array_api_compat import is_array_api_obj

from anysoftmax.arrays import Array, describe
from anysoftmax.calibration.temperature import TemperatureFit, fit_temperature
from anysoftmax.softmax import softmax

__all__ = ["TemperatureScaler"]


class TemperatureScaler:
    r"""Turn logits into probabilities at the temperature that suits held-out labels.

    ``fit`` finds the temperature :math:`T` with `fit_temperature`; ``transform`` returns
    :math:`\mathrm{softmax}(x / T)`. The estimator can be cloned, its parameters can be searched
    over, and it can stand in a pipeline after steps that give logits, as scikit-learn's own can.
    scikit-learn is not needed.

    Parameters
    ----------
    axis : int, default -1
        The axis of the classes.

    Attributes
    ----------
    temperature_ : array
        :math:`T`, 0-d, of the library of the logits that it was fitted to.
    inverse_temperature_ : array
        :math:`1 / T`.
    fit_ : TemperatureFit
        All that `fit_temperature` has found, `TemperatureFit.status` among it.
    n_features_in_ : int
        The number of classes.

    See Also
    --------
    fit_temperature : The function, with the formula, the special values and the accuracy.

    Examples
    --------
    >>> import numpy as np
    >>> from anysoftmax.calibration import TemperatureScaler
    >>> logits = np.array([[4.0, 0.0], [3.0, 0.0], [0.0, 5.0], [4.0, 0.0]])
    >>> scaler = TemperatureScaler().fit(logits, np.array([0, 0, 1, 1]))
    >>> scaler.temperature_.round(3)
    np.float64(3.725)
    >>> scaler.transform(logits[:1]).round(3)
    array([[0.745, 0.255]])
    """

    temperature_: Array
    inverse_temperature_: Array
    fit_: TemperatureFit
    n_features_in_: int

    def __init__(self, *, axis: int = -1) -> None:
        self.axis = axis

    def __repr__(self) -> str:
        return f"TemperatureScaler(axis={self.axis})"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Find the temperature that makes held-out labels as likely as can be.

        Parameters
        ----------
        X : array of shape (n_samples, n_classes), or of any shape with `axis`
            Logits: real scores in nats, of any array library, or a table of them that NumPy can
            read, such as a data frame.
        y : array of integers of shape (n_samples,)
            The right classes: numbers of columns, from 0.
        sample_weight : array of shape (n_samples,), optional
            `sample_weights` of `fit_temperature`, by the name that scikit-learn has for them.

        Returns
        -------
        TemperatureScaler
            The estimator itself.

        Raises
        ------
        TypeError, IndexError, ValueError
            As for `fit_temperature`.

        Examples
        --------
        >>> from anysoftmax.calibration import TemperatureScaler
        >>> scaler = TemperatureScaler().fit([[1.0, 0.0]] * 3, [0, 0, 1])
        >>> scaler.fit_.status, scaler.temperature_.round(3)
        ('converged', np.float64(1.443))
        """
        if y is None:
            raise ValueError(
                "TemperatureScaler requires y to be passed, but the target y is None:"
                " pass the labels of held-out samples"
            )
        if not isinstance(self.axis, int):
            raise TypeError(
                f"axis must be an int, the one axis of classes: got {describe(self.axis)}"
            )
        logits = _as_array(X)
        fit = fit_temperature(
            logits, _as_array(y), axis=self.axis, sample_weights=_as_array(sample_weight)
        )
        self.n_features_in_ = np.shape(logits)[self.axis]
        self.temperature_, self.inverse_temperature_ = fit.temperature, fit.inverse_temperature
        self.fit_ = fit
        return self

    def transform(self, X: Any) -> Array:  # noqa: N803
        """Return the probabilities of logits at the temperature that was found.

        Parameters
        ----------
        X : array
            Logits with as many classes as those that were fitted to, of the same library.

        Returns
        -------
        array
            ``softmax(X, axis=axis, temperature=temperature_)``.

        Raises
        ------
        NotFittedError
            If ``fit`` has not been called: a ValueError and an AttributeError, scikit-learn's own
            where it is loaded.
        ValueError
            If there are fewer or more classes; and as for `anysoftmax.softmax`.
        TypeError
            As for `anysoftmax.softmax`.

        Examples
        --------
        >>> from anysoftmax.calibration import TemperatureScaler
        >>> scaler = TemperatureScaler().fit([[1.0, 0.0]] * 3, [0, 0, 1])
        >>> scaler.transform([[1.0, 0.0]]).round(3)
        array([[0.667, 0.333]])
        """
        if not self.__sklearn_is_fitted__():
            raise _not_fitted()(
                "this TemperatureScaler has no temperature yet: call fit(logits, labels) first"
            )
        logits = _as_array(X)
        shape = np.shape(logits)
        classes = shape[self.axis] if -len(shape) <= self.axis < len(shape) else None
        if classes not in {self.n_features_in_, None}:
            raise ValueError(
                f"X has {classes} features, but TemperatureScaler is expecting"
                f" {self.n_features_in_} features as input: one for each class, as in fit"
            )
        return softmax(logits, axis=self.axis, temperature=self.temperature_)

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> Array:  # noqa: N803
        """Fit, and return the probabilities of the same logits: ``fit(X, y).transform(X)``.

        Parameters
        ----------
        X : array
            Logits, as for `fit`.
        y : array of integers
            The right classes, as for `fit`; needed, though not by scikit-learn's signature.
        sample_weight : array, optional
            As for `fit`.

        Returns
        -------
        array
            Probabilities, as of `transform`.

        Raises
        ------
        TypeError, IndexError, ValueError
            As for `fit`; ValueError if there is no `y`.

        Examples
        --------
        >>> from anysoftmax.calibration import TemperatureScaler
        >>> TemperatureScaler().fit_transform([[1.0, 0.0]] * 3, [0, 0, 1])[0].round(3)
        array([0.667, 0.333])
        """
        return self.fit(X, y, sample_weight).transform(X)

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002
        """Return the parameters by name, as scikit-learn asks for them.

        Parameters
        ----------
        deep : bool, default True
            Changes nothing, for nothing is nested.

        Returns
        -------
        dict
            ``{"axis": axis}``.

        Examples
        --------
        >>> from anysoftmax.calibration import TemperatureScaler
        >>> TemperatureScaler(axis=1).get_params()
        {'axis': 1}
        """
        return {"axis": self.axis}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name and return the estimator, as scikit-learn asks for it.

        Parameters
        ----------
        **params : int
            ``axis`` alone.

        Returns
        -------
        TemperatureScaler
            The estimator itself.

        Raises
        ------
        ValueError
            If there is no such parameter.

        Examples
        --------
        >>> from anysoftmax.calibration import TemperatureScaler
        >>> TemperatureScaler().set_params(axis=1)
        TemperatureScaler(axis=1)
        """
        for name, value in params.items():
            if name not in self.get_params():
                raise ValueError(f"TemperatureScaler has no parameter {name!r}, only 'axis'")
            setattr(self, name, value)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "fit_")

    def __sklearn_tags__(self) -> Any:
        # Asked by scikit-learn only, so that it is there.
        from sklearn.utils import Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type="transformer",
            target_tags=TargetTags(required=True),
            transformer_tags=TransformerTags(),
        )


class NotFittedError(ValueError, AttributeError):
    """An estimator was used before it was fitted."""


def _not_fitted() -> type[Exception]:
    """Return scikit-learn's own error for those who use it."""
    if sys.modules.get("sklearn") is None:
        return NotFittedError
    from sklearn.exceptions import NotFittedError as OfScikitLearn

    return OfScikitLearn  # type: ignore[no-any-return]


def _as_array(x: Any) -> Any:
    """Return what only NumPy can read, such as a data frame, as one of its arrays."""
    if type(x).__module__.startswith("scipy.sparse"):
        raise TypeError(
            f"sparse input is not supported: a logit of 0 is as good as any; got {describe(x)},"
            " pass x.toarray()"
        )
    return np.asarray(x) if hasattr(x, "__array__") and not is_array_api_obj(x) else x
