"""Named bounds on everything that callers can send or the ledger can hold."""

NANO_USD_PER_USD = 10**9

#: The largest cost of one charge or adjustment, in nano-USD: a million dollars.
COST_NANO_USD_MAX = 10**15
#: The largest amount of a limit, in nano-USD: a billion dollars.
LIMIT_AMOUNT_MAX = 10**18
#: A command that would take a counter above this is refused, without affecting others. An int64 ends at 9.22·10^18.
COUNTER_MAX = 9 * 10**18

#: Bytes of UTF-8 in an id (project, budget, model).
ID_BYTES_MAX = 256
REQUEST_ID_CHARACTERS_MAX = 64
LABELS_MAX = 64
LABEL_KEY_CHARACTERS_MAX = 63
LABEL_VALUE_CHARACTERS_MAX = 256
REASON_CHARACTERS_MAX = 256

#: Models that a budget counts separately in one window; all others are summed under OTHER_MODELS.
MODELS_PER_WINDOW_MAX = 200
OTHER_MODELS = "_other"

#: Levels of budgets, from a root down to its lowest descendant.
DEPTH_MAX = 8
LIMITS_MAX = 32
MODEL_PATTERNS_MAX = 64
ALERT_RATIOS_MAX = 16
ALERT_RATIO_MAX = 10.0
ADDITIONAL_BUDGETS_MAX = 16
#: Budgets that one charge or hold may count on, ancestors included.
TOUCHED_BUDGETS_MAX = 64

BATCH_ITEMS_MAX = 8_000
#: Provider requests that all usages of one batch may sum up together: each request is priced by itself.
BATCH_USAGE_REQUESTS_MAX = 8_000
CHAT_MESSAGES_MAX = 10_000
#: Provider requests that one usage may sum up.
USAGE_REQUESTS_MAX = 64
PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 1_000

#: How far a caller's event time may be from the server's clock.
EVENT_AGE_MAX_US = 35 * 86_400 * 1_000_000
EVENT_LEAD_MAX_US = 5 * 60 * 1_000_000

#: How long a hold is kept if the caller gives no TTL.
TTL_DEFAULT_US = 600 * 1_000_000
TTL_US_MIN = 1_000_000
TTL_US_MAX = 86_400 * 1_000_000

#: Servers whose clocks differ by at most this do not roll a shorter window back and forth, from zero each time.
CLOCKS_APART_US_MAX = 10 * 1_000_000

US_PER_SECOND = 1_000_000
US_PER_HOUR = 3_600 * US_PER_SECOND
#: The longest provider, service tier or region of a call.
TERM_CHARACTERS_MAX = 64
#: How many paths of a provider's answer a charge may name as unread, and the longest of them.
UNREAD_FIELDS_MAX = 16
UNREAD_FIELD_CHARACTERS_MAX = 128
