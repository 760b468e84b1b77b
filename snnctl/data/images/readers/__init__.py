"""Where labelled pictures come from: folders, archives, IDX, arrays, other libraries."""
