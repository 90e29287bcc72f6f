//! Experiments as tasks: plans, results that are those of one machine bit for bit, and what goes
//! wrong.

mod audit;
mod certify;
mod connectivity;
mod isometry;
mod laws;
mod made_up;
mod refusals;
mod regions;
mod sweeps;
