"""Executors: the same outcomes whatever runs the tasks, whatever dies on the way, and nothing left behind."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickreel.compute import EXECUTORS, Executor, Outcome, Task, make_executor, plain, usable_cores
from tickreel.compute.call import Reply
from tickreel.compute.frames import NoteParser, ProgressNote, Ready
from tickreel.compute.process import WorkerProcess
from tickreel.compute.worker import _Worker
from tickreel.errors import InputError, TaskError, UsageError

HERE = str(Path(__file__).parent)
EVERY = {
    "serial": {"workers": 1},
    "in a thread": {"workers": 1, "in_thread": True},
    "two processes": {"workers": 2},
}


def task(name, arguments=None, id=None, **more):
    return Task(id or name, f"compute_tasks:{name}", arguments or {}, **more)


def squares(count):
    return [task("square", {"n": n}, f"square {n}") for n in range(count)]


def by_id(outcomes):
    found = {}
    for outcome in outcomes:
        assert outcome.task_id not in found, "an id counts once"
        found[outcome.task_id] = outcome
    return found


@pytest.fixture(params=EVERY, scope="module")
def executor(request):
    """One for many tests: none may leave a trace in it."""
    with make_executor(**EVERY[request.param]) as made:
        yield made


@pytest.fixture(params=EVERY)
def own_executor(request):
    with make_executor(**EVERY[request.param]) as made:
        yield made


@pytest.fixture
def pool():
    with make_executor(2) as made:
        yield made


@pytest.fixture
def one():
    with make_executor(1, isolate=True) as made:
        yield made


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.01)
    return met


def lives(pid):
    """Whether a thread of the process runs; one that is dead and not yet fetched by its parent does not."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists():
            return True
        dead = stat.read_text().rpartition(")")[2].split()[0] == "Z"
        return not dead or len(os.listdir(f"/proc/{pid}/task")) > 1
    except (ProcessLookupError, FileNotFoundError):
        return False


# What every executor promises


def test_values_come_back_as_plain_data(executor):
    arguments = {"a": [1, (2.5, None)], "b": {"c": b"\x00", "d": "é"}, "big": 2**63, "nan": float("inf")}
    (outcome,) = executor.run([task("echo", arguments)])
    assert outcome.value == {**arguments, "a": [1, [2.5, None]]}
    assert (outcome.state, outcome.ok, outcome.attempts, outcome.worker) == ("ok", True, 1, 0)
    assert (outcome.error, outcome.traceback, outcome.error_type, outcome.exit_code) == ("", "", "", 0)
    assert 0 <= outcome.seconds < 5


def test_a_task_that_raises_is_an_error_and_disturbs_no_other(executor):
    found = by_id(executor.run([task("fail", {"zero": 0}), *squares(5)]))
    failed = found.pop("fail")
    assert (failed.state, failed.error_type, failed.attempts) == ("error", "ZeroDivisionError", 1)
    assert failed.error == "ZeroDivisionError: division by zero"
    assert 'return 1 / arguments["zero"]' in failed.traceback
    assert "compute/call.py" not in failed.traceback
    assert failed.exit_code == 1
    assert all(found[f"square {n}"].value == n * n for n in range(5))
    raised = failed.as_error()
    assert type(raised) is TaskError
    assert str(raised) == "task fail: ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("name", "kind", "error", "text"),
    [
        (
            "fail_input",
            InputError,
            "rows.csv, line 3: price is 'x' ^",
            "rows.csv, line 3:\n  price is 'x'\n         ^",
        ),
        ("fail_own", InputError, "mine", "mine"),
        ("fail_namesake", TaskError, "compute_tasks.UsageError: not tickreel's", None),
        ("leave", TaskError, "SystemExit: enough", None),
    ],
)
def test_an_error_is_raised_again_by_its_class(executor, name, kind, error, text):
    (outcome,) = executor.run([task(name)])
    raised = outcome.as_error()
    assert (outcome.state, outcome.error, type(raised)) == ("error", error, kind)
    assert outcome.exit_code == kind.exit_code
    assert str(raised) == (text or f"task {name}: {error}")


