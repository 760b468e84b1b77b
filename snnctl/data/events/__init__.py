"""Events as data: recordings of spike times, binned on the fly, and those of event cameras as frames of counts."""
