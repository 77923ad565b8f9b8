"""The queue: one job at a time and in order, bounded, and each can be cancelled before and while it runs."""

from __future__ import annotations

import threading
import time

import pytest

from gradcam_tf1.errors import CancelledError, QueueFullError
from gradcam_tf1.serve.explain_queue import ExplainQueue

SOON = 10


@pytest.fixture
def queue():
    queue = ExplainQueue(most=2)
    yield queue
    assert queue.close(SOON)


class Slow:
    """Work that waits for a sign, and notes what happened."""

    def __init__(self):
        self.began, self.go, self.steps = threading.Event(), threading.Event(), 0

    def __call__(self, job):
        self.began.set()
        while not self.go.wait(0.01):
            job.tell(done=self.steps)
            self.steps += 1
        return "finished"


def test_jobs_run_in_order_and_never_together(queue):
    running, seen = [], []

    def work(number):
        def do(_job):
            running.append(number)
            assert len(running) == 1
            time.sleep(0.01)
            seen.append(running.pop())
            return number * number

        return do

    jobs = []
    for number in range(6):
        while len(jobs) < number + 1:
            try:
                jobs.append(queue.add(work(number)))
            except QueueFullError:
                time.sleep(0.002)
    assert all(job.wait(SOON) for job in jobs)
    assert [job.result for job in jobs] == [0, 1, 4, 9, 16, 25]
    assert seen == list(range(6))


def test_a_full_queue_refuses_and_takes_again_later(queue):
    slow = Slow()
    first = queue.add(slow)
    assert slow.began.wait(SOON)
    waiting = [queue.add(lambda _job, n=n: n) for n in range(2)]
    assert [queue.place(job) for job in (first, *waiting)] == [0, 1, 2]
    assert queue.state() == {"running": 1, "waiting": 2, "most": 2, "finished": 0}
    with pytest.raises(QueueFullError, match="2 requests are waiting already; try again later"):
        queue.add(lambda _job: None)
    slow.go.set()
    assert all(job.wait(SOON) for job in (first, *waiting))
    assert first.result == "finished"
    assert queue.add(lambda _job: "again").wait(SOON)


def test_a_waiting_job_that_is_cancelled_frees_its_place_at_once(queue):
    slow = Slow()
    queue.add(slow)
    assert slow.began.wait(SOON)
    ran = []
    jobs = [queue.add(lambda _job, n=n: ran.append(n)) for n in range(2)]
    queue.cancel(jobs[0])
    assert jobs[0].wait(0)
    assert isinstance(jobs[0].error, CancelledError)
    third = queue.add(lambda _job: ran.append(2))
    slow.go.set()
    assert third.wait(SOON)
    assert ran == [1, 2]


def test_a_running_job_ends_at_its_next_step(queue):
    slow = Slow()
    job = queue.add(slow)
    assert slow.began.wait(SOON)
    queue.cancel(job)
    assert job.wait(SOON)
    assert "the request was cancelled" in str(job.error)
    assert queue.add(lambda _job: 7).wait(SOON)


def test_a_done_job_stays_done(queue):
    job = queue.add(lambda _job: 5)
    assert job.wait(SOON)
    queue.cancel(job)
    assert (job.result, job.error, queue.place(job)) == (5, None, 0)


def test_an_error_is_kept_for_the_one_who_waits_and_ends_no_other(queue):
    job = queue.add(lambda _job: 1 / 0)
    assert job.wait(SOON)
    assert isinstance(job.error, ZeroDivisionError)
    after = queue.add(lambda _job: 1)
    assert after.wait(SOON)
    assert after.result == 1


def test_a_closed_queue_lets_nobody_wait():
    queue = ExplainQueue(most=2)
    slow = Slow()
    running = queue.add(slow)
    assert slow.began.wait(SOON)
    waiting = queue.add(lambda _job: 1)
    assert queue.close(SOON)
    assert waiting.wait(0)
    assert running.wait(0)
    assert isinstance(running.error, CancelledError)
    assert str(waiting.error) == "the server stops"
    with pytest.raises(CancelledError, match="the server stops"):
        queue.add(lambda _job: 2)


def test_the_work_is_forgotten_when_it_is_done(queue):
    import weakref

    class Images:
        pass

    images = Images()
    gone = weakref.ref(images)
    job = queue.add(lambda _job, images=images: 1)
    del images
    assert job.wait(SOON)
    end = time.monotonic() + SOON
    while gone() is not None and time.monotonic() < end:
        time.sleep(0.01)
    assert gone() is None
