"""Files that hold a table over time: text, NumPy, Parquet, HDF5."""
