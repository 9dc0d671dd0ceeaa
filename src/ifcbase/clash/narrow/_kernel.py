"""How the kernels are compiled."""

from __future__ import annotations

from numba import njit

#: Compiled on first use and kept on disk (beside the module, or in NUMBA_CACHE_DIR or the user's
#: cache folder when that is not writable). Threads run it without the interpreter's lock.
#: Division by zero gives nan, as in numpy: rows with a nan are listed as undecided.
kernel = njit(cache=True, nogil=True, error_model="numpy")
