#!/usr/bin/env python3
"""Make the pre-training text for the small base model of the handbook recipe.

    python3 recipes/data/make_base_corpus.py --out base_corpus.jsonl

The output is JSON lines, {"text": ...}, about 30,000 short documents (7 MB).
Everything is expanded from the hand-written grammar below with a fixed seed, so
two runs give the same bytes. Only the standard library is needed.

A model trained on it from scratch learns English word order, the words of
workplaces and dental plans, and the shape of question answering. It does not
learn what handbook.csv says: all facts here are random and belong to other,
invented companies, and a document that holds an answer of the handbook.csv beside
this script word for word is dropped. Three kinds of documents are mixed:

  qa       one question and its answer, half of them in the Alpaca form;
  reading  a passage with a few facts, then a question whose answer is in it;
  prose    handbook paragraphs and little stories of workdays.

Grammar: [a|b] picks one alternative (brackets nest); {slot} is filled from
SLOTS; {slot.key} is filled once per fact and then repeated, so that a question
and its answer agree. A fact is "question ## input => answer"; the input is
optional. Lines that start with "#" open a topic.
"""
import argparse
import csv
import json
import random
import re
from pathlib import Path

ALPACA = ("Below is an instruction that describes a task. Write a response that "
          "appropriately completes the request.\n\n### Instruction:\n{q}\n\n### Response:\n{a}")
ALPACA_INPUT = ("Below is an instruction that describes a task, paired with an input that provides "
                "further context. Write a response that appropriately completes the request.\n\n"
                "### Instruction:\n{q}\n\n### Input:\n{i}\n\n### Response:\n{a}")

WOMEN = """Ana Maria Marta Nora Hana Ines Clara Amira Lena Ruth Olga Sofia Emma Julia Rosa Wendy Tara Kate Alice
Grace Helen Mina Priya Yuki Zoe Carla Dora Eva Fiona Gina""".split()
MEN = """Peter Samuel Victor Tom Luca Omar Paul David Karl Ben Hugo Ivan Jack Leo Mark Nils Oscar Ravi Simon Tim
Adam Bruno Chen Dan Eric Frank George Henry Jonas Kofi""".split()
LAST = """Olsen Quinn Lane Reed Porter Brooks Feldman Wynn Patel Silva Novak Weber Adams Moreno Tanaka Fischer Dunn
Okafor Hill Stone Baker Cole Diaz Evans Grant Hayes Jensen Kim Lopez Mills Nash Perez Rossi Shaw Torres Young""".split()
MONTHS = "January February March April May June July August September October November December".split()
COMPANY_A = """Northfield Bluestone Harbor Oakline Redwood Summit Riverbend Pinecrest Silverlake Eastgate Brightwell
Falcon Granite Willow Meridian Orchard Copper Sunrise Westbrook Highland Juniper Clearwater Ironbridge""".split()
COMPANY_B = """Tools Foods Motors Textiles Paper Glass Software Printing Furniture Logistics Pharma Robotics Clinic
Bank Garden Energy Shipping Books Sensors Toys Dental Optics Instruments""".split()
CITIES = """London Boston Prague Denver Oslo Madrid Lisbon Chicago Dublin Vienna Toronto Berlin Seattle Milan Geneva
Austin Helsinki Warsaw Leeds Dallas""".split()


def table(text):
    """name: a | b | c lines as a dict of lists."""
    return {k.strip(): [v.strip() for v in vs.split("|")] for k, vs in
            (line.split(":", 1) for line in text.strip().splitlines())}


SLOTS = table("""
app: Pebble | Lantern | Molar | Acorn | Compass | Beacon | Ladder | Signal | Meadow | Tulip | Anchor | Kite
insurer: Whitecap Dental | Stonebridge Bank | Blue Harbor | Redwood Dental | Summit Care | Oakline Health | Meridian Bank
building: Maple | Cedar | Oak | Birch | Pine | Elm | North | South | Main | River | Larkspur | Tower
street: Station Road | River Street | Mill Lane | Park Street | Hill Road | Larkspur Street | Garden Lane | Bridge Road
color: green | blue | red | orange | yellow | white | black | gray | purple | brown
tier: Bronze | Silver | Gold | Basic | Plus | Copper | Prime | Standard | Premium | Family
shift: night shift | weekend shift | late shift | early shift | day shift | holiday shift
day: Monday | Tuesday | Wednesday | Thursday | Friday | Saturday | Sunday
which: first | second | third | fourth | fifth | last
emp: employees | workers | staff | people | team members | employees
new: new | young | first-year | part-time | full-time | older | temporary
job: driver | nurse | clerk | engineer | cook | mechanic | designer | chemist | cleaner | guard | teacher | salesman
boss: your manager | your team lead | the head of the office | the desk | the payroll team | the safety officer | HR
yearly: a year | each year | every year | per year
monthly: a month | each month | every month | per month
must: must | should | need to | have to
unit: days | weeks | months | days | working days
care: fillings | crowns | braces | root canals | cleanings | checkups | implants | dentures | X-rays | gum treatments | bridges | aligners | whitening visits | fluoride treatments | night guards
care1: a filling | a crown | a root canal | a cleaning | a checkup | an implant | an X-ray | a bridge | a denture | a night guard | gum treatment | a full mouth X-ray
season: winter | summer | spring | autumn
meal: lunch | dinner | breakfast
open: 6 in the morning | 7:30 | 8 in the morning | 8:30 | 9 in the morning | 10 in the morning | 11:30
close: noon | 2 in the afternoon | 3 in the afternoon | 4 in the afternoon | 5:30 | 18:15 | 8 at night | 10 at night
ride: bus pass | train pass | bus ticket | train ticket | bike lease
course: safety course | data course | language course | first aid course | welcome course | fire course | sales course
food: fish | pasta | soup | rice | salad | pizza | curry | chicken | beans | pancakes
drink: coffee | tea | milk | juice | water
thing: laptop | screen | phone | desk | chair | printer | keyboard | camera | badge | key | coat | bag | lamp
tool: microscopes | pumps | scales | lamps | engines | glasses | tables | sensors | maps | clocks | boats | bottles
wear: gloves | a white coat | safety glasses | closed shoes | a helmet | a warm coat | ear plugs | a mask
place: the library | the canteen | the front desk | the laboratory | the factory | the lift | the main door | the north gate | the shed | the old tree | the parking level | the stairs
family: child | partner | parent | wife | husband | mother | father | brother | sister | baby
""")
SLOTS.update(month=MONTHS, city=CITIES)

