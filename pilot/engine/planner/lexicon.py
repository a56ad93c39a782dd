"""The words that goals are made of: each tag lists phrases, any inflection of them counts.

Words that can turn a meaning round (not, or, if, after, each ...) are never filler.
"""

from functools import cache

from pilot.engine.planner import lexicon_glue
from pilot.engine.planner.text import stem

# Words that carry no wish of their own.
FILLER = """
love, would love, ask for, asks for, asking for, the undersigned, undersigned, wonder, wondering,
curious, hope, hoping, trying, try, try to, decide, think, believe, suppose, convenient,
convenience, absolutely, additionally, anyway, certainly, definitely, easily, entirely,
explicitly, expressly, frankly, gladly, hopefully, honestly, literally, naturally, necessarily,
obviously, officially, personally, possibly, purely, quickly, quite, readily, respectfully,
seriously, surely, swiftly, thereby, thoroughly, thus, truly, very, assistance, attention,
purpose, purposes, with regard to, with respect to, favour, favor, matter, details, basis, for the
sake of, require, requires, desire, desired, prefer, intend, aim, attempt, someone, somebody,
ourselves, asap, as soon as possible, up to now, so far, as follows below, aforementioned,
requested, hereby, herewith, thereof, therein, therefrom, itself, themselves, concretely,
strictly, strictly speaking, by all means, if you please, my, mine, ours, stuff, sort of, in other
words, i mean, meaning, to be precise, precisely speaking, for now, this time, the, a, an, my,
our, your, their, its, his, her, this, that, these, those, such, any, some, all, both, either,
exactly, only, just, of, for, with, in, on, at, as, by, to, from, into, onto, out, up, about, via,
through, within, is, are, was, were, be, been, being, am, do, does, did, have, has, had, having,
will, would, shall, should, can, could, may, might, must, want, like, wish, need, i, we, you, it,
they, them, he, she, me, us, who, which, what, that, whose, whom, where, there, here, please, pls,
kindly, also, simply, then, so, now, currently, current, right now, at the moment, still, really,
actually, basically, finally, well, ok, okay, and, but, plus, hello, hi, hey, dear, dear pilot,
pilot, good morning, thanks, thank you, many thanks, cheers, make sure, make sure that, be able,
be possible, possible, be so kind, be nice, step, goal, following, first of all, one, ones, thing,
those who, way, kind, in total, overall, altogether, right away, directly, straight,
automatically, nicely, neatly, neat, nice, clear, clean, short, simple, quick, small, little,
single, proper, resulting, matching, relevant, corresponding, remaining, given, respective,
concerned, in question, own, provided, provided that, namely, i e, e g, that is, taken, going,
supposed, expected, scheduled, planned, set, due to, has got, have got, got, goes, go, comes,
come, looks, look, happens, happen, thing is, each of them, all of them, word, words, exact,
exactly the, as well, too, in fact, of course, input, output, meet, meets, satisfy, satisfies,
fulfil, fulfils, fulfill, belong, belongs, belong in, will do, will suffice, is enough, suffices,
care, hold, holds, carry, whenever i start this, when i start this, each time i start this, every
time i start this, whenever i run this, when i run this, every time it runs, each time it runs, on
each run, on demand, ahead of time, afterwards, accordingly, once more, immediately, promptly,
respectively, specifically, particularly, in particular, especially, precisely, solely, merely,
fully, carefully, briefly, clearly, generally, usually, normally, ideally, preferably, if
possible, as always, as usual, for me, on my behalf, thx, regards, kind regards, best regards,
appreciate, grateful, glad, happy, great, fine, help, assist, sure, be sure, ensure, ensure that,
remember, remember to, do not forget to, do not forget, take care, take care that, see to it that,
it is important that, the idea is, looking for, searching for, in search of, after that, at the
end, in the end, sum up, query, search, apply, following conditions, conditions, as follows,
consist, consists, bring, brings, let me have, to hand, appropriate, necessary, important to me,
matters, matter to me, running, existing, available, actual, selection, condition, criteria,
criterion, requirement, requirements, filter, source, data source, window, time window, period,
time frame, timeframe, range, regarding, concerning, in it, inside, in there, together, whether,
that have, whole, entire, complete, full list, among, amongst, amid, every one of, no matter, has
to, have to, had to, ought, let, currently, at present, presently, present, form, html, in the
body, inline, layout, properly, job, rule, rules, case, cases
"""

