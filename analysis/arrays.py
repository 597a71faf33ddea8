"""The one type of array that the analysis passes around."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
