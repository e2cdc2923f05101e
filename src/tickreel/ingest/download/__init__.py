"""Days of a provider into the store, and its raw feeds into a folder.

plan           which days are asked for, and which the store has
fetch          many days at a time to files, in a thread with a loop
history_files  a day from Tardis' CSV files
history_relay  a day from a relay, page after page
history_machine  a day from a tardis-machine, as it is replayed
packed_text    CSV text to a csv.gz
fetched        what a day is once it is fetched
doubts         days without rows of symbols that may be none
folder         where fetched files lie until they are imported
job            fetched files to the importer, batch by batch
show           what it tells while it runs
days           all of it: what `tickreel download` calls
raw_feeds      Tardis' raw feeds, in the layout of its official clients
provider_check  the smallest real request
"""