# Getting, choosing and showing rows; the rest of the goal says which.
READ = """
filter them down to, filter it down to, filter them to, filter it to, pare down to, reduce to,
reduce them to, reduce it to, limit to, limit it to, limit them to, restrict it to,
restrict them to, filter these for, filter them for, filter them by, filter it by, filter it for,
dig out, dig up, dig, fish out, hunt down, hunt for, track down, round up, filter down to,
boil down to,
whittle down to, weed through, comb, comb through, trawl, trawl through, browse through, skim,
skim through, screen, evaluate, drop them in, drop them into, drop it into, drop these into,
drop those into, throw them in, throw them into, throw it into, stick them in, stick them into,
lay out, lay them out, set out, write them into, collect them in, narrow it, narrow it down,
narrow it down to, narrow this down to, narrow them down to, narrow it to, cut it down to,
summarise in a table, put in a table, tabulate, enumerate, single out, sift, sift through, spot,
detect, figure out, work out, establish, select from, draw from, point out,
read, read out, take, take out, get, get me, fetch, find, find out, find me, look at, look up,
look into, look for, look through, look in, go through, go over, go to, check, check out, check in,
open, open up, scan, scan through, search, search through, search for, pull, pull out, pull up,
pick, pick out, pick up, select, choose, filter, filter by, filter on, filter for, filter out only,
keep, retain, restrict, restrict to, narrow, narrow down, limit yourself, show, show me, display,
list, list me, give, give me, collect, gather, grab, extract, identify, determine, identify all,
see, see which, watch, monitor, review, use, using, work with, work on, consider, include, consult,
query, load, import, access, examine, inspect, study, start with, begin with, put, put them in,
put together, make, create, build, prepare, compile, produce, generate, draw up, assemble, turn,
turn it into, format, present, render, want to know, would like to know, like to know, know,
tell me, tell us, want to see, would like to see, be shown, be listed, listed, shown, contained,
found, stored, kept, written, recorded, entered, return, hand over, provide, provide me, report on,
report, retrieve, obtain, browse, analyse, analyze, process, deal with, concentrate on, focus on,
only interested in, interested in, interested, care about, am after, concern, interest
"""

SEND = """
fire off, fire it off, fire them off, fire that off, fire it over, shoot it, shoot it over,
shoot them over, shoot that over, shoot over, pass it on, pass it along, pass them on, get it over,
get it out, get this out, send it off, send it over, send it along, send it on, send it out,
send them out, send this out, mail it out, mail it off, mail it over, mail them over, mail over,
email over, email it over, email it out, email it across, mail across, put it in a mail,
put it into a mail, put it in an email, put it into an email, be mailed out, be emailed out,
be sent out, be sent off, be delivered, be forwarded, be given, be shared, be told, be informed,
be notified, make it out to, address it to, address to, send it my way, send my way,
furnish, convey, relay, submit, communicate, transfer, get mailed out, ship, hand out, pass,
mail, email, send, send out, send over, send off, send on, forward, deliver, distribute, circulate,
share, dispatch, transmit, pass on, pass along, mail out, email out, write, write to, write an email
to, write a mail to, notify, inform, tell, alert, remind, let know, drop a mail, drop an email,
shoot an email, shoot a mail, message, report, report to, update, get mailed, get emailed,
be mailed, be emailed, be sent, mailed, emailed, sent, go out, go to, goes out, goes to, go by mail,
supply, ping, hand, give, get to, tell by mail, brief
"""

