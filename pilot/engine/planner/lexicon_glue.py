"""More words that carry no wish: how people frame a request, praise it, hurry it and close it."""

FRAMING = """
before that, before this, before doing so, prior to that,
content is, the content is, contents are, body is, format is, output is, the user, a user,
the people below, the persons below, the addresses below, the recipients below,
the people listed, the people named, the following recipients,
it would be a great help if, would be a great help if, be a great help if, be a big help if,
a great help, a big help, if you mailed, if so, alternatively, this question, question, are there,
is there, are there any, in their inbox, in their inboxes, in their mailbox, to their inbox,
into their inboxes, with headers, with column headers, with a header row, including headers,
not as an attachment, not as attachment, no attachment, no attachments, without attachment,
without attachments, not attached, meant, intended, destined, directed, their addresses,
addresses are, here are the addresses, out of scope,
to whom it may concern, end up in, ends up in, end up, ends up, should end up in, both inclusive,
inclusive of both, both days included, both included, both ends included, inclusively,
as you can imagine, my way, get started, go ahead and, feel free to, be free to, in one go,
in a single go,
listen, so basically, basically what, anyhow, by the way, fyi, btw, please note, be informed, be
aware, for info, for information, for your information, obviously, if anything, at any rate, at all
times, in general, in essence, in short, in brief, long story short, put simply, simply put, to be
clear, to be exact, to be honest, to be sure, just to be clear, just to be safe, to be safe, for
clarity, for reference, for convenience, for completeness, for good measure, as such, as it were,
as a matter of fact, and so on, that is it, that is all, this is all, this is it, that would be
all, that will be all, nothing else, nothing more, nothing fancy, nothing special, nothing
complicated, no frills, no rush, no hurry, no worries, no problem, no more no less, no more and no
less, nothing more nothing less, job done, simple as that, and done, in advance, thanks in advance,
thank you in advance, thanks a lot, thanks a million, thank you very much, thank you so much,
thanks so much, much appreciated, greatly appreciated, appreciated, many thanks in advance,
thanking you, with thanks, have a nice day, have a great day, have a good day, have a nice weekend,
nice day, talk soon, yours, sincerely, yours sincerely, yours truly, yours faithfully, faithfully,
best wishes, warm regards, with kind regards, with best regards, all the best, take care of this,
warm wishes, greetings, sincere regards, would be best, would be perfect, would be great, would be
ideal, would be fine, would be nice, would be lovely, would be good, would be helpful, would be
useful, would be enough, would be ok, would be okay, would be appreciated, would be wonderful,
would be cool, would be super, would help, would work, would suffice, is fine, is ok, is okay, is
good, is perfect, is enough, is sufficient, is all i need, is all we need, will be fine, will be
enough, will be perfect, be great, be perfect, be ideal, be fine, be lovely, be good, be helpful,
be useful, be good to have, be good enough, good enough, be sufficient, be handy, be wonderful, be
super, super, perfect, ideal, lovely, wonderful, excellent, handy, useful, helpful, sufficient,
enough, works for me, works for us, works best, do the job, does the job, do the trick, does the
trick, it is necessary, it is needed, it is required, it is asked, it is requested, it is wanted,
necessary to, asked to, needed, wanted, demanded, aims, intention, mission, request, requests, my
request, ask you, ask you for, asking you, beg, would ask, would ask you, may i ask, may i ask you,
could i ask you, can i ask you, can i have, could i have, may i have, can i get, could i get, can
we have, can we get, could we have, could we get, is it possible, is it possible to, is there a
way, is there a way to, any chance, if you would, if you could, if you can, if you wish, if you
will, if you like, if that is possible, if that works, if that is ok, if that is okay, if it is
possible, if that makes sense, if i may, if i may ask, when you have a moment, when you have time,
when you get a chance, when you can, once you have time, every time i run this, each run, every
run, for each run, at each run, on every run, with each run, upon each run, per run, at every run,
when run, when i run it, when it runs, when this runs, when started, when i start it, whenever it
runs, whenever i run it, whenever this runs, whenever i start it, each time it is started, every
time it is started, upon request, the system, the workflow, the automation, the bot, the agent, the
tool, the program, the script, the flow, the process, the robot, the computer, the software, the
app, the assistant, the planner, a workflow, an automation, a flow, a process, a routine, a script,
a bot, an agent, a tool, a job, a program, a procedure, workflow, automation, system, machine, set
up, setup, configure, automate, automated, automation that, something that, it so that, such that,
in such a way, in a way that, in this way, that way, like this, like that, this way, as described,
as below, as above, as stated, as shown, according to this, per below, see below, the below, the
above, above mentioned, abovementioned, mentioned above, the said, said, listed above, in the
following way, the following way, the following things, the following steps, steps, in steps, step
by step, row by row, one by one, line by line, by hand, manually, in the process, whichever,
whatever, whoever, whomever, each of which, all of which, of which, in which, in whom, wherever,
therefore, hence, consequently, as a result, as a consequence, in consequence, that said, having
said that, meanwhile, moreover, furthermore, besides that, in addition, additionally to this, on
top of that, next up, up next, after this, after which, upon which, whereupon, thereupon,
subsequently, once done, once that is done, when done, when that is done, when finished with that,
when you are done, once you are done, having done that, having done this, from there, from these,
from those, from them, out of these, out of those, out of them, of these, of those, of them, what i
need, what we need, what i want, what we want, what is needed, what is wanted, what i am after,
what i am looking for, what i would like, what we would like, what i would need, need help, need
some help, help me, help me out, help us, give me a hand, lend a hand, support me, do me a favour,
do me a favor, a favour, a favor, kindness, be a dear, if you do not mind, do you mind, would you
mind, arrange, arrange that, arrange for, organise that, organize that, see that, see to it, take
care to, make it so, have it, have them, have this, have someone, get it, get them, get this, in
time, on time, timely, in good time, in due time, duly, at the right time, fast, quickly please,
fresh, freshly, up to date, latest version, latest state, current state, as of now, as it stands,
of interest, interest me, interests me, interests us, of relevance, that matter, which matter, that
matter to us, that count, of importance, that i care about, we care about, i care about, stuff like
that, things like that, these things, the thing, things, bunch, lot, batch, whole thing, the whole
thing, entire thing, all that, all this, all there is, all those, whole lot, nicely formatted, well
formatted, readable, easy to read, legible, tidy, tidied, tidy up, cleanly, formatted, well
structured, structured, well arranged, well organised, compact, plain, basic, normal, regular,
usual, ordinary, standard, decent, good, good looking, nice looking, pretty, handy little, humble,
modest, brief, minimal, little, tiny, quick and simple, clean and simple, short and sweet, it has
to be, it must be, it needs to be, it should be, it is to be, has to look, should look like, one
more thing, also important, important is, important is that, the important thing is, the point is,
the point is that, the thing is that, the deal is, the trick is, here is the deal, here is what i
need, here is what i want, here is what we need, here is the task, here is my request, here is the
thing, here goes, here you go, as you know, as you may know, you know, you see, i guess, i suppose,
i assume, i presume, i reckon, i gather, i understand, i know, i hear, of course not to forget, not
to forget, bear in mind, keep in mind, mind you, please remember, please mind, mind that, do so,
doing so, do this, do that, do it, do the following, the task is, the job is, your task, your job,
your task is, your job is, your mission, you should, you shall, you need to, you have to, you are
to, you must, you will, you can, you may, you could, i am to, we are to, understandable, at your
leisure, at a glance, on a regular basis, purposes of, ultimately, eventually, in the first place,
to begin with, to start with, for starters, first and foremost, last but not least, all in all, at
long last, to finish, to conclude, to sum up, in conclusion, in summary, to summarise it, overall
then, there you go, voila, et cetera, etc, basta, full stop, over to you, cheers mate, buddy,
folks, there we go, alright, all right, yes, yeah, yep, yup, hmm, well then, okay then, now then,
first thing, first off, second thing, third thing, secondly, thirdly, fourthly, lastly, a last
thing, one last thing, one thing, another thing, two things, three things, few things, i would be
grateful if, be grateful, grateful, i would appreciate it if, appreciate it if, i would be happy
if, would be happy if, would be glad if, would be pleased, pleased, thankful, be thankful, much
obliged, delighted, be delighted, i would love it if, i would like it if, would like it if, it
would be great if, it would be nice if, it would be good if, it would be helpful if, it would be
useful if, it would be best if, it would be cool if, it would be lovely if, it would be ideal if,
it would be perfect if, would be great if, would be nice if, would be good if, would be helpful if,
would be useful if, be useful if, would be lovely if, would be best if, great if, nice if, good if,
i wonder if, i was wondering if, wondering if, was wondering whether, would it be possible, would
it be ok if, would it be okay if, could it be arranged that, i want that, i wish that, i would like
that, i would want that, i need that, we need that, we want that, be so good as, so kind as, be so
kind as to, kind enough, be kind enough to, be good enough to, good enough to, enough to
"""

