//! An experiment as an array of tasks, for more machines than one.
//!
//! A [`Plan`] lists the independent parts of an [`Experiment`], its tasks, as lines of JSON. Each
//! task is a pure function from its settings to a file of a [`Store`], a folder that all machines
//! see: written whole or not at all, and never computed again. [`Runner`] runs one, [`run_here`]
//! all of them on the cores of this machine; a cluster's own scheduler does the same with an array
//! of jobs (`isopath submit`). [`collect`] sees that all are there and whole, and gives the results
//! that one machine would have given, bit for bit but for the times. [`Collected`] finds them again
//! by the plan's digest, for a notebook.
//!
//! The tasks of a stage need no task of the same stage. To give an experiment tasks, implement
//! [`Experiment`] for it and name it in `tasks/registry.rs`; [`Trial`] is the smallest one.
//! [`clusters`] says how plans run on Slurm and other engines.

mod archive;
mod collect;
mod experiment;
mod local;
mod machine;
mod networks;
mod output;
mod plan;
mod record;
mod registry;
mod run;
mod status;
mod store;
mod trial;

pub use archive::{Collected, FromPlan};
pub use collect::{Missing, Provenance, collect, missing};
pub(crate) use experiment::loaded;
pub use experiment::{Experiment, Finished, Given, Need, Outputs, Part, listed};
pub use local::{run_here, workers};
pub use machine::Machine;
pub use networks::{NetworkSweep, NetworkTasks, set_weights, with_weights};
pub use output::Output;
pub use plan::{Header, Plan, Task};
pub use record::{Failure, Record};
pub use registry::{NAMES, experiment};
pub use run::{Ran, Runner};
pub use status::{Running, Status, in_words, status};
pub use store::Store;
pub use trial::Trial;

#[doc = include_str!("tasks/clusters.md")]
pub mod clusters {}
