"""Ingest: files of a provider into sealed segments, every row accounted for.

files      opens csv, csv.gz and csv.zst as a stream, with its hash and proof of wholeness
gunzip     unpacks gzip as its bytes come
zstd_frames  cuts zstd data into pieces of bounded text
plan       paths, folders and globs to a list of files with their record types
order      rows that are in a segment's order already
spill      rows that are not, to rows in a segment's order, in bounded memory
run        sorted rows in a temporary file
inspect    counts what is odd but kept
open_segment  a segment that is being written from a file
stage      one file to staged segments: the task of a worker
places     which segments hold the rows of a path
publish    staged segments to segments of the store: new, merged, replaced or refused
instruments   Tardis' and the user's instruments into the store
transport  the only client sockets
importer   many files to a store: plan, work, publish, report
feeds      Tardis' raw feeds into a folder; provider_check: the smallest real request
record     live streams into the store; record_plan: which; record_feed: one feed and its days; record_stream: what comes
           and what is missing; record_fill: gaps from history; record_status: numbers and Prometheus' text
journal    what lies in a feed's journal (JOURNAL.md); journal_format: its bytes; journal_writer: appends to it
seal       a day of a journal to segments; seal_rows: to CSV text; overlap: what came twice
history_files  a day from Tardis' CSV files; history_relay: from a relay
download   days of a provider into the store; download_plan: which; download_fetch: to files, in a thread with a loop;
           download_folder: where they lie; download_job: to the importer, batch by batch; download_show: what it tells
"""
