"""The Performance page: cells are measured and stored, and the page is written from the store."""
