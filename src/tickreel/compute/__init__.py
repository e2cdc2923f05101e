"""Runs tasks on the cores of this machine: tasks in, outcomes out as they end.

    with make_executor(workers) as executor:
        for outcome in executor.run(tasks, on_progress=show):
            ...

What an executor promises, whichever it is:

- A task names a function "package.module:name", called as function(arguments, progress). Arguments
  and results are plain data (`plain.encode`); nothing is pickled; over 1 MB is refused.
- One outcome per task id. The heaviest start first, or all in the order given.
- A task that raises is "error" with its traceback. One whose process dies runs again; dead twice, it
  is "crashed". One that passes its deadline is "timeout". `cancel` stops queued and running ones.
  The others are not disturbed.
- The same values for any number of workers and any order.
- What tasks print goes to stderr. No process outlives `close`, Ctrl-C or the death of this process.

EXECUTORS, one file each:

    serial  in this process, one at a time; cannot stop a task, so no deadline holds and a crash is its own;
            with `in_thread` beside the main thread, which stays free for Ctrl-C
    local   a supervised pool of processes

`executor.py` holds what all do alike above `Backend`; a new executor is a new backend.
"""

from tickreel.compute.call import Numbers
from tickreel.compute.choose import EXECUTORS, make_executor, usable_cores
from tickreel.compute.executor import Executor
from tickreel.compute.task import Outcome, Task

__all__ = ["EXECUTORS", "Executor", "Numbers", "Outcome", "Task", "make_executor", "usable_cores"]
