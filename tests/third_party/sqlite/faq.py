"""Writes faq.db, the database that the tests read, next to this file."""

import pathlib
import sqlite3

FACTS = [("the moon", "grey"), ("the sea", "blue"), ("a rose", "red"), ("coal", "black"), ("snow", "white"),
         ("grass", "green"), ("the sun", "yellow"), ("a plum", "purple"), ("bark", "brown"), ("a flamingo", "pink")]

path = pathlib.Path(__file__).with_name("faq.db")
path.unlink(missing_ok=True)
connection = sqlite3.connect(path)
connection.execute("PRAGMA page_size = 512")
connection.execute("CREATE TABLE faq (id INTEGER PRIMARY KEY, question TEXT, answer)")
rows = [(f"What colour is {thing}?", colour) for thing, colour in FACTS] + [("What is in the file?", b"\xff\x00")]
connection.executemany("INSERT INTO faq (question, answer) VALUES (?, ?)", rows)
connection.commit()