# Kinds of mails and of tables; none of them says which rows.
MAILKINDS = """
warning mail, warning email, alert mail, alert email, reminder mail, reminder email, heads up mail,
heads up email, notification email, status mail, status email, info mail, info email, information
mail, digest mail, digest email, report mail, report email, overview mail, overview email, deadline
mail, deadlines mail, deadline email, deadlines email, update mail, update email, memo, letter,
letter by mail, newsletter, mailing, electronic letter, e letter, mail letter, mail body, email
body, body of the mail, body of the email, body of the message, body of the letter, mail itself,
email itself, html mail, html email, normal mail, plain mail, plain email, short mail, short email,
single email message, mail notification, email notification, mail alert, email alert, mail
reminder, email reminder, email digest, mail digest, email report, mail report, email update,
warning message, warning, notice, advance notice
"""
TABLEKINDS = """
particulars, specifics, key data, contact details, contact data, full details,
lookahead, look ahead, radar, deadline radar, heads up, heads up table, digest, email digest, task
digest, urgent task digest, deadline digest, deadlines report, deadline report, deadlines digest,
deadlines overview, deadline overview, deadlines list, deadline list, deadlines table, watchlist,
watch list, hot list, hotlist, to do list, todo list, shortlist, short list, preview, snapshot,
recap, briefing, bulletin, agenda, roster, brief, write up, dashboard, file listing, html, html
format, html form, table format, table layout, list format, in table form, tabular, tabular layout,
tabular format, tabular view, tabular overview, formatted table, nice table, plain table, simple
table, small table, compact table, tidy table, neat table, final table, final list, resulting list,
resulting rows, table below, result set, resultset, result rows, output table, data table, task
table, task list, list of tasks table, lead table, lead list, leads table, leads list, leads
report, lead report, leads overview, lead overview, leads digest, task report, tasks report, task
overview, tasks overview, tasks table, tasks list, sheet like table, proper table, clean table,
status table, summary list, collection, inventory, round up, run down, catalogue, statement,
matrix, schedule table, email table
"""