def test_an_error_text_that_cannot_be_encoded_or_is_endless_still_arrives(executor):
    (outcome,) = executor.run([task("fail_surrogate")])
    assert outcome.state == "error"
    assert len(outcome.error) <= 1_000
    assert len(outcome.message.encode()) <= 100_000
    assert outcome.message.endswith("é" * 100)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("compute_tasks:absent", "compute_tasks has no function 'absent'"),
        ("compute_tasks:HERE.x", "has no function"),
        ("compute_absent.x:y", "there is no module 'compute_absent'"),
    ],
)
def test_a_function_that_is_not_there_is_named(executor, function, message):
    (outcome,) = executor.run([Task("t", function, {})])
    assert outcome.error_type == "UsageError"
    assert message in outcome.error


def test_results_over_the_limit_or_not_plain_are_refused(executor):
    found = by_id(
        executor.run(
            [
                task("large", {"count": plain.LIMIT_BYTES - 5}, "fits"),
                task("large", {"count": plain.LIMIT_BYTES}, "too large"),
                task("not_plain"),
            ]
        )
    )
    assert len(found["fits"].value) == plain.LIMIT_BYTES - 5
    assert found["too large"].error_type == "UsageError"
    assert "1,000,005 bytes, 1,000,000 are allowed; write it to a file" in found["too large"].error
    assert "the result of compute_tasks:not_plain['rows'][1] is set" in found["not_plain"].error


def test_equal_ids_run_once_and_different_calls_under_one_id_are_refused(executor, tmp_path):
    file = str(tmp_path / "log")
    same = task("note", {"file": file, "line": "ran"})
    assert len(list(executor.run([same, same, task("note", {"file": file, "line": "ran"})]))) == 1
    assert Path(file).read_text() == "ran\n"
    with pytest.raises(UsageError, match="names two different calls"):
        executor.run([same, task("note", {"file": file, "line": "other"})])


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("isolate", [False, True])
def test_the_heaviest_start_first_unless_order_is_asked_for(in_order, isolate):
    weights = [1.0, 5.0, 5.0, 0.5, 9.0]
    tasks = [task("echo", {}, f"{k}", weight=weight) for k, weight in enumerate(weights)]
    with make_executor(1, isolate=isolate) as executor:
        order = [outcome.task_id for outcome in executor.run(tasks, in_order=in_order)]
    assert order == (list("01234") if in_order else list("41203"))


def test_the_first_progress_of_every_task_reaches_the_caller(executor):
    heard = []
    tasks = [task("report", id=f"{k}") for k in range(10)]
    outcomes = by_id(executor.run(tasks, on_progress=lambda *what: heard.append(what)))
    assert {outcome.value for outcome in outcomes.values()} == {"done"}
    assert sorted(task_id for task_id, numbers in heard) == sorted(outcomes)
    assert {numbers["done"] for task_id, numbers in heard} == {0.5}


def test_progress_is_at_most_twenty_a_second(executor):
    heard = []
    list(executor.run([task("report_often", {"seconds": 0.5})], on_progress=lambda *what: heard.append(what)))
    assert 3 <= len(heard) <= 11


def test_an_error_of_the_callback_is_the_callers_own(executor):
    def broken(task_id, numbers):
        raise ValueError("in the callback")

    with pytest.raises(ValueError, match="in the callback"):
        list(executor.run([task("report", {"seconds": 0.1})], on_progress=broken))
    assert sorted(outcome.value for outcome in executor.run(squares(3))) == [0, 1, 4]


def test_cancelled_from_the_callback_the_queued_never_start(executor, tmp_path):
    file = tmp_path / "log"
    queued = [task("note", {"file": str(file)}, f"queued {k}") for k in range(20)]
    long = [task("report", {"seconds": 0.3}, f"long {k}", weight=2) for k in range(executor.workers)]

    def stop_queued(task_id, numbers):
        executor.cancel([one.id for one in queued] + ["unknown"])

    found = by_id(executor.run(long + queued, on_progress=stop_queued))
    assert {found[one.id].state for one in queued} == {"cancelled"}
    assert {(found[one.id].attempts, found[one.id].worker) for one in queued} == {(0, -1)}
    assert {found[one.id].value for one in long} == {"done"}
    assert not file.exists()


def test_cancelled_before_the_first_outcome_is_asked_for(executor):
    outcomes = executor.run(squares(4))
    executor.cancel(["square 1", "square 3"])
    found = by_id(outcomes)
    assert [found[f"square {n}"].state for n in range(4)] == ["ok", "cancelled", "ok", "cancelled"]


