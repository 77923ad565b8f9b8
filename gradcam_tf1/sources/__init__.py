"""Where pictures come from: folders, files, patterns, lists, archives and TFRecord files, all as `Picture`s."""

from gradcam_tf1.sources.picture import Picture as Picture
from gradcam_tf1.sources.table import iter_pictures as iter_pictures
from gradcam_tf1.sources.wanted import Wanted as Wanted
from gradcam_tf1.sources.window import Window as Window
