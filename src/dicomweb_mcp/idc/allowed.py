"""What SQL of a stranger may consist of, by the names that DuckDB gives to the parts of a parsed statement."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ORDERS = _words("ORDER_DEFAULT ASCENDING DESCENDING")
NODES = ORDERS | _words("""
    SELECT_NODE SET_OPERATION_NODE BASE_TABLE JOIN SUBQUERY EMPTY EXPRESSION_LIST TABLE_FUNCTION SHOW_REF
    COLUMN_REF STAR POSITIONAL_REFERENCE VALUE_CONSTANT FUNCTION TYPE CASE_EXPR OPERATOR_CAST
    COMPARE_EQUAL COMPARE_NOTEQUAL COMPARE_LESSTHAN COMPARE_GREATERTHAN COMPARE_LESSTHANOREQUALTO
    COMPARE_GREATERTHANOREQUALTO COMPARE_IN COMPARE_NOT_IN COMPARE_BETWEEN COMPARE_NOT_BETWEEN COMPARE_DISTINCT_FROM
    COMPARE_NOT_DISTINCT_FROM CONJUNCTION_AND CONJUNCTION_OR OPERATOR_NOT OPERATOR_IS_NULL OPERATOR_IS_NOT_NULL
    OPERATOR_COALESCE OPERATOR_NULLIF ARRAY_EXTRACT ARRAY_SLICE STRUCT_EXTRACT GROUPING_FUNCTION
    ORDER_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER DISTINCT_MODIFIER
    WINDOW_AGGREGATE WINDOW_ROW_NUMBER WINDOW_RANK WINDOW_RANK_DENSE WINDOW_PERCENT_RANK WINDOW_CUME_DIST WINDOW_NTILE
    WINDOW_LEAD WINDOW_LAG WINDOW_FIRST_VALUE WINDOW_LAST_VALUE WINDOW_NTH_VALUE
""")
TYPES = _words("""
    VARCHAR TEXT STRING CHAR BPCHAR INTEGER INT INT2 INT4 INT8 SIGNED LONG BIGINT SMALLINT SHORT TINYINT UINTEGER
    UBIGINT USMALLINT UTINYINT HUGEINT DOUBLE FLOAT FLOAT4 FLOAT8 REAL DECIMAL NUMERIC BOOLEAN BOOL DATE TIME TIMESTAMP
    DATETIME INTERVAL
""")

BULKY = _words("list array_agg string_agg group_concat listagg")
"""Aggregates whose result may hold a whole column."""
LIKES = _words("~~ !~~ ~~* !~~* ~~~ like_escape not_like_escape ilike_escape not_ilike_escape")
SEARCHES = _words("""
    contains position strpos instr replace string_split str_split split string_to_array regexp_matches regexp_full_match
    regexp_extract regexp_replace
""")
"""Searches of one text in another, whose arguments have rules."""
_AGGREGATES = _words("""
    count count_star sum avg mean min max median mode any_value first last arg_min arg_max min_by max_by bool_and
    bool_or stddev stddev_samp stddev_pop variance var_samp var_pop corr quantile quantile_cont quantile_disc
    approx_count_distinct count_if
""")
_WINDOWS = _words("row_number rank dense_rank percent_rank cume_dist ntile lead lag first_value last_value nth_value")
_TEXTS = _words("""
    lower upper lcase ucase trim ltrim rtrim length len strlen substring substr left right split_part reverse
    starts_with ends_with prefix suffix ^@ || concat concat_ws
""")
_NUMBERS = _words("""
    + - * / // % ** ^ abs ceil ceiling floor round trunc sqrt ln log log2 log10 exp power pow sign mod greatest least
    isnan isinf isfinite hash
""")
_DATES = _words("""
    date_part datepart date_trunc datetrunc date_diff datediff date_sub date_add year month day quarter week dayofweek
    dayofyear isoyear yearweek hour minute second strftime strptime try_strptime make_date last_day age epoch today now
    current_date get_current_timestamp to_years to_months to_weeks to_days to_hours to_minutes to_seconds
""")
_LISTS = _words("""
    list_distinct list_unique list_sort array_sort list_position array_position list_min list_max list_sum list_avg
    list_count list_any_value
""")
_VALUES = _words("""
    coalesce ifnull nullif if typeof list_value row unnest struct_extract list_contains list_has array_contains
    array_has list_extract list_element array_extract array_length array_to_string
""")
FUNCTIONS = BULKY | LIKES | SEARCHES | _AGGREGATES | _WINDOWS | _TEXTS | _NUMBERS | _DATES | _LISTS | _VALUES
"""Left out is what makes long values of numbers (repeat, lpad, range), what reads, and what tells of the machine."""
COSTLY = BULKY | SEARCHES | _LISTS | _words("row list_value")
"""Not for the result of BULKY: a single call would take minutes or gigabytes."""
MOST_ARGUMENTS = {"min": 1, "max": 1, "arg_min": 2, "arg_max": 2, "min_by": 2, "max_by": 2}
"""With one more they are lists of so many values."""
BY_NAME = frozenset(name for name in FUNCTIONS if name.isidentifier() and not name.endswith("_escape"))
"""Those that are written as functions."""
