"""Quality: says, per symbol and day, what the rows of a store are like, and what is missing.

    figures        every figure and every rule of a verdict, declared once
    times_kernel   times, silences and the two clocks of rows in order of time
    content_kernel ids, prices, best prices, books and funding of the same rows
    offsets        the fixed bins that percentiles of clock offsets come from
    contents       what there is to look at in each record type
    meter          Meter: rows of one symbol and day in, figures out, block after block
    watch_kernel   order books built row by row, looked at after every message
    watch          Watch: the same with room that grows
    segments       one segment's figures; the task of a worker
    words          how a verdict words durations, times of day and shares
    verdicts       figures to sentences with a severity, worst first
    asked          the question, and which streams it names
    survey         what is there, what is missing, all of it measured on all cores
    view           a survey as the plain data that `report` shows

Memory does not grow with the rows, and neither block size nor the number of workers changes a figure.
What each figure and rule means is in docs/QUALITY.md.
"""
