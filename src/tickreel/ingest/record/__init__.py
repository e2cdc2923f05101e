"""Live streams into the store.

clock           what time it is, and whether that was set
plan            what is to be recorded, to feeds with the addresses of their streams
stream          one live stream: what comes, and what is missing when its connection was lost
journal_format  the bytes of a journal (JOURNAL.md)
journal_writer  appends to the journal of a feed
journal         its folder and files
day_state       what the files of a day tell
feed            one feed: its streams, its journal, its gaps, its days as they end
fill            gaps from the provider's history: when it is asked, and when no more
history         what a history gives of gaps, and which it is not asked for
history_machine, history_relay  those of a machine and of a relay
record_file     a new file of records
fill_rows       what history gave, as it is read from its file
alike           which row of a history without ids is which that came live
overlap         what came twice
edge            what came twice, in two days
sealed          what stays of days that are sealed for good
seal_rows       a day of a journal to CSV text
csv_file        that text, packed
seal            a day of a journal to segments
sealing         when that is done, beside the recording
settings        how to record
status          numbers, for the terminal and for Prometheus
recorder        all of it: what `tickreel record` calls
"""
