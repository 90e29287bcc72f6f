//! Figures and tables of results, shown inline in a notebook.
