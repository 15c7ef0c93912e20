import pytest

from napari_hep2.jobs import Job, Progress, drain, run_here


def work():
    yield Progress("half", 0.5)
    return 7


def test_drain_returns_what_the_generator_returns():
    assert drain(work()) == 7


def test_a_job_is_followed_by_the_one_that_done_returns():
    seen = []
    last = Job("last", work, lambda result: seen.append(("last", result)))

    def done(result):
        seen.append(("first", result))
        return last

    run_here(Job("first", work, done))
    assert seen == [("first", 7), ("last", 7)]


def test_a_fault_of_the_work_reaches_the_caller():
    def faulty():
        yield Progress("start")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_here(Job("faulty", faulty, lambda _: None))


def test_no_job_is_no_work():
    run_here(None)
