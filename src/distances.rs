//! Distances between points.
