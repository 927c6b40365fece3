"""One thin command line per DVC stage."""
