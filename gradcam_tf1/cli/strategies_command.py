"""`gradcam-tf1 strategies`: what each class of a run looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gradcam_tf1.cli.progress import Progress
from gradcam_tf1.cli.terminal import say, say_page, shown
from gradcam_tf1.images.image_files import MAX_PIXELS

if TYPE_CHECKING:
    from gradcam_tf1.strategies.strategy_records import ClassStrategies, Strategies


@click.command(short_help="Find out what each class looks at over a whole folder.")
@click.argument("out_folder", metavar="OUT", type=click.Path())
@click.option("--method", metavar="NAME", help="Method whose maps are clustered (default: the first of the run).")
@click.option("--layer", metavar="TEXT", help="Layer whose name contains TEXT (default: the first of the method).")
@click.option("--truth", metavar="folders|FILE.csv", help="True classes, for the accuracy of each cluster; see report.")
@click.option("--clusters", type=int, metavar="N", help="Clusters of each class, 1 to 8 (default: found in the maps).")
@click.option("--least-images", type=int, default=12, show_default=True, help="Leave out classes with fewer maps.")
@click.option("--max-pixels", type=int, default=MAX_PIXELS, show_default=True, help="As for report.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of the clustering.")
@click.option("--quiet", "-q", is_flag=True, help="Print errors only.")
def strategies(out_folder: str, quiet: bool, **options: Any) -> None:
    """Cluster the maps of each class of OUT, the output folder of a run, and name the suspect ones.

    A cluster whose maps agree on a corner, the border or one spot is suspect: watermarks, rulers and tags lie there,
    objects seldom do. Writes OUT/strategies.json, OUT/strategies.csv, and the page Strategies of OUT/report.
    """
    from gradcam_tf1.strategies.find_strategies import find_strategies
    from gradcam_tf1.strategies.strategy_options import StrategyOptions

    chosen = StrategyOptions(**options)
    with Progress(quiet) as progress:
        found = find_strategies(out_folder, chosen, progress.show)
    if not quiet:
        _show(found)


def _show(found: Strategies) -> None:
    layer = f" at {shown(found.layer)}" if found.layer else ""
    say(f"maps of {found.method}{layer}")
    for each in found.classes:
        _show_class(each)
    if found.few:
        say("too few maps: " + ", ".join(f"{shown(name)} ({count})" for name, count in found.few.items()))
    if found.empty:
        say(f"empty maps, in no cluster: {found.empty}")
    if found.unread:
        say(f"maps that cannot be read, in no cluster: {found.unread}")
    say()
    say_page(found.page)


def _show_class(each: ClassStrategies) -> None:
    say(f"\n{shown(each.name)}: {each.count} maps")
    for strategy in each.strategies:
        right = "" if strategy.accuracy is None else f"  {strategy.accuracy:4.0%} right"
        suspect = f"  suspect: {strategy.suspect}" if strategy.suspect else ""
        count = len(strategy.idents)
        say(f"  {strategy.share:4.0%}  {count:>5} images{right}  {strategy.place.name}{suspect}")
