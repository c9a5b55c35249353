"""Days and how they are counted."""
