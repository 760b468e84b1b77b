"""Videos to be continued: digits that move, arrays and folders of frames, windows over clips."""
