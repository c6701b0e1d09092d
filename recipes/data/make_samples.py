"""Makes the sample that is not written by hand.

    pip install openpyxl==3.1.5
    python3 recipes/data/make_samples.py

qa_sample.xlsx: the workbook that recipes/mistral-qa.toml reads.
handbook_chats.jsonl, handbook.txt: handbook.csv as conversations of two turns, and as running text.
handbook_preferences.jsonl: its answers, preferred to wordy ones; handbook_judged.jsonl: answers of both kinds by themselves.
The same input gives the same bytes.
"""

import csv
import datetime
import io
import json
import pathlib
import re
import zipfile

import openpyxl

HERE = pathlib.Path(__file__).parent

QA = [
    ("When is the Harbor Library open?", "The Harbor Library is open from Tuesday to Saturday, from 9 a.m. to 7 p.m."),
    ("Is the library open on Sundays?", "No. The Harbor Library is closed on Sundays and Mondays."),
    ("How do I get a library card?", "Bring a photo ID and proof of address to the front desk; the card is made while you wait."),
    ("What does a library card cost?", "The card is free for residents and costs 15 dollars a year for everyone else."),
    ("How many books may I borrow at once?", "You may borrow up to 12 books at once."),
    ("How long may I keep a book?", "Books are lent for 3 weeks."),
    ("Can I renew a book?", "Yes, twice, for 3 weeks each time, unless somebody has reserved it."),
    ("What happens if I return a book late?", "There are no fines, but you cannot borrow more until the late book is back."),
    ("What if I lose a book?", "Pay its price, or bring the same edition in good condition."),
    ("Can I return books when the library is closed?", "Yes, through the blue box beside the main door."),
    ("Where is the children's section?", "The children's section is on the ground floor, behind the aquarium."),
    ("When is story hour?", "Story hour is on Saturdays at 10 a.m. in the children's section."),
    ("Do I have to sign up for story hour?", "No, everyone may come; there is room for 25 children."),
    ("Can I use a computer?", "Eight computers on the first floor are free to use for an hour a day."),
    ("Is there Wi-Fi?", "Yes. Choose the network HarborGuest; no password is needed."),
    ("What does printing cost?", "A black and white page costs 10 cents, a colour page 40 cents."),
    ("Can I scan documents?", "Yes, scanning to a USB stick or by e-mail is free."),
    ("How do I book a study room?", "Ask at the front desk or book online, up to 2 weeks ahead."),
    ("How long may I use a study room?", "A study room can be booked for 2 hours a day."),
    ("How many people fit into a study room?", "The small rooms seat 4 people and the large one seats 10."),
    ("May I eat in the library?", "Covered drinks are fine everywhere; food only in the cafe."),
    ("Where is the cafe?", "The cafe is on the terrace and opens at 10 a.m."),
    ("Are dogs allowed?", "Only assistance dogs are allowed in the building."),
    ("Is the building accessible?", "Yes. There is a ramp at the east door and a lift to all floors."),
    ("Where can I park?", "There are 40 free places behind the library, for up to 3 hours."),
    ("Which bus stops at the library?", "Lines 6 and 14 stop at Harbor Square, 2 minutes away on foot."),
    ("Can I borrow e-books?", "Yes, with the number of your card, up to 5 at a time."),
    ("Do you lend films?", "Films are lent for a week, 3 at a time."),
    ("Can I borrow a telescope?", "Yes, there are two; the waiting list is at the front desk."),
    ("How do I reserve a book?", "Reserve it in the catalogue; we keep it for you for 7 days."),
    ("Can you get a book from another library?", "Yes. A loan from another library takes about 10 days and costs 2 dollars."),
    ("How can I suggest a book?", "Write its title on a card at the front desk, or use the form on the website."),
    ("Do you accept donated books?", "Yes, on the first Saturday of each month, at most 2 boxes."),
    ("Is there a book club?", "The book club meets on the last Thursday of the month at 6 p.m."),
    ("Can I work as a volunteer?", "Yes. Volunteers help 3 hours a week; ask for Ms. Okafor."),
    ("Who runs the library?", "The library is run by the city; its director is Mr. Lindqvist."),
]


def workbook():
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "QA"
    sheet.append(["Question", "Answer"])
    for pair in QA:
        sheet.append(pair)
    book.properties.creator = "make_samples.py"
    made = io.BytesIO()
    book.save(made)
    # Without the times of this run.
    when = datetime.datetime(2025, 1, 1).strftime("%Y-%m-%dT%H:%M:%SZ")
    with zipfile.ZipFile(made) as parts, zipfile.ZipFile(HERE / "qa_sample.xlsx", "w", zipfile.ZIP_DEFLATED) as out:
        for name in parts.namelist():
            content = parts.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT[\d:]+Z", when.encode(), content)
            out.writestr(zipfile.ZipInfo(name, (2025, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)


def handbook():
    with open(HERE / "handbook.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["input"]]
    with open(HERE / "handbook_chats.jsonl", "w", encoding="utf-8", newline="\n") as out:
        # Each question comes first in one conversation, and second in another.
        for pair in zip(rows, rows[1:] + rows[:1]):
            messages = []
            for row in pair:
                messages.append({"role": "user", "content": row["instruction"]})
                messages.append({"role": "assistant", "content": row["output"]})
            out.write(json.dumps({"messages": messages}) + "\n")
    paragraphs = [" ".join(row["output"] for row in rows[i : i + 4]) for i in range(0, len(rows), 4)]
    (HERE / "handbook.txt").write_text("\n\n".join(paragraphs) + "\n", encoding="utf-8", newline="\n")


WORDY = [
    "Thank you for your question! There are many things to consider here. In short: {} I hope that this helps.",
    "As far as I know, and please ask someone else as well, it may be like this: {} But I am not quite sure.",
    "That is a very good question, which many people ask. {} Please let me know if there is anything else.",
]


def preferences():
    with open(HERE / "handbook.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["input"]]
    pairs = [(row["instruction"], row["output"], WORDY[i % 3].format(row["output"])) for i, row in enumerate(rows)]
    with open(HERE / "handbook_preferences.jsonl", "w", encoding="utf-8", newline="\n") as out:
        for prompt, chosen, rejected in pairs:
            out.write(json.dumps({"prompt": prompt, "chosen": chosen, "rejected": rejected}) + "\n")
    with open(HERE / "handbook_judged.jsonl", "w", encoding="utf-8", newline="\n") as out:
        for i, (prompt, *answers) in enumerate(pairs):
            row = {"prompt": prompt, "completion": answers[i % 2], "label": i % 2 == 0}
            out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    handbook()
    preferences()
    workbook()