FACTS = """
# vacation
[How many|What number of] [vacation|paid vacation|free] days do {new.k} {emp} [get|have|receive] {yearly}? => {new.k} {emp} [get|have|receive] {d.a} [vacation|paid vacation|free] days {yearly}[, and [unused|extra] days [expire|end|are lost] on {date}|].
[When|On which date] do [unused|old|extra] [vacation|leave] days [expire|end]? => [Unused|Old] [vacation|leave] days [expire|end|are lost] on {date.a}[ of the next year|].
How many [extra |]days [off |]do [I|we|{emp}] get after {d.b} years[ of service|]? => After {d.b} years [of service |]you get {d.a} [extra |]days [of vacation|off] {yearly}.
Who [approves|signs|checks|agrees to] [my|a|our] [vacation|leave] request? => {person.p} [approves|signs|checks] [all |][vacation|leave] requests within {d} [working |]days.
How [early|long before] {must} I ask for a [long|short] [vacation|holiday]? => You {must} ask [for it |]at least {d.a} {unit.u} before [it starts|the first day|you go].
[May|Can] I sell [my|unused] vacation days[ back to the company|]? => [Yes, you may sell|You can sell up to|At most you sell] {d.a} days {yearly}[, but only in {month}|].
When is the [whole |][office|company|factory|shop] closed[ in {season}|]? => The [whole |][office|company|factory|shop] is closed from {date.a} to {date.b}.
How many public holidays [are there|do we have] {yearly}? => There are {d.a} public holidays {yearly}[ on top of vacation|].
# sick leave
How many [paid |]sick days do [I|we|{emp}] have {yearly}? => [You have|There are|Everyone has] {d.a} [paid |]sick days {yearly}[ at full pay|].
When [do I need|must I bring|must I send] a [doctor's note|note from the doctor]? => A [doctor's note|note from the doctor] is needed [after|from] day {d.a} of [the illness|sick leave].
Who do I [call|tell|write to] when I [am|get] sick? => [Call|Tell|Write to] {person.p} before {time.t} on the {which} day[ of your illness|].
Where do I [send|bring|give] my [doctor's note|sick note]? => [Send|Bring] the note to {person.p} in {room.r}.
Can I [stay home|get a day off|take leave] when my {family.f} is sick? => Yes, you [can|may] take {d.a} [paid |]days {yearly} to [care for|help] a sick {family.f}.
What [happens to my pay|pay do I get] [in|during] a long illness? => You [get|keep] {pct.a} percent of [your|the normal] pay for [up to |]{d.b} {unit}.
# parental leave
How [many weeks of|long is the] parental leave[ can I take|]? => [Each parent|Every mother and father|A new parent] [can take|gets|has] {d.a} weeks of [parental |]leave at [full|half] pay.
How early must [parents|I] tell [HR|the company] about parental leave? => [Tell|You must tell] HR {d.a} weeks before the [leave|baby] [starts|comes].
Can I work [part time|fewer hours] after [the birth|my leave|the baby]? => Yes, you can work {pct.a} percent of your [normal |]hours for {d.b} months.
Do parents who adopt [get leave|have leave] too? => [Parents who adopt a child|They] [get|have] {d.a} weeks [of leave |][at full pay|without pay|too].
What [gift|card] do we [give|send] [for|to] a new baby? => [The baby gets|We send|The company gives] a [gift card|book|toy] worth {money.m} dollars.
Where is the [quiet room|nursing room|rest room for mothers]? => The [quiet|nursing|rest] room is {room.r}, next to {place}.
# remote work
How many days [a week |]may [I|we|{emp}] work from home? => You may work from home {s.a} days a [week|month][ after your first {d} {unit}|].
[On which day|When] must [everyone|the team|all {emp}] be in the office? => [Everyone|The team|All {emp}] must be in the office on {day.d}[ for the team [meeting|lunch]|].
What are the core hours [here|at home|in our team]? => [Core hours|The core hours] [are|run] from {open.a} to {close.b}[, also when you work from home|].
[Does the company|Do we] pay for a {thing.t} at home? => Yes, [the company pays|we pay] {money.m} dollars [once |]for a {thing.t} at home.
May I work from [another country|{city.c}|abroad]? => You may [work from another country|do so|work abroad] for {d.a} days {yearly} if {person.p} agrees.
[How much is paid|What do we pay] for [home internet|the internet at home]? => [The company pays|We pay] {money.m} dollars {monthly} for [home |]internet.
Which [program|app] [do we use|is used] for [video|team] [meetings|calls]? => We use [the program |]{app.a} for [all |][video|team] [meetings|calls].
# expenses
How do I [send in|hand in|report] my expenses? => [Use|Open|Take] the {app.a} app and add a [photo|copy] of [each|every] receipt.
[When|By which day] must I [send in|hand in] my expense report? => [Send it in|Hand it in] by the {which.w} {day.d} of the [next |]month.
When [are|will] [my |]expenses [be |]paid back? => [They|Expenses] are paid back within {d.a} {unit.u}[ after {boss} signs the report|].
[Who|Which person] signs an expense [above|over|of more than] {money.m} dollars? => [{person.p}|{boss}] [must sign|signs] [any|each] expense above {money.m} dollars[ before you buy|].
How much [can|may] I spend on {meal} with a customer? => You [can|may] spend [up to |]{money.m} dollars [per person|in all|each time].
I lost a receipt, what [can|should] I do? => [Fill in|Send|Use] form {form.f} [if you lost a receipt|for a lost receipt] for less than {money} dollars.
# payroll
On which day [is|do we get] [the |][salary|pay|money] [paid|each month]? => [Salary|The pay] is paid on [the {nth.a} of each month|the {which} {day} of the month].
Who [runs|leads|is in] payroll[ at the moment|]? => {person.p} [runs|leads] payroll [and answers questions|and sits] in {room.r}.
Where [can I find|is|do I get] my pay slip? => [You find|Look for] your pay slip in the {app.a} app [{d} days before payday|after {time}|on {day}].
How do I [change|tell you about] my [new |]bank account? => [Send|Bring|Give] form {form.f} to payroll before [the {nth.a} of the month|{date}].
[Is there|Do we get|When do we get] a bonus[ this year|]? => [A|The] bonus of [up to |]{pct.a} percent [of your salary |]is paid in {month.m}.
How is overtime paid[ here|]? => Overtime is paid at {big.a} percent of [normal|hourly|your normal hourly] pay.
How [much|many hours of] overtime may [I|we] work? => [You may work|We work] [at most|up to] {d.a} hours of overtime in [one month|one week|a year].
When are [salaries|wages] raised? => [Salaries|Wages] are raised {yearly} on {date.a}[ after the review|].
# onboarding
Where do I go on my first [day|morning]? => [Go to|Come to|Walk to] [{place.p}|the {building.b} building] at {time.t}.
What [must|should] I bring on [day one|my first day]? => [Bring|Please bring] your [passport|bank card|signed contract], your [photo|papers|bank card] and {wear.w}.
Who [helps|guides] me [in|during] my first [weeks|days|month]? => A [buddy|helper] [from|in] your team, {person.p}, helps you for {d.a} {unit.u}.
How long [does|will] the {course.c} take? => The {course.c} takes {s.a} [days|hours] and is held in [the {building} room|{room}].
When is the welcome {meal.m}? => The welcome {meal.m} is on [your|the] {which.w} {day.d}[, and the [founder|company founder] {person} joins|].
Which courses must I [finish|take] [first|early]? => [Finish|Take] the {course.c} [and the {course.e} |]in your first {d.a} days.
# probation
How long is the probation [period|time]? => [The|Our] probation [period|time] [is|takes|lasts] {d.a} {unit.u}[ for all {new} {emp}|].
What notice [is needed|do I give] during probation? => During probation [both sides need|you need|each side needs] {d.a} {unit.u} of notice.
How often [do I meet|will I see] my manager? => You meet [your manager|{person}] every [second |]{day.d} for {d.a} minutes.
Can probation be made longer? => Yes, [it|probation] can be made longer [once |]by [up to |]{d.a} {unit.u}.
[What|How much] notice must I give [to leave|when I leave]? => You must give {d.a} {unit.u} of notice in writing[ after probation|].
# training
How [big|large] is [my|the] [yearly |]training budget? => [Your|The] training budget is {money.m} dollars {yearly}[ and cannot be moved|, and half can be moved to the next year|].
Who approves [courses|a course|the training]? => {person.p} approves [all |][courses|training] within {d.a} {unit}.
How many study days [can I take|are there]? => You can take {d.a} [paid |]study days {yearly} for a [course|test].
[Are there|Does the company pay for] language classes? => Yes, [free |good |][Spanish|German|French|Italian|English] classes are held every {day.d} at [noon|{time}].
Must I pay back [a|the] course if I leave? => You pay back [half|{pct.a} percent] of [a|the] course if you leave within {d.b} months.
Where [can|do] I borrow [books|maps|games]? => You [can |]borrow [books|maps|games] from the library in {room.r} for {d.a} days[, also books about science|].
# bicycles and parking
[Does the company help|Can you help] me buy a bicycle? => Yes, [the company pays|we pay] {pct.a} percent [of the price|of the bicycle], up to {money.m} dollars.
Where [can|should] I lock my bicycle? => Lock [it|your bicycle] in the {color.c} shed [in front of|near|next to] the {building.b} building.
[Who fixes|Can someone fix] my bicycle? => A mechanic fixes bicycles [for free |]on the {which.w} {day.d} of [each|the] month.
How much [does a parking space cost|is parking]? => [A parking space|Parking] costs {money.m} dollars {monthly}[ and is taken from your pay|].
Where [may|can|do] visitors park[ their cars|]? => Visitors [may |]park in row {letter.l} [near {place}|behind the {building} building] for {d.a} hours.
Can I charge [my|an] electric car? => Yes, [we have|you can use] {d.a} charging points on parking level {s.b}.
[Do we get|Does the company pay for] a {ride.r}? => The company pays [half|{pct.a} percent] of [your {ride.r}|each bus or train pass] {monthly}.
# the canteen
When is the canteen open for {meal.m}? => The canteen is open [for {meal.m} |]from {open.a} to {close.b}.
How much does [a hot lunch|the {food.f}|{drink.d}] cost[ here|]? => [It|A hot lunch|A dish] costs {s.a} dollars, [and|but] {drink} costs {s.b} dollars.
[When|On which day] do we [get|eat|serve] {food.f}? => The canteen serves {food.f} on {day.d}[ and {food} on {day}|].
Is there [food|a dish] without meat? => Yes, [there are|the canteen has] {s.a} dishes without meat on {day}[ and every {day}|].
How do I pay for [food|lunch]? => Pay with [your badge|cash|a bank card|the {app.a} app][, because cash is not taken|].
Is the {drink.d} free? => [Yes, {drink.d} is|Yes, {drink.d} and {drink} are] free on [every floor|floor {s}|each {day}].
# security badges
Where do I get [a|my] [security |]badge? => [You get|Take|Pick up] your [security |]badge from {person.p} [at the front desk|in {room}].
What [should|must] I do when I lose [my|a] badge? => Report [it|a lost badge] within {d.a} hours by calling [number |]{ext.e}.
What does a new badge cost? => [The first|A] new badge [is free, and each new one |]costs {money.m} dollars.
Which color is the badge of a {job.j}? => [A {job.j}|This person] wears a badge that is {color.c}[ and must walk with an employee|].
When does my badge open the [main |]door? => [It|Your badge] opens the [main |]door from {open.a} to {close.b}.
Who may enter the [clean room|laboratory|factory|store room]? => Only [visitors|{emp}] with a {color.c} badge and {wear.w} may enter.
# equipment
[What kind of|Which] {thing.t} do [new {emp}|I] get? => [You get|New {emp} get] a {d.a} inch screen and one [large|small] {thing.t}.
How often do I get a new {thing.t}? => You get a new {thing.t} every {d.a} {unit.u}[ from the help desk|].
Where is the help desk[ for computer problems|]? => The help desk is in {room.r} and [opens at {time.t}|closes at {time.t}].
[Can I get|Who gets] a [work |]phone? => A [work |]phone [is given|goes] to [sales|service|travel] staff with a plan of {d.a} gigabytes.
When must I give back [the|my] {thing.t}? => Give [it|all equipment] back to [the help desk|{person}] [by your last working day|before {date}|within {d} days].
How often must I change [my|the] password? => Change [it|your password] every {n.a} days and use [at least |]{d.b} letters.
My {thing.t} was stolen, what do I do? => Tell {person.p} within {d.a} hours and bring a police report.
How can I replace [a broken|my lost|an old] {thing.t}? => To replace [it|a {thing.t}] send form {form.f} to {person.p}.
Where can I get my {thing.t} fixed? => The help desk in {room.r} fixes it [while you wait|within {d.a} {unit.u}|through {insurer}].
Above which amount must {boss} sign for a {thing.t}? => Above {money.m} dollars [two|five] people must sign[ for any amount|].
What is the name of the [new |]{job.j}? => The name of the [new |]{job.j} is {person.p}.
# performance reviews
When [do|will] [performance |]reviews [take place|happen]? => [Performance reviews|Reviews] take place in {month.a} and {month.b}[ each year|].
How many goals do [I|we] set? => You set {s.a} goals with your [manager|team] for [the|the next] [performance |]review.
[Which|What] [rating |]scale is used in [the |]reviews? => [The|Our] rating scale goes from 1 to {s.b}, where {s.b} is the [best|lowest|highest].
Can I complain about [a|my] review? => Yes, [write to|call|talk to] {person.p} within {d.a} {unit.u}[ of the review|].
# the retirement plan
How much [does the company|do you] [put|pay] into [the|my] retirement plan? => [The company|It|{insurer}] puts {pct.a} percent of [your|the] [pay|salary] into the plan.
When can I join the retirement plan? => You can join [it|the plan] after {d.a} {unit.u}[ of work|].
When [does|will] the money [become|be] mine? => The [company |]money is [fully|half] yours after {d.a} {unit.u}.
[Which bank|Who] manages the [retirement |]plan? => {insurer.i} manages [it|the plan] and sends a report every {month.m}.
# travel
How do I book a [trip|flight]? => [Book|Plan] [it|every trip] with {person.p} at the travel desk [at least |]{d.a} days ahead.
[Which class may I book|May I fly in business class] on a long [trip|flight|train trip]? => You may [book|fly in] [first|second|business] class on [trips|flights] longer than {d.a} hours.
How much [do I get|money is there] for meals on a trip? => You get {money.m} dollars [a day |]for meals[ on a work trip|].
How much is paid per mile[ in my own car|]? => The company pays {pct.a} cents per mile [when you use|for] your own car.
What may my hotel cost [in {city.c}|for one night]? => [A|The] hotel [in {city.c} |]may cost [up to |]{n.m} dollars a night.
# safety
Where do we [meet|go] when there is a fire? => [Leave by the stairs|Walk out slowly] and meet at [{place.p}|the {color} gate|the {building} building].
Who is the safety officer[ of the company|]? => The safety officer is {person.p}, and [the|her|his] number is {ext.e}.
When is the [fire |]alarm tested? => [It|The alarm] is tested on [the {which.w} {day.d}|{date}] [of each month |]at {time.t}.
What must I wear in [the laboratory|the factory|this room]? => [Wear|You must wear|Always wear] {wear.a}, {wear.b} and {wear.c}.
How fast must I report an accident? => Report [it|every accident] to {person.p} within {d.a} {unit.u}.
Where [are|can I find] the first aid kits? => [First aid kits|The kits] are in {color.c} boxes [next to|near|behind] {place.p}.
What does [{company.x}|our company|the factory] make? => [{company.x}|It|The company] [makes|sells|makes and sells] {tool.a}, {tool.b} and {tool.c} for [laboratories|schools|hospitals|shops].
# the dental plan
Which [dental |]plans can I choose[ from|]? => [You can choose|There are three plans:|Choose] {tier.a}, {tier.b} [or|and] {tier.c}.
Who is [the|our] [dental |]insurer? => [Our|The] insurer is {insurer.i} in {city.c}.
Who can I ask about [my teeth|the dental plan|the {tier.t} plan]? => Ask {person.p} in {room.r}[ about the plan|].
What is the [phone |]number of the [dental |][desk|clinic|insurer]? => The [phone |]number is {phone.p}.
When is the dental desk open? => [It|The desk] is open on {day.a} and {day.b} from {s.a} to {s.b}.
How much does the {tier.t} plan cost? => [It|The {tier.t} plan|For one person it] costs {money.m} dollars {monthly}[ and is taken from your salary|].
What is the [yearly |]deductible [in|of] the {tier.t} plan? => The deductible of the {tier.t} plan is {money.m} dollars {yearly}.
Does the {tier.t} plan have a deductible? => [No, the {tier.t} plan has no deductible[ for {care}|].|Yes, the {tier.t} plan has a deductible of {money.m} dollars.]
How many {care.c} does the {tier.t} plan pay for? => [The {tier.t} plan|It] pays for {s.a} {care.c} {yearly}[ in full|].
What does the {tier.t} plan pay for {care1.c}? => [The {tier.t} plan|It] pays {pct.a} percent [of the cost |]for {care1.c}.
Does the {tier.t} plan [pay for|cover] {care.c}? => [Yes, {care.c} are covered at {pct.a} percent in the {tier.t} plan.|No, {care.c} are not covered [in|by] the {tier.t} plan.]
What is the waiting period for {care.c}? => [The waiting period for {care.c}|It] is {d.a} {unit.u}[ in the {tier} plan| in the {tier} and {tier} plans|].
How long must I wait [between|for] [two|new] {care.c}? => You must wait [at least |]{d.a} {unit.u} [between|for] {care.c}.
How often [are {care.c} paid|can {care1.c} be done again]? => [It is paid|They are paid|This is paid] [again only after|once every] {d.a} {unit.u}.
Who can get {care.c}? => Only [children|adults|children and adults] [under|over] {d.a} can get {care.c}[ in the {tier} plan|].
What does the {tier.t} plan pay [at most |]for {care.c}? => The {tier.t} plan pays [at most |]{pct.a} percent, up to {money.m} dollars [for life|a year|for each tooth].
What is the annual maximum of the {tier.t} plan? => The annual maximum of the {tier.t} plan is {money.m} dollars[, and it starts again on {date}|].
What if my {thing.t} or [dental |]card is broken or lost? => [A|One] lost [or broken |]card is replaced for a fee of {money.m} dollars[ within {d} days|].
Who [does|should do] {care1.c} on a [back|front] tooth? => [A network specialist|{person.p}|A dentist in {city}] [should do|does] {care1.c} on this tooth.
Can [the waiting period|it] be dropped? => It is dropped if you had another plan for {d.a} {unit.u} before.
Do waiting periods apply to {care.c}? => Waiting periods [of {d.a} {unit.u} |]apply to {care.c}[ in the {tier} plan|].
[Which visits|How many visits] are [fixed|free] {yearly}? => [Two|Three|Five|Small] [visits|checkups|repairs] are [fixed|free] [once|twice|five times] {yearly}.
What [share|part] of {care1.c} is mine? => [Dentures, crowns and bridges|Small fillings|Braces] cost you {pct.a} percent[ of the amount|].
# dentists and claims
How many dentists are in the network? => [The network|{insurer}] has {n.a} dentists[ and is called {insurer}|].
How do I find a [network |]dentist? => [Find|Look for] a [network |]dentist in the {app.a} app or call {phone.p}.
What if my dentist is outside the network? => Outside the network [the plan|{insurer}] pays {pct.a} percent less.
Which [dentist|doctor|clinic] is nearest? => Doctor {person.p} on {street.s} is nearest[ to the {building} building|].
When does the dentist visit [us|the office]? => A dentist visits [us|the company] on the {which.w} {day.d} [of each month |]in {room.r}.
May I change my dentist? => Yes, you [may|can] change [your dentist|to a new one] [every {d.a} months|in {month.m}] [with|without] a form.
[What|Do I need to] show [at|to] the dentist? => Show your {color.c} [dental |]card [or the {app} app |]at each visit.
How do I send a claim? => Send form {form.f} and the bill to [the dental desk|{person}] in {room.r}.
How long do I have to send a claim? => You have {d.a} {unit.u} after the visit[ to send a claim|].
[How fast|When] is a claim paid? => A claim is paid [back |]to your [bank |]account within {d.a} {unit.u}.
[What can I do|Who do I write to] if my claim is refused? => Write to [{insurer.i}|{person.p}] within {d.a} {unit.u}.
Must the dentist send claims? => [Network|All] dentists send claims to {insurer.i}, so you [only pay|pay] your own share.
How long do I keep [dental |]receipts? => Keep [all |][dental |]receipts for {d.a} {unit.u}[ in case of a question|].
When must a treatment be approved? => [Any|A] treatment above {money.m} dollars must be approved [before it starts|by {person}].
How long does it take to approve a treatment? => {insurer.i} approves or refuses [it|a treatment] within {d.a} {unit.u}.
# dental emergencies
[What|Who] [do I do|do I call] in a dental emergency? => In an emergency call {phone.p} [at any hour|before {time}].
How much is an emergency visit? => [You pay|It costs] {money.m} dollars[, and the plan pays the rest|].
Is an emergency [dentist |]abroad covered? => [Yes, it|An emergency abroad] is covered up to {money.m} dollars [per trip|{yearly}].
Which clinic is open at night[ for emergencies|]? => The clinic on {street.s} is open at night [for emergencies|until {time}].
What if I break a tooth[ at work|]? => Tell {person.p} at once, because [a broken tooth|it] is paid [in full|at {pct} percent].
How fast must I report an emergency? => Report [it|an emergency] to the [dental |]desk within {d.a} {unit.u}.
# dependants
Can my {family.f} join [my|the] [dental |]plan? => [Yes, your {family.f} can join[ until the age of {d.a}|].|No, a {family.f} cannot be added[ as a dependant|].]
Until what age can children [join|stay in] the plan? => [Children|Children who study|A child who studies] can stay [in the plan |]until [the age of {d.a}|they are {d.a} years old].
What does it cost to add a {family.f}? => It costs {money.m} dollars {monthly} to add a {family.f}[ to any plan|].
How do I add a {family.f}? => Send form {form.f} within {d.a} {unit.u} after the [birth|marriage|divorce].
What paper do I need to add a {family.f}? => Bring a [marriage|birth|school|divorce] paper or a [shared|signed] [rent |]contract.
How many dependants can I add? => You can add [up to |]{s.a} dependants[ to the plan|].
# enrolment
When is the enrolment window[ open|]? => The [enrolment |]window is open from {date.a} to {date.b}[ each year|].
When does my [new |]plan start? => [Your|The] plan starts on {date.a}[ after the enrolment window|].
How long do {new} {emp} have to enrol? => [They|New {emp}] have {d.a} days from the {which} day to enrol.
Where do I enrol? => Enrol in the {app.a} app or on paper [in {room}|at the front desk].
What happens if I miss the [enrolment |]window? => [If you miss it, you must|Then you must] wait until [next |]{month.m}[ to enrol|].
Can I [change|move] [plans|to another plan] outside the window? => [Only a [marriage|birth|divorce] lets you change plans|You can move from {tier} to {tier} only in {month.m}].
When does my plan end[ if I leave|]? => [It|Your plan] ends on [the last day of the month|{date.a}] in which you [leave|retire|move].
Can I keep the plan after I retire? => Yes, you can keep the {tier.t} plan [after you retire |]for {money.m} dollars {monthly}.
How much may be saved for the next year? => Up to {money.m} dollars can be saved for the next year[ to save you money|].
Is there a fee [for|if I miss] a [missed |]visit? => Yes, a missed visit costs {money.m} dollars if you do not call {s.a} [days|hours] before.
Which teeth are [removed|covered|replaced] [first|under the plan]? => [The {tier.t} plan pays {pct.a} percent to remove wisdom teeth.|[White|Gold|Porcelain|Plastic|Clear] [crowns|fillings|aligners] are covered [like|at the price of] [porcelain|gold|clear|plastic|white] ones.]
# input
How much [extra |]pay do I get? ## Role: {shift.s} => The {shift.s} gets {pct.a} percent extra pay[ for every hour|].
When does my [shift|work] start? ## Role: {shift.s} => The {shift.s} starts at {time.t}[ in the {building} building|].
What may a [hotel|dinner|room] cost? ## City: {city.c} => In {city.c} [it|this] may cost up to {money.m} dollars[ a night|].
How much does [my|the] plan pay? ## Plan: {tier.t} => The {tier.t} plan pays {pct.a} percent [of the cost|for {care}].
What is the [yearly maximum|most I get]? ## Plan: {tier.t} => [You get|The {tier.t} plan gives you] at most {money.m} dollars {yearly}.
What does {care1.c} cost me? ## Plan: {tier.t} => With the {tier.t} plan {care1.c} costs {money.m} dollars.
Who is my manager? ## Team: {job.j} => The manager of each {job.j} is {person.p}.
Where is my desk? ## Building: {building.b} => In the {building.b} building your desk is in {room.r}.
"""