def test_a_closed_or_busy_executor_refuses(own_executor):
    first = own_executor.run(squares(3))
    next(first)
    with pytest.raises(UsageError, match="still runs other tasks"):
        next(own_executor.run(squares(3)))
    assert len(list(first)) == 2
    late = own_executor.run(squares(3))
    own_executor.close()
    own_executor.close()
    with pytest.raises(UsageError, match="closed while it ran"):
        list(late)
    with pytest.raises(UsageError, match="the executor is closed"):
        own_executor.run(squares(1))


def test_closed_from_the_callback_it_stops(own_executor):
    tasks = [task("report", {"seconds": 0.1}, id) for id in "abc"]
    with pytest.raises(UsageError, match="closed while it ran"):
        list(own_executor.run(tasks, on_progress=lambda *what: own_executor.close()))


def test_no_tasks_no_outcomes(executor):
    assert list(executor.run([])) == []


def test_what_tasks_print_goes_to_stderr(pool, capfd):
    found = by_id(pool.run([task("speak"), task("run_child")]))
    assert found["run_child"].value == "42\n"
    out, err = capfd.readouterr()
    assert out == ""
    assert {"printed by a task", "written by a task"} <= set(err.splitlines())


def test_what_a_task_prints_in_process_goes_to_stderr_and_what_the_callback_prints_does_not(capsys):
    def show(task_id, numbers):
        print("callback")

    with make_executor(1) as executor:
        list(executor.run([task("speak"), task("report")], on_progress=show))
    out, err = capsys.readouterr()
    assert (out, err) == ("callback\n", "printed by a task\n")


def test_the_same_values_with_any_number_of_workers_in_any_order():
    tasks = [task("digest", {"n": n}, f"{n}", weight=n % 7) for n in range(60)]
    expected = None
    for workers, seed in [(1, 0), (1, 1), (2, 2), (4, 3), (4, 4)]:
        random.Random(seed).shuffle(tasks)
        with make_executor(workers) as executor:
            values = {outcome.task_id: outcome.value for outcome in executor.run(tasks)}
        packed = msgspec.msgpack.encode(dict(sorted(values.items())))
        expected = expected or packed
        assert packed == expected
        assert len(values) == 60


# Deaths, deadlines, cancellation


def test_kill_9_from_outside_costs_one_attempt(pool):
    killed = []

    def kill(task_id, numbers):
        if not killed:
            killed.append(numbers["pid"])
            os.kill(numbers["pid"], signal.SIGKILL)

    found = by_id(pool.run([task("report", {"seconds": 0.3}, weight=2), *squares(20)], on_progress=kill))
    assert (found["report"].value, found["report"].attempts) == ("done", 2)
    assert len(found) == 21
    assert all(outcome.ok and outcome.attempts == 1 for id, outcome in found.items() if id != "report")


def test_a_task_whose_worker_died_once_runs_again_after_the_others(one, tmp_path):
    *others, last = one.run([task("die_once", {"file": str(tmp_path / "mark")}, weight=2), *squares(3)])
    assert (last.value, last.attempts) == ("second time", 2)
    assert [other.value for other in others] == [0, 1, 4]


def test_workers_that_start_at_once_import_before_the_first_task():
    with make_executor(2, modules=["email.headerregistry"]) as executor:
        workers = {executor._backend._workers[slot].pid for slot in (0, 1)}
        jobs = [task("loaded", {"name": "email.headerregistry"}, f"{n}") for n in range(2)]
        found = [outcome.value for outcome in executor.run(jobs)]
    assert {one["pid"] for one in found} <= workers
    assert all(one["there"] for one in found)


def test_a_module_that_cannot_be_imported_fails_the_tasks_in_words(capfd):
    with make_executor(2, modules=["tickreel.nowhere"]) as executor:
        (outcome,) = executor.run(squares(1))
    assert outcome.state == "crashed"
    assert "No module named 'tickreel.nowhere'" in capfd.readouterr().err


