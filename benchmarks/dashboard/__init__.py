"""The dashboard: what asv has stored, drawn on one page that needs no network."""
