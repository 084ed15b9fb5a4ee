"""Ask first, look once, search last: what a specialist sees at a glance need not be searched for.

CVSearch (Li et al. 2026, arXiv 2605.23655) goes in this order: a question that the whole image
answers is left alone, else a visual expert proposes the named target, and only where that fails the
image is searched.
"""

from __future__ import annotations

from dataclasses import asdict, replace

from PIL.Image import Image

from seal.search.config import SearchConfig
from seal.search.guided import GuidedSearch
from seal.search.locator import Search, Strategy
from seal.search.protocol import QueryKind
from seal.search.visits import Visits


class ExpertFirst:
    """Its numbers are `SearchConfig.expert_first`. If the whole image answers the question, the
    search is settled and finds nothing.
    """

    name = "expert_first"

    def __init__(
        self,
        config: SearchConfig | None = None,
        search: Strategy | None = None,
        *,
        asks: bool = True,
        expert: bool = False,
    ) -> None:
        """`search`: of what the expert does not see; None: guided.

        `asks=False`: questions are not put, only targets sought. `expert=False`: the guide has none
        apart, and the first look of the search is the expert's: nothing is detected twice.
        """
        self.config = config or SearchConfig()
        self.search = search or GuidedSearch(self.config)
        self.asks, self.expert = asks, expert
        self.needs: frozenset[QueryKind] = self.search.needs
        if asks:
            self.needs |= {"answering"}
        if expert:
            self.needs |= {"expert"}

    def explore(
        self, image: Image, target: str, question: str = "", num_targets: int = 1
    ) -> Search:
        """Search `image` for `target`: yields asks, is sent answers, returns the result."""
        visits = Visits(image, target, self._of_expert(), self.name)
        return visits.within_budget(self._explore(visits, question, num_targets))

    def _explore(self, visits: Visits, question: str, num_targets: int) -> Search:
        numbers = self.config.expert_first
        told = {**asdict(numbers), "expert": self.expert}
        root = visits.root()
        if self.asks and question:
            # The same for every target of the question: a cache asks once.
            sure = yield from visits.sure(root, "answering", question)
            visits.ties.compare("sure_above", 0, sure, numbers.sure_above)
            if sure >= numbers.sure_above:
                visits.path.append(root)
                result = visits.settled(root)
                result.config |= told
                return result
        if self.expert:
            seen, _ = yield from visits.look(root, kind="expert")
            root.confidences["expert"] = root.confidence
            if seen is not None:
                seen.config |= told
                return seen
        result = yield from self.search.explore(visits.image, visits.target, question, num_targets)
        result.strategy = self.name
        result.near_ties = [*visits.ties.noted, *result.near_ties]
        for node in result.path[:1]:  # none, where the question and the expert took all there was
            node.confidences |= root.confidences
        result.config |= told
        return result

    def _of_expert(self) -> SearchConfig:
        """An expert has a scale of its own."""
        above = self.config.expert_first.expert_above
        if above is None:
            return self.config
        low = min(self.config.confidence_low, above)
        return replace(
            self.config, confidence_high=above, instance_threshold=above, confidence_low=low
        )
