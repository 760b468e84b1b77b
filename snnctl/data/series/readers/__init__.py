"""Files that hold a table over time: text, NumPy, Parquet, HDF5; all raise D1xx or D2xx, with the line if known."""
