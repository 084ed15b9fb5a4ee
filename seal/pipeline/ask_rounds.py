"""Questions that are under way at the same time: plans, searches and answers, batch by batch.

One thread drives all of it: the networks are never used by two. Answers are made when a whole batch
of questions waits for one, when a question has waited for some steps of the searches, or when there
is nothing to search for meanwhile; so many questions share passes, and a lone one never waits.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias

from PIL.Image import Image

from seal.inference.answers.protocol import Account, AnswerModel, Cost
from seal.pipeline.answer import Answer
from seal.pipeline.ask_job import AskJob
from seal.pipeline.question import Question
from seal.pipeline.stages import ShowSearchTell
from seal.search.driver import SearchLocator
from seal.search.locator import LocateRequest, Locator
from seal.search.queue import SearchQueue
from seal.search.ticket import Ticket
from seal.search.told import locate_told
from seal.search.tree import SearchNode
from seal.working_memory import VisualWorkingMemory

MAX_WAIT = 8  # steps of the searches that a question waits for others to share its batch
BATCH = 16  # questions that make a batch for an answer model that does not say how many

OnBatch: TypeAlias = Callable[[str, int], None]  # the kind, "show", "tell" or a query's, and size


class Asked(Protocol):
    """What of a `Seal` is needed to answer for it."""

    answer_model: AnswerModel | None
    locator: Locator | None

    def stages(self) -> ShowSearchTell: ...

    def check_questions(self, questions: Sequence[Question]) -> None: ...

    def forget(self, image: Image) -> None: ...

    def notes_on(self, image: Image | None) -> list[str]: ...


class AskRounds:
    """The questions and searches at hand; `step` brings them on."""

    def __init__(self, seal: Asked, *, on_batch: OnBatch | None = None) -> None:
        self._seal, self._on_batch = seal, on_batch
        self._stages: ShowSearchTell | None = None
        self._batch = BATCH
        if seal.answer_model is not None:
            self._stages = seal.stages()
            self._batch = getattr(seal.answer_model, "max_batch", BATCH)
        self._search: SearchQueue | None = None
        if isinstance(seal.locator, SearchLocator):
            self._search = SearchQueue(
                seal.locator.strategy, seal.locator.model, speed=seal.locator.speed,
                max_waiting=1 << 30, on_visit=self._visited, on_batch=on_batch, start=False,
            )  # fmt: skip
        self.jobs: list[AskJob] = []
        self._of_search: dict[int, tuple[AskJob, int]] = {}  # by the search ticket's number

    def add(self, job: AskJob) -> None:
        """Begin with a job whose picture is open."""
        if job.question is None:
            assert job.image is not None
            job.planned = True
            self._want(job, [LocateRequest(job.image, job.target)])
        else:
            owner = ("ask", job.ticket.number)
            memory = VisualWorkingMemory(job.question.text, job.image, asked_for=owner)
            job.answer = Answer("", "", memory=memory)
        self.jobs.append(job)

    def drop(self, job: AskJob) -> None:
        """Take a job out, whatever it has come to."""
        self.jobs = [other for other in self.jobs if other is not job]
        for search in job.searches:
            self._of_search.pop(search.number, None)
            search.cancel()
        if job.answer is not None and job.answer.memory is not None:
            self._owned().pop(job.answer.memory.asked_for, None)

    def step(self) -> list[AskJob]:
        """Make the answers that are due, and do one step of the searches; the jobs that are over,
        which are taken out.
        """
        self._answer(self._show, [job for job in self.jobs if not job.planned])
        over = self._take_over()
        self._answer(self._tell, [job for job in self.jobs if job.planned and job.found_all()])
        over += self._take_over()  # who gave up meanwhile is in no batch more
        self._step_searches([job for job in self.jobs if job.planned and not job.found_all()])
        return over + self._take_over()

    def _take_over(self) -> list[AskJob]:
        over = [job for job in self.jobs if job.over]
        for job in over:
            self.drop(job)
        return over

    def _answer(self, make: Callable[[Sequence[AskJob]], None], ready: list[AskJob]) -> None:
        """Make answers, if they are due."""
        ready = sorted(job for job in ready if not job.over)
        searching = any(job.planned and not job.found_all() and not job.over for job in self.jobs)
        waited = max((job.waited for job in ready), default=0)
        if len(ready) < self._batch and searching and waited < MAX_WAIT:
            for job in ready:
                job.waited += 1
            return
        batch = ready[: self._batch]
        for job in batch:
            job.waited = 0
        if batch:
            make(batch)

    def _show(self, jobs: Sequence[AskJob]) -> None:
        """Plans, or first answers."""
        self._alone_if_together_fails(jobs, self._show_all)
        for job in (job for job in jobs if not job.over):
            assert job.question is not None and job.answer is not None and self._stages is not None
            job.planned, job.spent_planning = True, replace(job.spent)
            with _Guard(job):
                job.telling.planned(0, job.answer.plan)
                self._want(job, self._stages.wanted(job.question, job.answer))

    def _show_all(self, jobs: Sequence[AskJob]) -> None:
        assert self._stages is not None
        answers = [_fresh(job) for job in jobs]
        with self._charged(jobs, "show"):
            self._stages.show([job.question for job in jobs if job.question], answers)
        for job, answer in zip(jobs, answers, strict=True):
            job.answer = answer

    def _tell(self, jobs: Sequence[AskJob]) -> None:
        """Final answers, and what searches that were asked for alone have brought."""
        for job in (job for job in jobs if job.question is None):
            result = job.found[0]
            result.image, result.notes = job.image, self._seal.notes_on(job.image)
            job.outcome = result
        asked = [job for job in jobs if job.question is not None]
        if asked:
            self._alone_if_together_fails(asked, self._tell_all)

    def _tell_all(self, jobs: Sequence[AskJob]) -> None:
        assert self._stages is not None
        answers = []
        for job in jobs:
            answer = _fresh(job)
            answer.searches = [job.found[place] for place in range(len(job.wanted))]
            self._stages.remember(answer)
            answers.append(answer)
        with self._charged(jobs, "tell"):
            self._stages.tell([job.question for job in jobs if job.question], answers)
        for job, answer in zip(jobs, answers, strict=True):
            seconds = {name: round(value, 6) for name, value in job.seconds.items()}
            self._stages.account(answer, job.spent, job.spent_planning, seconds)
            answer.notes = self._seal.notes_on(job.image)
            for result in answer.searches:
                result.image = job.image
            job.outcome = answer

    def _want(self, job: AskJob, wanted: list[LocateRequest]) -> None:
        """Begin the searches of a job, where they are begun one by one."""
        job.wanted = wanted
        for place, request in enumerate(wanted if self._search is not None else ()):
            assert self._search is not None
            search = self._search.submit(request, job.ticket.priority)
            job.searches.append(search)
            self._of_search[search.number] = job, place

    def _step_searches(self, jobs: Sequence[AskJob]) -> None:
        if self._search is None:
            if jobs:
                self._alone_if_together_fails(jobs, self._locate_all)
            return
        with self._charged(jobs, "search"):
            self._search.step()  # with no job as well: what was cancelled is put away
        for job in jobs:
            for place, search in enumerate(job.searches):
                if search.done and place not in job.found and not job.over:
                    self._found(job, place, search)

    def _found(self, job: AskJob, place: int, search: Ticket) -> None:
        result = job.found[place] = search.result(0)
        del self._of_search[search.number]
        with _Guard(job):
            job.telling.searched(0, place, result)
            if result.failure is not None:
                raise result.failure

    def _locate_all(self, jobs: Sequence[AskJob]) -> None:
        """What locates many at a time, and gives them back together."""
        locator = self._seal.locator
        assert locator is not None
        owners = [(job, place) for job in jobs for place in range(len(job.wanted))]
        requests = [job.wanted[place] for job, place in owners]

        def visited(i: int, node: SearchNode) -> None:
            job, place = owners[i]
            with _Guard(job):
                job.telling.visited(0, place, requests[i].target, node)

        def ended(i: int, result: object) -> None:
            """Told below: what fails with others is tried again alone."""

        if self._on_batch is not None:
            self._on_batch("locate", len(requests))
        with self._charged(jobs, "search"):
            results = locate_told(locator, requests, visited, ended)
        for (job, place), result in zip(owners, results, strict=True):
            job.found[place] = result
            with _Guard(job):
                if job.failure is None:
                    job.telling.searched(0, place, result)
                if result.failure is not None:
                    raise result.failure

    def _visited(self, search: Ticket, node: SearchNode) -> None:
        """What this raises fails that search, and so its question."""
        if (of := self._of_search.get(search.number)) is not None:
            job, place = of
            job.telling.visited(0, place, search.request.target, node)

    def _alone_if_together_fails(
        self, jobs: Sequence[AskJob], work: Callable[[Sequence[AskJob]], None]
    ) -> None:
        """What one of them fails with is its own: the others are tried again without it."""
        try:
            work(jobs)
            return
        except Exception as error:
            # The batch's tensors lie in the frames: without them there is room to try again.
            traceback.clear_frames(error.__traceback__)
            if len(jobs) == 1:
                jobs[0].failure = error
                return
        middle = len(jobs) // 2
        for part in (jobs[:middle], jobs[middle:]):
            self._alone_if_together_fails(part, work)

    def _charged(self, jobs: Sequence[AskJob], stage: str) -> _Charge:
        if self._on_batch is not None and stage != "search" and jobs:
            self._on_batch(stage, len(jobs))
        return _Charge(self._seal, jobs, stage)

    def _owned(self) -> dict[object, Cost]:
        return getattr(self._seal.answer_model, "account", Account()).by_owner


class _Charge:
    """Charges jobs for what is done meanwhile: what is known of each, and an equal part of the
    rest, such as what searches ask the answer model about regions.
    """

    def __init__(self, seal: Asked, jobs: Sequence[AskJob], stage: str) -> None:
        self._model, self._jobs, self._stage = seal.answer_model, jobs, stage

    def __enter__(self) -> None:
        self._started = time.perf_counter()
        self._before = Cost() if self._model is None else replace(self._model.cost)

    def __exit__(self, *raised: object) -> None:
        if not self._jobs:
            return
        seconds = (time.perf_counter() - self._started) / len(self._jobs)
        owned = getattr(self._model, "account", Account()).by_owner
        known = [
            Cost()
            if job.answer is None or job.answer.memory is None
            else owned.pop(job.answer.memory.asked_for, Cost())
            for job in self._jobs
        ]
        rest = Cost()
        if self._model is not None:
            rest = self._model.cost - self._before - sum(known, Cost())
        for job, cost in zip(self._jobs, known, strict=True):
            job.spent += cost + rest.share(len(self._jobs))
            job.seconds[self._stage] += seconds


class _Guard:
    """What is raised inside is the failure of one job."""

    def __init__(self, job: AskJob) -> None:
        self._job = job

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Exception):
            self._job.failure = self._job.failure or error
            return True
        return False


def _fresh(job: AskJob) -> Answer:
    """What is known so far; a stage that fails half way leaves nothing behind."""
    assert job.answer is not None
    return replace(job.answer, texts=[], levels_each=[], searches=[], finished=True)