OPENINGS = """
{p} [works|has worked] as a {job} at {company} in {city}.
On {day} {p} came to [work|the office|the factory] at {time}.
It was {p}'s {which} day at {company}, and {he} was [happy|nervous|tired|early|late].
[Early|Late] on {day} {p} [walked|drove|rode a bicycle|took the train] to the {building} building on {street}.
{p} lives in {city} and has worked from home since {month}.
""".strip().splitlines()
MIDDLES = """
{He} [put|left|found|forgot] {his} {thing} [in|near|behind|next to] {place}.
{He} met {person} in {room}, and they talked about the [budget|review|new laptop|dental plan|trip to {city}].
At {time} {he} [drank|bought|made] some {drink} and [ate|ordered|shared] {food} with {his} {family}.
{His} manager [asked|told] {him} to [finish|check|sign|send] the [report|form|bill|contract] before {day}.
{He} had to call {phone}, because {his} {thing} was [broken|lost|stolen|too old|too slow].
The [help desk|payroll team|travel desk|canteen] was [closed|open|busy|quiet], so {he} [waited {d} minutes|came back on {day}|wrote a note|went to {place}].
{He} paid {money} dollars for a [train pass|flight|book|language course|new helmet|bicycle] and kept the receipt.
After lunch {he} had a [pain in a back tooth|video meeting|fire alarm test|safety course|team call] that took {d} minutes.
The dentist on {street} looked at {his} teeth and said that {he} needed {care1} [in {month}|soon|before {date}].
{He} wore {wear} and {wear}, because the [laboratory|factory|clean room] has strict rules.
In {month} {he} [sold|moved|lost|won|repaired] {d} [old |]{tool} and [wrote|read] a short report about [science|the weather|the customers|safety].
{He} [saved|spent|counted] {n} dollars and [thought|dreamed] of a vacation in {city}.
{He} walked through the park [twice|five times], past an oak tree, and thought about {his} work for a while.
{He} [opened|closed] {his} mouth [twice|five times], but {he} did not know the name of the {job}.
After five [minutes|hours|days] the {job} fixed the {thing}, and nobody had to replace it.
The amount on the bill was [wrong|too high|right], so {he} [called|did not call] {person} to apply for {money} dollars.
A [visitor|customer|doctor|police officer|friend] asked where the [lift|stairs|north gate|library|quiet room] was, and {he} [showed|told] the way.
{He} [likes|enjoys|hates] [soup|meetings|quiet mornings|long trips|pasta without meat|classes in German] [very much|a little|on {day}].
""".strip().splitlines()
ENDINGS = """
At {time} {he} [went home|locked the door|closed the window|took the bus home].
In the end {he} [was happy|laughed|thanked {person}|was paid {money} dollars].
That night {he} told {his} {family} about [the day|the new rules|the accident|the welcome lunch].
The next {day} {he} [stayed home|came back|took a free day|started again].
""".strip().splitlines()
INTROS = """
This section [explains|lists|describes] the rules [for|about] {topic} at {company}.
The rules [for|about] {topic} are [simple|short|clear|new|the same for all {emp}].
[Please read|Read] these [notes|rules|lines] about {topic} [with care|before you ask HR|first].
[Last|This] {month} {company} changed [some|two|most] of its rules about {topic}.
{company} has {n} {emp} in {city} and cares about {topic}.
""".strip().splitlines()