def test_a_call_to_a_worker_that_just_died_is_told_as_a_death():
    worker = WorkerProcess()
    os.kill(worker.pid, signal.SIGTERM)
    assert wait_until(lambda: not worker.alive, 2)
    worker.give("compute_tasks:echo", plain.encode({}, "arguments"))
    assert worker.read() == ([], False)
    assert worker.death() == ("by SIGTERM (asked to end from outside)", "")


def test_what_the_kernel_tells_late_of_a_call_ends_no_worker():
    """It may tell of a call's bytes when the worker has read them and begun: as it does of another call's."""
    worker, found = WorkerProcess(), []

    def has(kind, count):
        found.extend(worker.read()[0])
        return sum(isinstance(note, kind) for note in found) == count

    for seconds in (0.3, 0):
        worker.give("compute_tasks:report", plain.encode({"seconds": seconds}, "arguments"))
        assert wait_until(lambda: has(ProgressNote, 1), 5)
    assert wait_until(lambda: has(Reply, 2), 5)
    worker.kill()
    worker.wait()


def test_tasks_that_always_kill_their_worker_are_isolated(pool):
    poison = [
        task("die", {"signal": int(number)}, number.name)
        for number in (signal.SIGKILL, signal.SIGBUS, signal.SIGABRT)
    ]
    found = by_id(pool.run([*poison, task("segfault"), task("exit_at_once"), *squares(30)]))
    for number in poison:
        assert (found[number.id].state, found[number.id].attempts) == ("crashed", 2)
        assert number.id in found[number.id].error
    assert "out of memory" in found["SIGKILL"].error
    assert found["segfault"].error == (
        "its worker died 2 times, the last by SIGSEGV (memory access outside of an array)"
    )
    assert "in segfault" in found["segfault"].traceback
    assert "exit status 3" in found["exit_at_once"].error
    assert all(found[f"square {n}"].value == n * n for n in range(30))
    assert type(found["segfault"].as_error()) is TaskError
    assert found["segfault"].exit_code == 1


def test_a_death_is_seen_though_a_child_holds_the_pipes(one):
    began = time.monotonic()
    (outcome,) = one.run([task("die_with_heir")])
    assert (outcome.state, outcome.attempts) == ("crashed", 2)
    assert "exit status 5" in outcome.error
    assert time.monotonic() - began < 2.5


def test_a_worker_that_dies_idle_costs_nothing(pool):
    pids = {outcome.value["pid"] for outcome in pool.run([task("about", {}, f"{k}") for k in range(20)])}
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not any(lives(pid) for pid in pids), 2)
    outcomes = list(pool.run(squares(4)))
    assert [outcome.attempts for outcome in outcomes] == [1, 1, 1, 1]


@pytest.mark.parametrize("name", ["spin", "hold_lock", "stop"])
def test_a_deadline_stops_one_task_and_no_other(pool, tmp_path, name):
    late = task(name, {"file": str(tmp_path / "pid")}, deadline_s=0.3, weight=2)
    found = by_id(pool.run([late, *squares(10)]))
    assert (found[name].state, found[name].attempts) == ("timeout", 1)
    assert "its deadline of 0.3 s" in found[name].error
    assert 0.3 <= found[name].seconds < 1.0
    assert all(found[f"square {n}"].ok for n in range(10))
    assert sorted(outcome.value for outcome in pool.run(squares(2))) == [0, 1]


def test_a_caller_that_takes_its_time_makes_no_task_late(pool):
    tasks = [task("large", {"count": 900_000}, f"{k}", deadline_s=0.5) for k in range(3)]
    outcomes = pool.run(tasks)
    first = next(outcomes)
    time.sleep(0.7)
    assert [first.state, *(outcome.state for outcome in outcomes)] == ["ok", "ok", "ok"]


def test_progress_is_dropped_when_nobody_empties_the_pipe():
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)  # a write that would wait raises here
        worker = _Worker(reader, writer, writer)
        for _ in range(5_000):
            worker._note({"rows": 1})
        kept = len(os.read(reader, 1 << 20))
        assert 1_000 < kept < 1 << 20
        worker._note({"rows": 1})
        assert NoteParser().feed(os.read(reader, 1 << 20)) == [ProgressNote({"rows": 1})]
    finally:
        os.close(reader)
        os.close(writer)


