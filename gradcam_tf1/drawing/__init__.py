"""Figures: maps side by side under titles, with colour bars. matplotlib is imported when one is made."""