class Writer:
    """Expands the grammar with one random generator."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.topics = {}
        for line in FACTS.strip().splitlines():
            if line.startswith("# "):
                facts = self.topics.setdefault(line[2:], [])
            else:
                facts.append(line)
        self.input_facts = self.topics.pop("input")
        self.all_facts = [f for facts in self.topics.values() for f in facts]

    def slot(self, kind):
        r = self.rng
        if kind in SLOTS:
            return r.choice(SLOTS[kind])
        number = {"n": (1, 500), "s": (2, 9), "pct": (5, 95), "big": (105, 250)}.get(kind)
        if number:
            return str(r.randint(*number))
        if kind == "d":
            return str(r.choice([r.randint(2, 16), r.randint(2, 65), r.randint(10, 200)]))
        if kind == "money":
            return str(r.choice([r.randint(3, 99), r.randrange(50, 500, 5), r.randrange(500, 3000, 100)]))
        if kind == "nth":
            n = r.randint(4, 28)
            return str(n) + {21: "st", 22: "nd", 23: "rd"}.get(n, "th")
        if kind == "date":
            return "%d %s" % (r.randint(1, 30), r.choice(MONTHS))
        if kind == "time":
            return r.choice(["%d in the morning" % r.randint(6, 11), "%d in the afternoon" % r.randint(1, 5),
                             "%d:%s" % (r.randint(7, 17), r.choice(["15", "30", "45"])), "noon",
                             "%d at night" % r.randint(8, 11)])
        if kind == "letter":
            return r.choice("ABCDEFGH")
        return {"person": lambda: r.choice(WOMEN + MEN) + " " + r.choice(LAST),
                "room": lambda: "room %d" % r.randint(100, 260),
                "ext": lambda: str(r.randint(4400, 4439)),
                "phone": lambda: "555-0%d" % r.randint(100, 199),
                "form": lambda: "%s-%d" % (r.choice("ABCDEFP"), r.randint(1, 9)),
                "company": lambda: r.choice(COMPANY_A) + " " + r.choice(COMPANY_B)}[kind]()

    def expand(self, text, env):
        """Resolves alternatives from the inside out, then slots; env keeps the named ones."""
        count = 1
        while count:
            text, count = re.subn(r"\[([^\[\]]*)\]", lambda m: self.rng.choice(m[1].split("|")), text)

        def fill(m):
            name = m[1]
            if name in env:
                return env[name]
            kind, _, key = name.partition(".")
            value = self.slot(kind)
            while key and value in env.values():  # two named slots of one fact never agree by accident
                value = self.slot(kind)
            if key:
                env[name] = value
            return value

        text = re.sub(r"\{([\w.]+)\}", fill, text)
        return text[:1].upper() + text[1:]

    def fact(self, line):
        """(question, input, answer) of one line of FACTS."""
        env = {}
        left, answer = line.split(" => ")
        question, _, given = left.partition(" ## ")
        return tuple(self.expand(part, env) for part in (question, given, answer))

    def full_fact(self, line):
        """A fact whose answer can stand alone in a passage: it does not start with "It" or "They"."""
        for _ in range(20):
            fact = self.fact(line)
            if not re.match(r"(It|They|This|That|Then)\b|(No|Yes), it\b", fact[2]):
                break
        return fact

    @staticmethod
    def statement(answer):
        """The answer as a sentence of a text: without its "Yes," or "No,"."""
        text = re.sub(r"^(Yes|No), ", "", answer)
        return text[:1].upper() + text[1:]

    def with_company(self, question, company):
        """The same question with the company named before or after, or not at all."""
        kind = self.rng.randrange(4)
        if kind == 0 and not question.startswith("I "):
            return "At %s, %s" % (company, question[0].lower() + question[1:])
        return question[:-1] + " at %s?" % company if kind == 1 else question

    def render(self, question, given, answer, alpaca):
        if alpaca:
            return (ALPACA_INPUT if given else ALPACA).format(q=question, i=given, a=answer)
        if given:
            given += "\n"
        asker, other = self.rng.choice(WOMEN), self.rng.choice(MEN)
        return given + self.rng.choice([
            "Question: {q}\nAnswer: {a}", "Q: {q}\nA: {a}", "{q} {a}", "{q}\n{a}",
            '{x} asked, "{q}" {y} said, "{a}"', "{x}: {q}\n{y}: {a}"]).format(q=question, a=answer, x=asker, y=other)

    def qa(self):
        line = self.rng.choice(self.input_facts if self.rng.random() < 0.12 else self.all_facts)
        question, given, answer = self.fact(line)
        if not given:
            question = self.with_company(question, self.slot("company"))
        return self.render(question, given, answer, self.rng.random() < 0.5)

    def reading(self):
        r = self.rng
        if r.random() < 0.35:
            passage, question, answer = self.same_shape()
        else:
            company = self.slot("company")
            facts = [self.full_fact(line) for line in r.sample(self.all_facts, r.randint(2, 4))]
            question, _, answer = r.choice(facts)
            passage = " ".join(self.statement(f[2]) for f in facts)
            if r.random() < 0.5:
                passage = self.expand("[This is a note|Here are some rules|This is a page] from %s. " % company, {}) + passage
                question = self.with_company(question, company)
        if r.random() < 0.3:
            return self.render(question, passage, answer, True)
        return passage + "\n" + self.render(question, "", answer, False)

    def same_shape(self):
        """A passage of sentences that differ only in name and value; the question picks one by name."""
        r = self.rng
        kind, shape, question = r.choice([
            ("tier", "The {k} plan pays {v} percent for %s." % self.slot("care"), "What does the {k} plan pay?"),
            ("tier", "The {k} plan costs {v} dollars a month.", "How much does the {k} plan cost?"),
            ("tier", "The {k} plan pays no more than {v} dollars a year.", "What is the maximum of the {k} plan?"),
            ("person", "{k} works in room {v}.", "Where does {k} work?"),
            ("person", "{k} has {v} vacation days.", "How many vacation days does {k} have?"),
            ("city", "A hotel in {k} costs {v} dollars a night.", "What does a hotel in {k} cost?"),
            ("shift", "The {k} gets {v} dollars an hour.", "How much does the {k} get?"),
            ("care", "The waiting period for {k} is {v} days.", "What is the waiting period for {k}?"),
            ("company", "{k} has {v} employees.", "How many employees does {k} have?")])
        keys = []
        while len(keys) < r.randint(2, 4):
            key = self.slot(kind)
            if key not in keys:
                keys.append(key)
        lines = [shape.format(k=k, v=self.slot(r.choice(["n", "d", "money"]))) for k in keys]
        pick = r.randrange(len(keys))
        return " ".join(lines), question.format(k=keys[pick]), lines[pick]

    def prose(self):
        r = self.rng
        if r.random() < 0.5:
            topic = r.choice(sorted(self.topics))
            lines = r.sample(self.topics[topic], min(len(self.topics[topic]), r.randint(2, 4)))
            title = "Section %s: %s\n" % (self.slot("s"), topic.capitalize()) if r.random() < 0.4 else ""
            intro = self.expand(r.choice(INTROS), {"topic": topic})
            return title + " ".join([intro] + [self.statement(self.full_fact(line)[2]) for line in lines])
        woman = r.random() < 0.5
        env = {"p": r.choice(WOMEN if woman else MEN), "he": "she" if woman else "he", "his": "her" if woman else "his",
               "him": "her" if woman else "him", "He": "She" if woman else "He", "His": "Her" if woman else "His"}
        story = [r.choice(OPENINGS)] + r.sample(MIDDLES, r.randint(2, 4)) + [r.choice(ENDINGS)]
        return " ".join(self.expand(line, env) for line in story)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True, help="the JSON lines file to write")
    parser.add_argument("--documents", type=int, default=30000)
    parser.add_argument("--seed", type=int, default=20)
    args = parser.parse_args()
    writer = Writer(args.seed)
    handbook = Path(__file__).with_name("handbook.csv")
    with open(handbook, encoding="utf-8", newline="") as rows:
        avoid = [row["output"].rstrip(".").lower() for row in csv.DictReader(rows)]
    kinds = [writer.qa] * 9 + [writer.reading] * 6 + [writer.prose] * 5
    with open(args.out, "w", encoding="utf-8", newline="\n") as out:
        written = 0
        while written < args.documents:
            text = writer.rng.choice(kinds)()
            lower = text.lower()
            if not any(answer in lower for answer in avoid):
                out.write(json.dumps({"text": text}) + "\n")
                written += 1


if __name__ == "__main__":
    main()
