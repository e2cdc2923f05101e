"""Order books rebuilt from incremental_book_L2: rows of a store in, both ladders at any time out.

ladder_kernel   one side: amounts by price, in order, whatever the range of prices
book_kernel     rows to a book, by the rules of docs/BOOKS.md
book            Book: the same with room that grows, prices on one scale, levels as arrays
rows            the rows of a symbol, and a block of them as the kernel wants it
checkpoint_rows a checkpoint as rows of a file and back, with every rule that it keeps
checkpoints     books at some rows of a day, kept beside the store; derived, and can be deleted
at              the book at a time: checkpoint, then replay
check           verifies checkpoints

A book changes message by message: rows of equal local time are one message, and only whole
messages are seen. It is unknown until the first snapshot; a day goes on with the book of the day
before if that day is there.
"""