def test_fifty_are_cancelled_within_half_a_second(tmp_path):
    file = tmp_path / "pids"
    file.touch()
    tasks = [task("spin", {"file": str(file)}, f"{k}") for k in range(50)]
    with make_executor(4) as executor:
        cancelled_at = []

        def cancel():
            wait_until(lambda: len(file.read_text().split()) == 4, 10)
            cancelled_at.append(time.monotonic())
            executor.cancel([each.id for each in tasks])

        thread = threading.Thread(target=cancel)
        thread.start()
        outcomes, told_at = [], 0.0
        for outcome in executor.run([*tasks, task("echo", {}, "kept", weight=0.1)]):
            outcomes.append(outcome)
            told_at = told_at if outcome.ok else time.monotonic()
        thread.join()
        assert told_at - cancelled_at[0] < 0.5
        states = [outcome.state for outcome in outcomes]
        assert (states.count("cancelled"), states.count("ok")) == (50, 1)
        assert sum(outcome.attempts for outcome in outcomes if not outcome.ok) == 4
        assert wait_until(lambda: not any(lives(int(pid)) for pid in file.read_text().split()), 0.5)


def test_leaving_the_iterator_stops_what_runs(pool, tmp_path):
    file = tmp_path / "pid"
    first = task("note", {"file": os.devnull, "seconds": 0.5})
    outcomes = pool.run([first, task("spin", {"file": str(file)}), *squares(3)])
    assert next(outcomes).task_id == "note"
    assert lives(int(file.read_text()))
    outcomes.close()
    assert wait_until(lambda: not lives(int(file.read_text())), 1)
    assert sorted(outcome.value for outcome in pool.run(squares(2))) == [0, 1]


def test_a_stray_thread_disturbs_no_later_task(pool):
    tasks = [task("chatter_on", weight=2), task("report", {"seconds": 0.5})]
    outcomes = by_id(pool.run(tasks, on_progress=lambda *what: None))
    assert (outcomes["chatter_on"].value, outcomes["report"].value) == ("left", "done")
    assert len(list(pool.run(squares(50)))) == 50


def test_what_a_task_printed_before_it_died_is_not_lost(one, capfd, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    list(one.run([task("die", {"signal": int(signal.SIGKILL)})]))
    out, err = capfd.readouterr()
    assert (out, err) == ("", "last words\nlast words\n")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("close_pipes", "closing its pipe"), ("write_anywhere", "sending what is no message")],
)
def test_a_worker_that_lost_its_pipes_is_replaced(one, name, reason):
    found = by_id(one.run([task(name, weight=2), *squares(2)]))
    assert found[name].state == "crashed"
    assert reason in found[name].error
    assert found["square 1"].value == 1


# The processes


def test_a_thousand_tasks_use_every_worker(pool):
    began = time.monotonic()
    outcomes = list(pool.run(squares(1_000)))
    assert time.monotonic() - began < 5
    assert sorted(outcome.value for outcome in outcomes) == [n * n for n in range(1_000)]
    assert {outcome.worker for outcome in outcomes} == {0, 1}


def test_a_worker_has_one_numba_thread_and_has_not_loaded_numba(one):
    (outcome,) = one.run([task("about")])
    assert outcome.value["numba_threads"] == "1"
    assert not outcome.value["numba"]
    assert outcome.value["sigint"] == [True, []]
    assert outcome.value["cwd"] == os.getcwd()
    assert outcome.value["pid"] != os.getpid()


def test_a_worker_finds_what_its_parent_finds(tmp_path, monkeypatch):
    folder = tmp_path / "odd: folder"
    folder.mkdir()
    (folder / "compute_extra.py").write_text("def hello(arguments, progress):\n    return 'hello'\n")
    monkeypatch.syspath_prepend(str(folder))
    with make_executor(1, isolate=True) as executor:
        (outcome,) = executor.run([Task("t", "compute_extra:hello", {})])
    assert outcome.value == "hello"


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("/bin/false", "before it was ready, 3 times in a row"),
        ("/nonexistent/python", "could not be started"),
    ],
)
def test_workers_that_cannot_start_are_no_endless_loop(monkeypatch, program, message):
    monkeypatch.setattr(sys, "executable", program)
    with make_executor(2) as executor, pytest.raises(TaskError, match=message):
        list(executor.run(squares(3)))


