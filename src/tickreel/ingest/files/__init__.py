"""Files of rows into the store.

text_file    opens csv, csv.gz and csv.zst as a stream, with its hash and proof of wholeness
memory       how many workers an amount of memory is enough for
zstd_frames  cuts zstd data into pieces of bounded text
plan         paths, folders and globs to a list of files with their record types
gaps_beside  what is known to be missing of a file, in a file beside it
order        rows that are in a segment's order already
spill        rows that are not, to rows in a segment's order, in bounded memory
run          sorted rows in a temporary file
inspect      counts what is odd but kept
open_segment  a segment that is being written from a file
stage_task   what a worker is told of a file, and what it tells
stage        one file to staged segments: the task of a worker
places       which segments hold the rows of a path
recorded     which days a recorder brought, and what they lack
publish      staged segments to segments of the store: new, merged, replaced or refused
books        checkpoints of the order books that were brought
importer     many files to a store: plan, work, publish, report
instruments  Tardis' and the user's instruments into the store
check, remove  of segments that an import brought
warm         compiles what an import needs
"""
