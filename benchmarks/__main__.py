"""Every benchmark, each in a process of its own, and their figures in one table."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from .side_by_side import figures_of, table

NAMES = (
    "start",
    "search",
    "many_rows",
    "metadata",
    "folder",
    "pictures",
    "preview",
    "slides",
    "slide_metadata",
    "store",
    "retrieve",
    "decoders",
    "idc_index",
)

if __name__ == "__main__":
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        figures = [figure for found in pool.map(figures_of, NAMES) for figure in found]
    print(table(figures))