MAILNOUN = """
email blast, mail blast, mass mail, mass email, mailshot, broadcast, round mail, circular,
group mail,
group email, email broadcast,
mail, email, emails, mails, message, by mail, by email, via mail, via email, per mail, per email,
electronic mail, by electronic mail, via electronic mail, in a mail, in an email, as a mail, as an
email, as mail, as email, a mail, an email, through mail, email message, mail message, e mail, one
mail, a single mail, one email, a single email, to my inbox, by e mail
"""

LISTNOUN = """
rest, the rest, remainder, what remains, what is left, selection, extract,
excerpt, compilation, statement, lineup, grid,
table, html table, list, overview, report, digest, rundown, roundup, listing, spreadsheet, summary
table, tabular form, table form, form of a table, form of a list, bullet list, result, results,
answer, outcome, it, them, that, this, these, those, findings, information, info, details, data,
result list, result table, status report, breakdown, compilation, everything, alert, deadline alert,
reminder, notification, notice, update, output, notification mail, version
"""

ROWNOUN = """
people, folks,
rest, the rest, remainder, what remains, what is left, those left, the ones left, remaining ones,
row, entry, record, line, item, one, ones, those, them, thing, result, hit, match, everything,
anything, element, point, position, all, all of them, that, these, what, whatever, data set,
dataset, data row, data, it, they, case
"""

SHEETNOUN = """
sheet, tab, table, worksheet, workbook, spreadsheet, file, csv, csv file, xlsx, excel, excel file,
excel sheet, google sheet, chart, document, list, data, sheet file, tab sheet, register, database
table, table tab, tracker, board, log, page, view
"""

NONE = """
none, nothing, none at all, no one, nothing at all, zero, not any, not a single one, not one,
no hit, no match, no result, no row, no entry, no record, no such, none of them, none of these,
none of those, none of the, nobody
"""

SOONEST = """
most urgent deadline, most pressing deadline, tightest, tightest deadline, most urgent date,
soonest, earliest, nearest, closest, most imminent, next, the soonest, the earliest, the nearest,
the closest, the next
"""
OLDEST = "oldest, the oldest, longest ago"
NEWEST = (
    "latest, newest, most recent, the latest, the newest, the most recent, furthest, the furthest"
)
LARGEST = (
    "largest, biggest, highest, greatest, most valuable, most expensive, the largest, the biggest"
)
SMALLEST = "smallest, lowest, least, cheapest, the smallest, the lowest"

FIRSTPLACE = """
at the very top, at the very beginning, right at the top, very first, up at the top, as the first,
first, at the top, on top, at top, on the top, up top, at the beginning, at the start, to the top,
at the head, in first place, come first, comes first, go first, goes first, going first,
coming first, appear first, be first, is first, are first, listed first, on first place, up front,
be at the top, is at the top, are at the top, go on top, goes on top, come on top, comes on top,
first in line, first in the list, before the others, before the rest, first of all
"""

ASCENDING = """
reach their end date, reaches its end date, reach its end date, reach the end date,
hit their end date, have their end date, meet their end date,
ascending, asc, ascending order, in ascending order, increasing, in increasing order, ascendingly,
upwards, a to z, from a to z, alphabetically, in alphabetical order, alphabetical, upward,
soonest to latest, from soonest to latest, earliest to latest, from earliest to latest,
from the earliest to the latest, from the soonest to the latest, oldest to newest, chronologically,
in chronological order, chronological, chronological order, small to large, low to high, from low to
high, from lowest to highest, lowest to highest, from soonest to furthest, by ascending,
from nearest to furthest, from first to last
"""
DESCENDING = """
descending, desc, descending order, in descending order, decreasing, in decreasing order, z to a,
from z to a, reverse order, in reverse order, newest to oldest, latest to earliest, from latest to
earliest, from the latest to the earliest, high to low, from high to low, highest to lowest, from
highest to lowest, large to small, largest to smallest, reversed, reverse chronological, by
descending, downwards
"""
SORT = """
sort, order, arrange, rank, sorting, ordering, sort order, put in order, list in order, organise,
organize, be sorted, be ordered, sorted, ordered, in order, line up, in the order, in order of,
arranged, with the order, with order, sequence
"""

