"""One SELECT over the tables of the index and nothing else: what SQL of a stranger may consist of.

Everything is allowed by name: nodes of the parsed statement, functions, types, tables. What is bounded beyond that is
what no interruption reaches: the growth of a statement while it is planned, and single calls that run for minutes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from .allowed import BULKY, BY_NAME, COSTLY, FUNCTIONS, LIKES, MOST_ARGUMENTS, NODES, ORDERS, SEARCHES, TYPES
from .elsewhere import unknown_table
from .index import IndexProblem, Session
from .wheel import tables

LONGEST_SQL = 10_000  # characters
MOST_NODES = 20_000  # of the parsed statement, with aliases and common table expressions written out
BULK = 1_000  # what a value counts that may hold a whole column
MOST_TABLES = 30
MOST_PATTERNS = 60  # calls that search in texts
LONGEST_PATTERN = 200  # characters of a regular expression

MADE_OF_COLUMNS = "list, array_agg or string_agg"
SPLITTING = "Split such work into several questions."

Node = Mapping[str, Any]
Weights = dict[str, int]


def check(session: Session, sql: str) -> None:
    """Raises IndexProblem for whatever is not one SELECT over the tables of the index, with what to do instead."""
    if len(sql) > LONGEST_SQL:
        raise IndexProblem(f"The SQL has {len(sql):,} characters; at most {LONGEST_SQL:,} are taken. {SPLITTING}")
    try:
        _Statement().query(_parsed(session, sql), _Scope())
    except RecursionError:
        raise IndexProblem(f"The SQL is nested too deeply. {SPLITTING}") from None


def _parsed(session: Session, sql: str) -> Node:
    """The one query of the statement, as DuckDB parses it."""
    _, [[written]] = session.table("SELECT json_serialize_sql(?::VARCHAR)", [sql])
    parsed = json.loads(written)
    if parsed["error"]:
        raise IndexProblem(_why_not(parsed, sql))
    if len(parsed["statements"]) != 1:
        raise IndexProblem("Send exactly one SELECT statement.")
    query: Node = parsed["statements"][0]["node"]
    return query


def _why_not(parsed: Node, sql: str) -> str:
    if parsed.get("error_type") == "not implemented":
        return "Only SELECT is offered (also WITH, FROM, DESCRIBE, SUMMARIZE, SHOW TABLES): the index is read-only."
    place = str(parsed.get("position", ""))
    near = f", near: {sql[int(place) : int(place) + 40]!r}" if place.isdecimal() else ""
    said = str(parsed["error_message"]).partition(' Use "SET')[0]
    return f"The SQL cannot be parsed (DuckDB's dialect): {said[:300]}{near}."


@dataclass
class _Scope:
    """What names stand for at a place: common table expressions, and columns with the size of their expressions."""

    views: dict[str, tuple[int, Weights]] = field(default_factory=dict)
    columns: Weights = field(default_factory=dict)

    def within(self, columns: Weights) -> "_Scope":
        return _Scope(dict(self.views), {**self.columns, **columns})

    def column(self, names: list[str]) -> int:
        """The size of a column; of one whose name is not known, such as ``(a || b)``, the greatest that there is."""
        known = [self.columns[name] for name in map(str.casefold, names) if name in self.columns]
        if known or names[-1].casefold() in _own_columns():
            return max(known, default=1)
        return max(self.columns.values(), default=1)


class _Statement:
    """A walk over the parsed statement: each part is allowed, and has a size with everything it refers to written out.

    DuckDB writes aliases and common table expressions out while it plans, where no interruption reaches it."""

    def __init__(self) -> None:
        self._searches = 0
        self._tables = 0
        self._unnests = 0

    def query(self, node: Node, scope: _Scope) -> tuple[int, Weights]:
        """The size of a query, and those of its columns."""
        scope = scope.within({})
        size = 1
        for entry in node.get("cte_map", {}).get("map", []):
            view = entry["value"]
            weight, columns = self.query(view["query_node"], scope)
            size += self.size({key: value for key, value in view.items() if key != "query_node"}, scope)
            scope.views[entry["key"].casefold()] = weight, _renamed(columns, view["aliases"])
        if node["type"] == "SELECT_NODE":
            weight, columns = self._select(node, scope)
        elif node["type"] == "SET_OPERATION_NODE":
            weight, columns = self._set_operation(node, scope)
        else:
            raise _not_offered(node["type"])
        return self._bounded(size + weight), columns

    def _select(self, node: Node, scope: _Scope) -> tuple[int, Weights]:
        size, given = self.table(node["from_table"], scope)
        inner = scope.within(given)
        columns: Weights = {}
        unnests = self._unnests
        for item in node["select_list"]:
            weight = self.size(item, inner)
            if item["type"] == "STAR":
                columns.update(given)
            else:
                size += weight
                name = (item["alias"] or item.get("column_names", [""])[-1]).casefold()
                columns[name] = max(weight, columns.get(name, 0))
                if item["alias"]:  # what follows may refer to it
                    inner.columns[name] = max(weight, inner.columns.get(name, 0))
        if self._unnests > unnests and max({**given, **columns}.values(), default=1) >= BULK:
            raise IndexProblem(f"unnest is not offered beside what {MADE_OF_COLUMNS} made: work on rows instead.")
        done = ("type", "cte_map", "from_table", "select_list")
        return size + self.size({key: value for key, value in node.items() if key not in done}, inner), columns

    def _set_operation(self, node: Node, scope: _Scope) -> tuple[int, Weights]:
        parts = node.get("children") or [node["left"], node["right"]]
        found = [self.query(part, scope) for part in parts]
        names = {name for _, columns in found for name in columns}
        greatest = max((weight for _, columns in found for weight in columns.values()), default=1)
        columns = dict.fromkeys([*names, *(_own_columns() if greatest > 1 else ())], greatest)
        done = ("type", "cte_map", "left", "right", "children")
        rest = {key: value for key, value in node.items() if key not in done}
        return sum(weight for weight, _ in found) + self.size(rest, scope.within(columns)), columns

    def table(self, node: Node, scope: _Scope) -> tuple[int, Weights]:
        """The size of what stands in FROM, and those of its columns."""
        kind = node["type"]
        if kind == "BASE_TABLE":
            weight, columns = self._base_table(node, scope)
        elif kind == "SUBQUERY":
            weight, columns = self.query(node["subquery"]["node"], scope)
        elif kind == "JOIN":
            left, columns = self.table(node["left"], scope)
            right, more = self.table(node["right"], scope.within(columns))
            columns = {name: max(columns.get(name, 1), more.get(name, 1)) for name in {**columns, **more}}
            if max(columns.values(), default=1) >= BULK:
                raise IndexProblem(f"What {MADE_OF_COLUMNS} made cannot be joined: join first, aggregate last.")
            rest = {key: value for key, value in node.items() if key not in ("type", "left", "right")}
            weight = left + right + self.size(rest, scope.within(columns))
        elif kind == "SHOW_REF":
            weight, columns = self._shown(node, scope)
        elif kind == "TABLE_FUNCTION":
            if node["function"]["function_name"].casefold() != "unnest":
                raise _not_offered_in_from(node["function"]["function_name"])
            weight = self.size(node["function"], scope)
            columns = {"unnest": weight}
        elif kind in ("EMPTY", "EXPRESSION_LIST"):
            weight, columns = self.size({**node, "type": None}, scope), {}
        else:
            raise _not_offered(kind)
        columns = _renamed(columns, node.get("column_name_alias") or [])
        if node.get("alias"):  # the row as a whole
            columns = {**columns, node["alias"].casefold(): max(columns.values(), default=1)}
        return self._bounded(weight), columns

    def _base_table(self, node: Node, scope: _Scope) -> tuple[int, Weights]:
        name = node["table_name"]
        self._tables += 1
        if self._tables > MOST_TABLES:
            raise IndexProblem(f"More than {MOST_TABLES} tables in one statement are not taken. {SPLITTING}")
        if node["schema_name"] or node["catalog_name"] or node.get("at_clause"):
            raise IndexProblem(f"Write the table {name[:60]} alone, without schema, catalogue or version.")
        if name.casefold() in scope.views:
            weight, columns = scope.views[name.casefold()]
            return weight + 1, dict(columns)
        table = tables().get(name.casefold())
        if table is None or table.path is None:
            raise IndexProblem(unknown_table(name))
        return 1, {}

    def _shown(self, node: Node, scope: _Scope) -> tuple[int, Weights]:
        if node["query"] and node["show_type"] in ("DESCRIBE", "SUMMARY"):
            return self.query(node["query"], scope)[0], {}
        if node["table_name"] == '"tables"':
            return 1, {}
        raise IndexProblem("Of this kind there are SHOW TABLES, DESCRIBE table and SUMMARIZE table.")

    def size(self, node: Any, scope: _Scope) -> int:
        """The size of an expression, or of whatever else is written there; raises for what is not allowed."""
        if isinstance(node, list):
            return self._bounded(sum(self.size(item, scope) for item in node))
        if not isinstance(node, Mapping):
            return 0
        kind = node.get("type")
        if isinstance(kind, str) and kind not in NODES:
            raise _not_offered(kind)
        if kind == "SUBQUERY":
            query, _ = self.query(node["subquery"]["node"], scope)
            if query >= BULK:
                raise IndexProblem(f"What {MADE_OF_COLUMNS} made cannot be used in a subquery in an expression.")
            return self._bounded(query + self.size({**node, "type": None, "subquery": None}, scope))
        if kind == "COLUMN_REF":
            return scope.column(node["column_names"])
        if kind == "POSITIONAL_REFERENCE":
            return max(scope.columns.values(), default=1)
        if kind in ORDERS and node["expression"]["type"] == "STAR" and not node["expression"]["expr"]:
            return 1  # ORDER BY ALL
        if kind == "STAR" and (node["columns"] or node["expr"] or node["replace_list"] or node["rename_list"]):
            raise IndexProblem("Of * only EXCLUDE is offered, not COLUMNS, LIKE, REPLACE or RENAME: name the columns.")
        if kind == "TYPE" and node["type_name"].upper() not in TYPES:
            raise IndexProblem(
                f"The type {node['type_name'][:40]} is not offered; these are: {', '.join(sorted(TYPES))}."
            )
        if kind == "STAR":  # in an expression it stands for every column
            return 1 + sum(scope.columns.values())
        size = self._bounded(1 + sum(self.size(value, scope) for value in node.values()))
        return self._bounded(size + self._function(node, size)) if "function_name" in node else size

    def _function(self, node: Node, size: int) -> int:
        """What the result of a call counts beyond its arguments; raises where the call is not allowed."""
        name = node["function_name"].casefold()
        arguments = [argument["expression"] for argument in node.get("arguments", [])]
        if name not in FUNCTIONS or node.get("schema") or node.get("catalog"):
            raise _function_not_offered(node["function_name"])
        if len(arguments) > MOST_ARGUMENTS.get(name, len(arguments)):
            raise IndexProblem(f"{name} is offered with {MOST_ARGUMENTS[name]} arguments at most.")
        self._unnests += name == "unnest"
        if name in SEARCHES | LIKES:
            self._searches += 1
            if self._searches > MOST_PATTERNS:
                raise IndexProblem(f"More than {MOST_PATTERNS} searches in texts are not taken. {SPLITTING}")
        if name in SEARCHES:
            _check_search(name, arguments)
        is_window = node["type"].startswith("WINDOW_")
        if size >= BULK and (name in COSTLY or is_window):
            raise IndexProblem(f"{name} is not offered on what {MADE_OF_COLUMNS} made: work on rows instead.")
        if name in BULKY and is_window:
            raise IndexProblem(f"{name} is not offered as a window: use GROUP BY.")
        return BULK if name in BULKY else 0

    @staticmethod
    def _bounded(size: int) -> int:
        if size > MOST_NODES:
            raise IndexProblem(f"The SQL is too large with its aliases and WITH parts written out. {SPLITTING}")
        return size


def _check_search(name: str, arguments: list[Node]) -> None:
    """A search is for a text that is written there; a replacement makes nothing longer."""
    texts = [_constant(argument) for argument in arguments[1:]]
    if not texts or texts[0] is None or not texts[0]:
        raise IndexProblem(f"{name} needs the text to search for written as a constant that is not empty.")
    if name.startswith("regexp") and (len(texts[0]) > LONGEST_PATTERN or "{" in texts[0]):
        raise IndexProblem(f"Regular expressions have at most {LONGEST_PATTERN} characters, and no counts in braces.")
    if name == "regexp_replace" and texts[1:2] != [""]:
        raise IndexProblem("regexp_replace is offered for removing only: its third argument is ''.")
    if name == "replace" and (texts[1:2] in ([], [None]) or len(texts[1] or "") > len(texts[0])):
        raise IndexProblem("replace needs a replacement that is a constant, not longer than what it replaces.")


def _constant(node: Node) -> str | None:
    """The text of a constant; None of anything else."""
    if node["type"] != "VALUE_CONSTANT":
        return None
    return str(node["literal"].get("text", ""))


def _renamed(columns: Weights, names: list[str]) -> Weights:
    """Columns under other names; which of them is which does not matter, the greatest counts."""
    greatest = max(columns.values(), default=1)
    return {**columns, **{name.casefold(): greatest for name in names}}


def _own_columns() -> frozenset[str]:
    return frozenset(name.casefold() for table in tables().values() if table.path for name in table.columns)


def _not_offered(kind: str) -> IndexProblem:
    if "RECURSIVE" in kind:
        return IndexProblem("Recursive queries are not offered.")
    words = kind.removeprefix("VALUE_").removesuffix("_NODE").lower().replace("_", " ")
    return IndexProblem(
        f"This part of SQL is not offered: {words[:60]}. Plain SELECT, joins, WITH, windows and CASE are."
    )


def _not_offered_in_from(name: str) -> IndexProblem:
    there = ", ".join(table.name for table in tables().values() if table.path)
    return IndexProblem(f"{name[:60]} is not offered in FROM; there are unnest(...) and the tables {there}.")


def _function_not_offered(name: str) -> IndexProblem:
    near = get_close_matches(name.casefold(), BY_NAME, n=3)
    hint = f" Near it: {', '.join(near)}." if near else ""
    return IndexProblem(f"The function {name[:60]} is not offered.{hint} Offered: {', '.join(sorted(BY_NAME))}.")
