"""Rules for whether today counts among the days of a window."""

from pilot.engine.planner.chart import Rule, rule
from pilot.engine.planner.facts import Today, Unable

_LEFT_OUT = """not|without|excluding|exclude|excludes|except|excl|minus|skip|skipping|ignore|
    ignoring|leaving|leave|besides|disregarding|disregard|omit|omitting|bar|barring"""
_COUNTING = """counting|count|counts|counted|including|include|included|incl|considering|starting|
    start|from|itself|be|to|is|on|for|with|of|beginning|as|part|the"""

TODAYS: list[Rule] = [
    rule(
        "TODAY",
        f"but|and|so|,? {_LEFT_OUT}+ {_COUNTING}* today itself|out|aside?",
        Today(counts=False),
    ),
    rule(
        "TODAY",
        "but|and|so|,|(|with? today itself being? excluded|exempt|omitted|skipped|out )?",
        Today(counts=False),
    ),
    rule(
        "TODAY",
        """so|but|and|where|,? today itself? is|does|should|must|shall|will|has|to|may|be|
        itself|would|can* not|excluded|exempt|out|excepted|omitted|aside|never+
        count|counted|included|include|to|be|of|considered|part|one|them|these|those|it|
        meant|taken|into|account|in|the|range|window|wanted|relevant|days|three|interesting|
        does|do*""",
        Today(counts=False),
    ),
    rule("TODAY", "today is|not* excluded|out|exempt|omitted", Today(counts=False)),
    rule(
        "TODAY",
        """starting|beginning|counting|start|begin|counted|onwards|as|of|so|i|e|count+
        from|with|at|on|of|as? tomorrow on|onwards|onward?""",
        Today(counts=False),
    ),
    rule("TODAY", "from tomorrow on|onwards|onward?", Today(counts=False)),
    rule("TODAY", "after|beyond|past today", Today(counts=False)),
    rule("TODAY", "later|further than today", Today(counts=False)),
    rule(
        "TODAY",
        """but|and|,|-|as|since|because* ENTITY|ROWNOUN|anything|whatever|those|ones|the|that|
        which|is|are* ENDING today itself? is|are|would|be|will* too|already|no|not|of|longer|
        past+ late|irrelevant|relevant|interest|interesting|useful|helpful|help|use already?""",
        Today(counts=False),
    ),
    rule(
        "TODAY",
        f"""but|and|,? {_LEFT_OUT}+ those|the|any|ones|what|ENTITY|ROWNOUN|that|which|are* ENDING
        today""",
        Today(counts=False),
    ),
    rule(
        "TODAY",
        "including|include|incl|counting|with|plus|and|also today itself?",
        Today(counts=True),
    ),
    rule(
        "TODAY",
        """today itself? is|does|should|counts|included|inclusive|too|also|count|be|included+
        included|inclusive|too|also|counts|counted|as|well*""",
        Today(counts=True),
    ),
    rule(
        "TODAY",
        "starting|beginning|from|start|counting with|from|on|as|of* today on|onwards|onward?",
        Today(counts=True),
    ),
    rule(
        "UNABLE",
        "in? DET* few|several|some f=FULL? UNIT",
        Unable("a number of days", "Say how many days you mean."),
    ),
]