ENDING = """
end, due, be due, finish, expire, run out, lapse, come due, fall due, become due, become due,
come to an end, be finished, be completed, be over, to be done, terminate, to be finished,
to be completed, need to be done, due date, deadline, wrap up, conclude, complete, mature,
be up, close, reach their end, reach its end, reach the end, run until, be done, done, reach their
deadline, have their deadline, has its deadline, hit their deadline, stop, cease, up for renewal,
end date, coming due, coming to an end, falling due, ending date, finishing date, ends
"""
STARTING = "start, begin, kick off, commence, be started, get going, launch, start date, be begun"
CREATING = """
create, add, receive, come in, arrive, enter, get created, get added, made, registered, sent,
be dated, dated, coming in, came in, arrived
"""

UPCOMING = """
next, coming, following, upcoming, nearest, subsequent, ensuing, very next, immediate next, next
following, days ahead
"""
PAST = "last, past, previous, preceding, recent, most recent, latest"
FULL = "full, whole, entire, complete, calendar, full calendar, complete calendar, whole calendar"
WORKING = "working, work, business, week, bank"

VAGUE = "upcoming, coming, soon, coming up, approaching, near, imminent, shortly, pending"

APPROVE = """
approve, confirm, sign off, sign it off, okay, ok, release, authorise, authorize, agree, accept,
review, check, give my ok, give the go ahead, clear, say yes, validate, approve of, look over,
give my okay, see, have a look, take a look, allow, consent, green light, give the green light
"""
CONSENT = """
approval, confirmation, ok, okay, go ahead, consent, permission, sign off, release, review, check,
green light, agreement, authorisation, authorization, nod, decision, acceptance, signoff, yes
"""

DUPLICATE = """
duplicate, double, doublet, dupe, duplicated, repeat, repetition, duplication, double entry,
duplicate entry, duplicate row, duplicate record, redundancy
"""
PERSON = """
person, people, recipient, addressee, address, email address, mail address, colleague, receiver,
mailbox, individual, reader, man, inbox, member, human, contact, guy, guys, sales guy, sales rep,
sales people, lady, fellow, teammate, team member, stakeholder, party, sales colleague, user
"""
ANYONE = """
anybody, anyone, nobody, no one, noone, none of them, no recipient, no person, not one of them,
no address, no addressee, none of the recipients, none of these people, neither of them
"""
EVERYONE = """
everyone, everybody, each, each one, each person, each recipient, each of them, every person, every
recipient, each address, every address, each of these, each of those, all of them, every one, they
all, each addressee, each of the recipients, each of the three, each of these people
"""
DELETE = """
do not need, not need, do not care about, not care about, do not care for, not interested in,
am not interested in, are not interested in, no interest in, do not need to see, disregard,
drop, remove, skip, ignore, exclude, leave out, leave away, filter out, delete, discard, throw out,
throw away, omit, disregard, take out, strip, cut, get rid of, weed out, sort out, leave aside,
eliminate, avoid, forget, except, hide, not include, not consider, do not include, do not show,
do not consider, do not count, do not list, do not want
"""
BLANK = "empty, blank, missing, unset, not set, not filled, not filled in, absent, null, unknown"

