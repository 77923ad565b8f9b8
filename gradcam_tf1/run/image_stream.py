"""A stream of images: listed, read and fitted ahead of their use, in order, in bounded memory. No TensorFlow here.

For tasks that look at one image after the other. A run that writes files has `stages`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Container, Generator, Iterable, Iterator, Optional

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.images.window import AUTOMATIC, Window
from gradcam_tf1.run.listing import Listed, draw_images, list_images
from gradcam_tf1.run.reading import BATCH_PIXELS, Fit, Reader, RunImage
from gradcam_tf1.run.worker_threads import check_threads, in_order

if TYPE_CHECKING:
    from gradcam_tf1.engine.bound_net import BoundNet


@dataclass(frozen=True)
class StreamOptions:
    """Which images are read, and how.

    Attributes
    ----------
    n_images : int or None
        Only this number of images, chosen at random.
    seed : int
        Random seed of `n_images`.
    max_pixels : int
        Larger images are refused.
    threads : int or None
        Reader threads; None for one per core, at most 8.
    window : Window
        How measured values become 0..255.
    timeout : float or None
        Time limit in seconds for reading an image.
    """

    n_images: Optional[int] = None
    seed: int = 0
    max_pixels: int = MAX_PIXELS
    threads: Optional[int] = None
    window: Window = AUTOMATIC
    timeout: Optional[float] = None


@dataclass(frozen=True)
class ImageStream:
    """The images of a task.

    Attributes
    ----------
    listing : iterable of ImageSource
        The images; can be iterated once if they come from an archive or standard input.
    count : int or None
        Their number; None if it is not known.
    reader : Reader
        Reads and fits each.
    threads : int
        Number of reader threads.
    """

    listing: Iterable[Listed]
    count: Optional[int]
    reader: Reader
    threads: int

    def images(
        self, done: Iterable[str] = (), only: Optional[Container[int]] = None
    ) -> Generator[RunImage, None, None]:
        """Yield the images in order. Close the generator to stop early.

        An image that cannot be read has an `error` and no `fitted`; it is not raised.

        Parameters
        ----------
        done : iterable of str
            `relative` of the images that were finished before, in order; these are skipped.
        only : container of int or None
            Numbers of the images that are wanted; None for all.

        Raises
        ------
        OptionError
            If the finished images are not the first ones of the listing.
        """
        waiting = (item for item in _left(self.listing, iter(done)) if only is None or item.index in only)
        ahead = self.threads + 1
        with ThreadPoolExecutor(self.threads) as pool:
            read = in_order(self.reader, waiting, pool, ahead, lambda item: item.weight, BATCH_PIXELS)
            with closing(read):
                yield from read


def open_stream(net: BoundNet, imgs_path: Any, out_folder: str, options: StreamOptions) -> ImageStream:
    """List the images of a task, so that mistakes show before it begins.

    Parameters
    ----------
    net : BoundNet
        Fits the images.
    imgs_path : str or list of str
        See `visualize_imgs`.
    out_folder : str
        Images inside it are skipped; "" for none.
    options : StreamOptions
        Which images are read, and how.

    Raises
    ------
    ImageFileError
        If there is no image.
    OptionError
        If an option is not possible.
    """
    listing: Iterable[Listed]
    listing, count = list_images(imgs_path, out_folder)
    if options.n_images is not None:
        listing = chosen = draw_images(listing, options.n_images, options.seed)
        count = len(chosen)
    fit: Fit = net.fit_pixels
    reader = Reader(fit, options.max_pixels, ReadOptions(net.channels_in, (), options.window), options.timeout)
    return ImageStream(listing, count, reader, check_threads(options.threads))


def _left(listing: Iterable[Listed], done: Iterator[str]) -> Iterator[RunImage]:
    """Yield the images that are not done, with their numbers."""
    for index, file in enumerate(listing):
        finished = next(done, None)
        if finished is None:
            yield RunImage(index, file, None, "")
        elif finished != file.relative:
            raise OptionError(
                f"the finished images do not fit: image {index + 1} was {finished!r}, now it is {file.relative!r}; "
                "choose another output folder, or leave out resume to start again"
            )
    left = next(done, None)
    if left is not None:
        raise OptionError(
            f"the finished image {left!r} is not listed any more; choose another output folder, or leave out resume "
            "to start again"
        )
