"""A search that fails is an error of its line; a model that fails at everything ends a run."""

from __future__ import annotations

from collections.abc import Sequence

from seal.search.result import SearchResult


class Faults:
    """Tells the two apart, from one window of searches to the next."""

    def __init__(self) -> None:
        self._came_through = False

    def check(self, results: Sequence[SearchResult], num_images: int) -> None:
        """`results`: of a window; `num_images`: in how many images was searched.

        Raises:
            Exception: what the first search failed with, if all failed, in several images or before
                any has come through.
        """
        failures = [result.failure for result in results if result.failure is not None]
        if failures and len(failures) == len(results):
            if num_images > 1 or not self._came_through:
                raise failures[0]
        elif results:
            self._came_through = True