ADDING = """
append, add, write, save, put, log, record, copy, store, insert, enter, move, transfer, export,
be appended, be added, be written, be saved, be stored, be logged
"""
MORE = """
more than, over, above, greater than, higher than, larger than, bigger than, exceed, exceeding,
beyond, in excess of, >
"""
LESS = "less than, below, under, lower than, smaller than, fewer than, beneath, <"
ATLEAST = """
at least, from, not less than, no less than, minimum, a minimum of, not below, greater than or equal
to, >=, starting from, min
"""
ATMOST = """
at most, up to, not more than, no more than, maximum, a maximum of, less than or equal to, <=, max
"""
EQUAL = """
made it to, made it into, have made it to, has made it to, arrived at, moved to, moved into,
got into, progressed to, advanced to, gone to, listed as, shown as, given as, listed with,
bearing, bear, bears, carrying, carry, carries, sitting at, sitting in, sitting on, sits in,
standing at, standing in, stand at, that stand at, now at, now in, located in, positioned at,
classed, ranked, ranked as, having, possessing, possess, is, are, =, ==, equals, equal, equal to,
is equal to, :, being, reads, has the value, of, set to, is set to, marked, marked as, flagged as,
flagged, rated, rated as, labelled, labelled as, tagged, tagged as, classified as, classed as,
must be, should be, has to be, shall be, can be, is one of, are one of, one of, either, is either,
are either, being either, in, is in, with value, of value, with a value of, the value, has value,
stands at, is at, at, says, shows, currently, has, have, holds, was, were, is now, matches, match,
corresponds to, is any of, any of, as, is on, on, level, number, is exactly, exactly, has been set
to, is marked as, are marked as, reached, has reached, have reached, have got to, got to, sits at,
sit at, are at, are in, = or, got, is currently, are set to, has to equal, must equal, should
equal, is equal, reads as, contains the value, has a value of, is number, falls under, belongs to,
who are in, that are in, which are in, are currently in, is currently in, is currently at, are
currently at, are now in, are now at
"""
NEGATION = """
not, no, never, without, except, except for, other than, apart from, besides, but not, excluding
"""
CONTAIN = """
contain, include, mention, have, with, containing, mentioning, featuring, that say, saying, use,
contains the word, contains the words, contain the word, contain the words, contain one of, contain
any of, contain either, speak of, talk about, refer to, with the words, with the word, carry, show,
that talk about, with any of, with one of, any of the words, one of the words, the words, words,
contain at least one of, include the words, has the word, has the words, have the word, say
"""

SAYWORD = """
say, write, reply, answer, respond, report, tell, state, put, show, print, return, give, inform,
notify, let, know, use, read, contain, be, is, should, shall, must, will, would, can, consist, get,
receive, display, mention, have, has, me, us, them, her, him, it, they, he, she, you, everybody,
everyone, people, recipients, note, line, message, body, content, text, word, words, sentence,
single, simply, just, only, please, instead, then, that, saying, reading, stating, containing, with,
of, by, and, so, the, a, an, this, to, for, what, as, in, information, there, those, their, empty,
literally, simple, short, brief, plain, table, out, we, i, want, like, need, one, line, oneliner,
one liner, response, back, up, addressed, value, phrase, string, fallback, notice, going, goes, go
"""
ROLEWORD = """
boss, manager, team, supervisor, chief, colleague, director, management, accountant, assistant,
secretary, sales, marketing, support, finance, hr, legal, ceo, cfo, cto, office, department, staff,
customer, client, coworker, supplier, vendor, partner, salesperson, salespeople, sales person,
owner, assignee, project lead, team lead, project manager, lawyer, group
"""

LONGEST = 8  # words in a phrase
_ALL = [
    ("FILLER", lexicon_glue.FRAMING),
    ("MAILNOUN", lexicon_glue.MAILKINDS),
    ("LISTNOUN", lexicon_glue.TABLEKINDS),
] + [
    (name, text)
    for name, text in globals().items()
    if name.isupper() and isinstance(text, str) and not name.startswith("_")
]


@cache
def phrases() -> dict[tuple[str, ...], frozenset[str]]:
    """Return the tags of every phrase, by the stems of its words."""
    found: dict[tuple[str, ...], frozenset[str]] = {}
    for tag, text in _ALL:
        for phrase in text.split(","):
            key = tuple(stem(word) for word in phrase.split())
            if key:
                found[key] = found.get(key, frozenset()) | {tag}
    return found


@cache
def words() -> frozenset[str]:
    """Return every single word that some phrase has."""
    return frozenset(
        word for _, text in _ALL for phrase in text.split(",") for word in phrase.split()
    )
