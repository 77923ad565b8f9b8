"""What is explained: from targets, as people write them, to the score that is differentiated."""
