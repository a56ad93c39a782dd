"""Settings of the engine: switches, limits, notices."""

from pilot.settings.definitions import Definition

SWITCHES = "Switches"
LIMITS = "Engine limits"
APPROVALS = "Approvals"
NOTIFICATIONS = "Notifications"
RETENTION = "Retention"
PRIVACY = "Privacy"

DEFINITIONS = (
    Definition(
        "pilot_enabled",
        bool,
        False,
        SWITCHES,
        "Run pilot steps",
        "On: agents run their pilot steps. Off: agents run as the simple loop of one model "
        "step, executions of pilot steps pause at the next step.",
    ),
    Definition(
        "pilot_max_steps",
        int,
        50,
        LIMITS,
        "Steps in a workflow",
        "A workflow with more steps, nested ones counted, cannot be saved.",
        "steps",
        1,
        500,
    ),
    Definition(
        "pilot_max_parallel_steps",
        int,
        3,
        LIMITS,
        "Steps at the same time",
        "How many steps of one execution run at once, unless its workflow says otherwise.",
        "steps",
        1,
        64,
    ),
    Definition(
        "pilot_max_items",
        int,
        10_000,
        LIMITS,
        "Items of a loop or scatter",
        "A loop or scatter over more items fails before its first one; nothing is left out.",
        "items",
        1,
        100_000,
    ),
    Definition(
        "pilot_max_running_per_owner",
        int,
        200,
        LIMITS,
        "Running executions per owner",
        "An owner's further executions stay queued until one of these ends.",
        "executions",
        1,
        10_000,
    ),
    Definition(
        "pilot_step_cache",
        bool,
        True,
        SWITCHES,
        "Take results of before",
        "On: steps with a cache take an equal result that is young enough. Off: every step asks.",
    ),
    Definition(
        "plugin_reconnect_wait_days",
        int,
        7,
        LIMITS,
        "Waiting for a connection",
        "A step whose connection is refused waits so long until somebody mends it; 0: it fails.",
        "days",
        0,
        90,
    ),
    Definition(
        "pilot_effects_approval",
        str,
        "none",
        APPROVALS,
        "Effects that need an approval",
        "A workflow without an approval before each of them is neither saved nor started: all "
        "effects, or the external ones, which may reach others than the internal domains. The "
        "policy effects_approval of a workflow can only be stricter.",
        choices=("none", "external", "all"),
    ),
    Definition(
        "pilot_internal_domains",
        list,
        [],
        APPROVALS,
        "Internal domains",
        "What goes to addresses and hosts of these domains, and of those below them, is not "
        "external. Whom only an execution can tell is outside.",
        maximum=50,
        of_domains=True,
    ),
    Definition(
        "notify_by_local_mail",
        bool,
        False,
        NOTIFICATIONS,
        "Tell approvers by mail on this machine",
        "On: who is asked for an approval gets a mail in the local mailbox of that address, "
        "below the agent's owner. Off: they see it in the console only.",
    ),
    Definition(
        "redact_pii",
        bool,
        False,
        PRIVACY,
        "Hide personal data",
        "On: mail addresses, telephone, account (IBAN) and card numbers are hidden in whatever is "
        "written from then on: audit, timeline, logs, prompts, errors, exports, notices. Inputs "
        "and outputs of steps stay. Every process follows within 5 seconds.",
    ),
    Definition(
        "retention_execution_days",
        int,
        90,
        RETENTION,
        "Timelines and outputs",
        "How long timeline, inputs and outputs of the steps of an ended execution are kept; its "
        "costs, statuses and audit records stay.",
        "days",
        1,
        3_650,
    ),
    Definition(
        "retention_call_days",
        int,
        400,
        RETENTION,
        "Calls to models",
        "Older calls are deleted by whole days; the sums of each day stay, so costs of old months "
        "stay true.",
        "days",
        31,
        3_650,
    ),
    Definition(
        "retention_audit_days",
        int,
        365,
        RETENTION,
        "Audit records",
        "Older records are emptied; the chains still verify.",
        "days",
        30,
        3_650,
    ),
    Definition(
        "retention_critical_days",
        int,
        2_555,
        RETENTION,
        "Critical audit records",
        "The same for records of severity critical.",
        "days",
        30,
        3_650,
    ),
    Definition(
        "retention_session_days",
        int,
        30,
        RETENTION,
        "Sessions",
        "Ended sessions, with address and browser, are deleted after so long.",
        "days",
        1,
        365,
    ),
)
