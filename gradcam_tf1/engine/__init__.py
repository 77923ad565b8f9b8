"""From prepared images to maps: the ops added to a net, its runs, and what is made of the numbers."""
