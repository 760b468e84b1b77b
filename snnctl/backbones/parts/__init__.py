"""What networks are made of: layers, attention, blocks, recurrence, time constants by depth."""
