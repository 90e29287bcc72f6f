//! The command line of isopath: sets up, runs and renders the notebooks.

fn main() {}