def test_a_start_that_hangs_is_given_up(monkeypatch, tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr("tickreel.compute.local._START_S", 0.1)
    with (
        make_executor(1, isolate=True) as executor,
        pytest.raises(TaskError, match=r"stopped after 0\.1 s before"),
    ):
        list(executor.run(squares(1)))


def test_without_a_python_to_start_the_way_out_is_named(monkeypatch):
    monkeypatch.setattr(sys, "executable", "")
    with make_executor(2) as executor, pytest.raises(UsageError, match="workers=1"):
        list(executor.run(squares(3)))


def script(tmp_path, text):
    """Start a Python script, written without a __main__ guard, as the leader of its own group."""
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(text))
    paths = os.pathsep.join([HERE, *sys.path])
    return subprocess.Popen(
        [sys.executable, str(path), str(tmp_path / "pids")],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


BUSY = """
    import sys
    from tickreel.compute import Task, make_executor
    names = ["spin", "hold_lock", "spin_deaf"]
    with make_executor(4) as executor:
        tasks = [Task(name, f"compute_tasks:{name}", {"file": sys.argv[1]}) for name in names]
        for outcome in executor.run([Task("idle", "compute_tasks:note", {"file": sys.argv[1]}), *tasks]):
            pass
"""


def busy_workers(tmp_path):
    """Wait for the four workers of BUSY: one is idle, one spins, two are deaf to one sign of a death each."""
    file = tmp_path / "pids"
    assert wait_until(lambda: file.exists() and len(file.read_text().split()) == 4, 10)
    pids = [int(pid) for pid in file.read_text().split()]
    assert all(lives(pid) for pid in pids)
    return pids


def test_kill_9_of_the_parent_leaves_no_orphan(tmp_path):
    with script(tmp_path, BUSY) as parent:
        pids = busy_workers(tmp_path)
        parent.kill()
        parent.wait()
        assert wait_until(lambda: not any(lives(pid) for pid in pids), 2)


def test_ctrl_c_ends_all_within_a_second_and_only_the_parent_says_so(tmp_path):
    with script(tmp_path, BUSY) as parent:
        pids = busy_workers(tmp_path)
        os.killpg(parent.pid, signal.SIGINT)
        out, err = parent.communicate(timeout=1)
        assert not any(lives(pid) for pid in pids)
        assert parent.returncode == -signal.SIGINT
        assert (out, err.count("KeyboardInterrupt"), err.count("Traceback")) == ("", 1, 1)


def test_ctrl_c_ends_a_wait_for_machine_code_in_a_thread(tmp_path):
    """A foreign call stands for machine code: neither gives the interpreter a turn."""
    waiting = """
        import sys
        from tickreel.compute import Task, make_executor
        with make_executor(1, in_thread=True) as executor:
            list(executor.run([Task("one", "compute_tasks:sleep_foreign", {"file": sys.argv[1]})]))
    """
    with script(tmp_path, waiting) as process:
        file = tmp_path / "pids"
        assert wait_until(lambda: file.exists() and file.read_text().strip(), 10)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=2)
        assert process.returncode == -signal.SIGINT


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the signal masks are read from /proc")
def test_ctrl_c_cannot_reach_a_worker_while_it_starts():
    worker = WorkerProcess()
    seen = set()
    while not worker.read()[0]:
        status = dict(
            line.split(":\t") for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines()
        )
        bit = 1 << (signal.SIGINT - 1)
        seen.add(bool((int(status["SigBlk"], 16) | int(status["SigIgn"], 16)) & bit))
    worker.kill()
    worker.wait()
    assert seen == {True}
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_script_without_a_guard_runs_once_and_its_stdout_stays_clean(tmp_path):
    text = """
        import json, sys
        from tickreel.compute import Task, make_executor
        with make_executor(2) as executor:
            tasks = [Task(f"{k}", "compute_tasks:speak", {}) for k in range(4)]
            print(json.dumps([outcome.state for outcome in executor.run(tasks)]))
        print(json.dumps(sorted({"numba", "pickle", "multiprocessing"} & set(sys.modules))))
    """
    with script(tmp_path, text) as parent:
        out, err = parent.communicate(timeout=10)
        assert [json.loads(line) for line in out.splitlines()] == [["ok"] * 4, []]
        assert err.count("printed by a task") == 4


