//! Data sets: fetched, verified, read, shuffled.
