"""Quality: says, per symbol and day, what the rows of a store are like, and what is missing.

    figures        every figure, declared once
    times_kernel   times, silences and the two clocks of rows in order of time
    ids_kernel     ids of the same rows: missing, late, there twice
    content_kernel their sides, prices, best prices, books and funding
    same_kernel    rows that equal an earlier one of their time; `same`: block after block of a segment
    offsets        the fixed bins that percentiles of clock offsets come from
    gaps           which silences are gaps, of one symbol or of a group together
    contents       what there is to look at in each record type
    meter          Meter: rows of one symbol and day in, figures out, block after block
    watch_kernel   order books built row by row, looked at after every message
    watch          Watch: the same with room that grows
    words          how a verdict words times of day and shares of rows
    rule           what a rule is; the rules: `rules_times`, `rules_ids`, `rules_content`
    verdicts       figures to sentences with a severity, worst first
    groups         of a group's symbols the worst of each rule
    segments       one segment's figures; the task of a worker
    asked          the question, and which streams it names
    survey         what is there, what is missing, all of it measured on all cores
    view           a survey as the plain data that `report` shows

    compare        two feeds: which symbols and days both hold, compared on all cores
    compare_day    one symbol and day of two feeds; the task of a worker
    compare_rows   a feed's rows in few and equal columns; `ids_key_kernel`: ids as numbers
    compare_terms  what the kernels are given and give back
    compare_kernel which rows are partners, what is missing, extra, different, late
    waiting_kernel rows that wait for their partner
    compare_limits how much two feeds may differ
    compare_watch  two feeds compared again and again, with a log
    compare_view   a comparison as the plain data that `report` shows

Memory does not grow with the rows, and neither block size nor the number of workers changes a figure.
What each figure and rule means is in docs/QUALITY.md.
"""