def test_an_executor_that_nobody_closed_ends_with_its_process(tmp_path):
    text = """
        import sys
        from tickreel.compute import Task, make_executor
        executor = make_executor(2)
        tasks = [Task(f"{k}", "compute_tasks:note", {"file": sys.argv[1]}) for k in range(20)]
        assert all(outcome.ok for outcome in executor.run(tasks))
    """
    with script(tmp_path, text) as parent:
        parent.communicate(timeout=10)
        pids = {int(pid) for pid in (tmp_path / "pids").read_text().split()}
        assert parent.returncode == 0
        assert wait_until(lambda: not any(lives(pid) for pid in pids), 2)


# The parts


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": ""}, "task id ''"),
        ({"id": 7}, "task id 7"),
        ({"function": "module.name"}, "expected 'package.module:name'"),
        ({"function": "os:system; x"}, "expected 'package.module:name'"),
        ({"function": "__main__:f"}, "another __main__"),
        ({"weight": float("nan")}, "weight nan"),
        ({"deadline_s": 0}, "deadline_s 0"),
        ({"deadline_s": float("nan")}, "deadline_s nan"),
    ],
)
def test_a_task_that_cannot_be_is_refused(fields, message):
    with pytest.raises(UsageError, match=message):
        Task(**{"id": "t", "function": "a.b:c", "arguments": {}, **fields})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({1: 2}, "the key 1 is int; keys are str"),
        ({"a": [0, {"b": {3}}]}, r"arguments\['a'\]\[1\]\['b'\] is set"),
        ({"a": Path()}, "is pathlib"),
        ({"a": 2**64}, "arguments: can't serialize ints"),
        ({"a": "\ud800"}, "arguments: 'utf-8' codec"),
        ({"a": b"x" * 1_000_001}, "1,000,000 are allowed; write it to a file"),
    ],
)
def test_arguments_that_are_not_plain_are_refused_before_anything_starts(value, message):
    with make_executor(2) as executor, pytest.raises(UsageError, match=f"task t: {message}|{message}"):
        executor.run([Task("t", "compute_tasks:echo", value)])


def test_numpy_scalars_are_refused_by_name():
    numpy = pytest.importorskip("numpy")
    with pytest.raises(UsageError, match=r"x\['a'\] is numpy.float64; .*\(float\(x\)"):
        plain.encode({"a": numpy.float64(1)}, "x")


SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.recursive(
    SCALARS | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20
)


@settings(max_examples=50)
@given(PLAIN)
def test_plain_data_comes_back_equal(value):
    assert repr(plain.decode(plain.encode(value, "value"))) == repr(value)


@settings(max_examples=50)
@given(st.lists(st.sampled_from([0, 1, 2])), st.randoms())
def test_frames_may_be_cut_anywhere(kinds, rng):
    notes = [
        (Ready(), ProgressNote({"n": k, "t": "x"}), Reply(0.5, b"v" * k))[kind]
        for k, kind in enumerate(kinds)
    ]
    bodies = [msgspec.msgpack.encode(note) for note in notes]
    stream = b"".join(len(body).to_bytes(4, "little") + body for body in bodies)
    parser, found = NoteParser(), []
    while stream:
        cut = rng.randint(1, len(stream))
        found += parser.feed(stream[:cut])
        stream = stream[cut:]
    assert found == notes


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\x01\x00\x00\x00\xc0", b"\x02\x00\x00\x00\x81\xa1"])
def test_bytes_that_are_no_message_are_refused(data):
    with pytest.raises(msgspec.DecodeError):
        NoteParser().feed(data)


def test_the_choice_of_an_executor():
    assert set(EXECUTORS) == {"serial", "local"}
    cores = usable_cores()
    assert 1 <= cores <= (os.cpu_count() or 1)
    for workers, isolate, expected in [(None, False, cores), (1, False, 1), (3, True, 3)]:
        with make_executor(workers, isolate=isolate) as executor:
            assert isinstance(executor, Executor)
            assert executor.workers == expected
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(UsageError, match=f"workers: {wrong}: expected a whole number of 1 or more"):
            make_executor(wrong)


def test_an_outcome_that_is_ok_has_no_error():
    with pytest.raises(UsageError, match="task t is ok"):
        Outcome("t", "ok").as_error()
