"""Where recordings of events come from: HDF5, one file each, event cameras, frames of counts, sound."""
